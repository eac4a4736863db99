//! Each count is right for work whose cost is known.
#![cfg(target_os = "linux")]

use perf_proved::proof::allocations::{Allocations, Counting, count};
#[cfg(target_arch = "x86_64")]
use perf_proved::proof::instructions;
use perf_proved::proof::syscalls::trace;
use perf_proved::proof::usage::Usage;
use perf_proved::proof::{cpu, resident};
use perf_proved::sys::cores;
use perf_proved_tests::{alone, refusals, signals};
#[cfg(target_arch = "x86_64")]
use std::arch::asm;
use std::fs::File;
use std::hint::black_box;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;
use std::{panic, ptr, thread};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn calls_are_counted_by_name_with_their_bytes() {
    let _alone = alone();
    let mut zeros = File::open("/dev/zero").unwrap();
    let mut sink = File::create("/dev/null").unwrap();
    let ((), calls) = trace(|| {
        let mut buffer = [1; 1000];
        for _ in 0..7 {
            zeros.read_exact(&mut buffer).unwrap();
        }
        sink.write_all(&buffer[..10]).unwrap();
    })
    .unwrap();

    assert_eq!((calls.of("read").made, calls.bytes_read()), (7, 7000));
    assert_eq!((calls.of("write").made, calls.bytes_written()), (1, 10));
    assert_eq!(calls.total(), 8, "and nothing else: {calls:?}");
}

#[test]
fn no_work_counts_nothing() {
    let _alone = alone();
    let ((), calls) = trace(|| ()).unwrap();
    assert_eq!(calls.total(), 0, "{calls:?}");
}

#[test]
fn a_failed_call_counts_as_failed_and_returns_no_bytes() {
    let _alone = alone();
    let (result, calls) = trace(|| {
        // SAFETY: a descriptor that is not open and no buffer: refused.
        unsafe { libc::read(-1, std::ptr::null_mut(), 0) }
    })
    .unwrap();
    assert_eq!(result, -1);
    let read = calls.of("read");
    assert_eq!((read.made, read.failed, read.returned), (1, 1, 0));
}

#[test]
fn threads_started_by_the_work_are_counted_and_others_are_not() {
    let _alone = alone();
    let (stop, stopped) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        while stopped.recv_timeout(Duration::from_millis(1)).is_err() {
            // SAFETY: no arguments.
            unsafe { libc::getppid() };
        }
    });
    let (files, calls) = trace(|| {
        let work = || {
            // SAFETY: no arguments.
            unsafe { libc::getpid() };
            File::open("/dev/zero").unwrap()
        };
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    })
    .unwrap();
    stop.send(()).unwrap();
    other.join().unwrap();
    assert_eq!((files.len(), calls.of("getpid").made, calls.of("getppid").made), (4, 4, 0));
    // glibc opens a file to count the processors, once there are more than eight arenas.
    assert!((4..=5).contains(&calls.of("openat").made), "{}", calls.of("openat").made);
}

#[test]
fn a_socket_closed_inside_is_closed_for_its_peer() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let (at_eof, _) = trace(move || {
        drop(server);
        client.read(&mut [0]).unwrap() == 0
    })
    .unwrap();
    assert!(at_eof, "the helper must not hold a copy of the descriptor");
}

#[test]
fn a_panic_ends_the_trace() {
    let _alone = alone();
    let caught = panic::catch_unwind(|| trace(|| panic!("as it should")));
    assert!(caught.is_err());
    let (_, calls) = trace(|| File::open("/dev/zero")).unwrap();
    assert_eq!(calls.of("openat").made, 1, "and the thread can be traced again");
}

#[test]
fn a_traced_thread_is_refused_not_miscounted() {
    let _alone = alone();
    let (inner, _) = trace(|| trace(|| ())).unwrap();
    assert!(inner.is_err());
    assert!(!has_children());
}

/// Returns `true` if the calling thread has started a process and not waited for its end.
fn has_children() -> bool {
    let flags = libc::WNOHANG | libc::__WALL | libc::__WNOTHREAD;
    // SAFETY: no status is asked for, and the kernel does not wait.
    unsafe { libc::waitpid(-1, ptr::null_mut(), flags) != -1 }
}

#[test]
fn a_signal_reaches_the_traced_thread_and_no_process_is_left() {
    let _alone = alone();
    signals::catch();
    let before = signals::caught();
    // SAFETY: a signal with a handler.
    let (raised, _) = trace(|| unsafe { libc::raise(libc::SIGUSR1) }).unwrap();
    assert_eq!((raised, signals::caught() - before), (0, 1));
    assert!(!has_children());
}

#[test]
fn allocations_are_counted_on_this_thread_only() {
    let (_, made) = count(|| {
        thread::scope(|scope| {
            // Spawning allocates here; what the thread allocates is counted there.
            scope.spawn(|| drop(black_box(vec![0_u8; 1 << 20])));
        });
    });
    assert!(made.calls > 0 && made.bytes < 1 << 16, "{made:?}");

    let (numbers, made) = count(|| Vec::<u64>::with_capacity(100));
    assert_eq!(made, Allocations { calls: 1, bytes: 800, frees: 0, peak: 800, held: 800 });
    let (_, made) = count(|| drop(numbers));
    assert_eq!(made, Allocations { frees: 1, held: -800, ..Allocations::default() });
}

#[test]
fn the_peak_counts_bytes_held_at_once() {
    let (inner, outer) = count(|| {
        drop(black_box(vec![0_u8; 1000]));
        let (mut kept, first) = count(|| black_box(vec![0_u8; 100]));
        drop(black_box(vec![0_u8; 300]));
        let (_, second) = count(|| kept.reserve_exact(500));
        [first, second]
    });
    // The block that grew has replaced the old one.
    assert_eq!(inner.map(|made| made.peak), [100, 500]);
    assert_eq!(inner.map(|made| made.bytes), [100, 600]);
    assert_eq!(outer.peak, 1000);

    let (_, made) = count(|| drop(thread::spawn(|| vec![0_u8; 1 << 20]).join().unwrap()));
    assert!(made.peak < 1 << 16, "what another thread allocated is not this one's: {made:?}");
}

#[test]
fn first_touch_of_a_page_faults_once() {
    let _alone = alone();
    const PAGES: usize = 64;
    let page = page_size();
    // SAFETY: a fresh anonymous mapping, unmapped below; its pages are touched in bounds.
    unsafe {
        let size = PAGES * page;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let start = libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            flags,
            -1,
            0,
        );
        assert_ne!(start, libc::MAP_FAILED);
        libc::madvise(start, size, libc::MADV_NOHUGEPAGE);
        let touch = || {
            let before = Usage::of_thread().unwrap();
            (0..PAGES).for_each(|i| start.cast::<u8>().add(i * page).write_volatile(1));
            (Usage::of_thread().unwrap() - before).minor_faults
        };
        assert_eq!((touch(), touch()), (PAGES as u64, 0));
        libc::munmap(start, size);
    }
}

#[test]
fn sleeping_switches_once_and_costs_no_cpu() {
    let before = (Usage::of_thread().unwrap(), cpu::thread().unwrap());
    thread::sleep(Duration::from_millis(20));
    let after = (Usage::of_thread().unwrap(), cpu::thread().unwrap());
    assert_eq!((after.0 - before.0).voluntary_switches, 1);
    assert!(after.1 - before.1 < Duration::from_millis(10));
    let all =
        Usage { minor_faults: 1, major_faults: 2, voluntary_switches: 3, involuntary_switches: 4 };
    assert_eq!(all - all, Usage::default());
}

#[test]
fn the_process_pays_for_its_threads_and_the_thread_does_not() {
    let before = (cpu::thread().unwrap(), cpu::process().unwrap());
    thread::spawn(|| {
        let start = cpu::thread().unwrap();
        while cpu::thread().unwrap() - start < Duration::from_millis(50) {}
    })
    .join()
    .unwrap();
    let after = (cpu::thread().unwrap(), cpu::process().unwrap());
    assert!(after.1 - before.1 >= Duration::from_millis(50));
    assert!(after.0 - before.0 < Duration::from_millis(25));
}

#[test]
fn kernel_threads_have_a_clock_that_advances_or_a_reason() {
    match cpu::kernel_threads() {
        Ok(before) => assert!(cpu::kernel_threads().unwrap() >= before),
        Err(error) => {
            assert!(error.to_string().contains("/proc shows no kernel thread"), "{error}")
        }
    }
}

#[test]
fn a_pinned_thread_stays_and_a_missing_core_is_refused() {
    let allowed = cores::allowed().unwrap();
    thread::spawn(move || {
        cores::pin(allowed[0]).unwrap();
        assert_eq!(cores::allowed().unwrap(), [allowed[0]]);
        cores::confine(&allowed).unwrap();
        assert_eq!(cores::allowed().unwrap(), allowed);
    })
    .join()
    .unwrap();
    assert!(cores::pin(usize::MAX).is_err());
}

fn page_size() -> usize {
    // SAFETY: asks for a constant.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

#[test]
fn resident_memory_is_memory_that_was_touched() {
    let _alone = alone();
    const SIZE: u64 = 64 << 20;
    let before = resident::now().unwrap();
    let mut block = vec![0_u8; SIZE as usize];
    assert!(resident::now().unwrap() < before + SIZE / 2, "nothing of it was touched");
    block.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
    assert!(resident::now().unwrap() >= before + SIZE * 9 / 10);
    drop(black_box(block));
    assert!(resident::peak().unwrap() >= before + SIZE * 9 / 10, "the peak outlives the block");
    resident::reset_peak().unwrap();
    assert!(resident::peak().unwrap() < before + SIZE / 2);
}

#[test]
fn together_runs_once_on_each_core_or_not_at_all() {
    let here = cores::allowed().unwrap();
    let ran = [const { AtomicUsize::new(0) }; 2];
    let work = |place: usize| {
        assert_eq!(cores::allowed().unwrap(), [here[place]]);
        ran[place].fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(5));
    };
    let two = here.len().min(2);
    let time = cores::together(&here[..two], work).unwrap();
    assert!(time >= Duration::from_millis(5));
    assert_eq!(ran.iter().map(|ran| ran.load(Ordering::Relaxed)).sum::<usize>(), two);

    let error = cores::together(&[here[0], 100_000], |_| unreachable!("one core does not exist"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(cores::together(&[], |_| unreachable!()).unwrap(), Duration::ZERO);
}

#[test]
fn compiler_errors_are_reported_by_code() {
    let program =
        |second: &str| format!("fn main() {{ let text = String::new(); drop(text); {second} }}");
    assert_eq!(refusals(env!("CARGO_TARGET_TMPDIR"), "proof_accepted", &program("")), []);
    let refused =
        refusals(env!("CARGO_TARGET_TMPDIR"), "proof_refused", &program("println!(\"{text}\");"));
    assert_eq!(refused.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["E0382"]);
    assert!(refused[0].1.contains("borrow of moved value"), "{refused:?}");
}

#[test]
fn a_core_is_kept_busy_exactly_as_long_as_the_work_takes() {
    let core = *cores::allowed().unwrap().last().unwrap();
    let busy = |time| {
        let before = cpu::process().unwrap();
        cores::beside(core, || thread::sleep(Duration::from_millis(time))).unwrap();
        cpu::process().unwrap() - before
    };
    assert!(busy(50) > Duration::from_millis(10));
    assert!(cores::beside(1 << 20, || ()).is_err());
    assert!(
        std::panic::catch_unwind(|| cores::beside(core, || panic!("on purpose"))).is_err(),
        "and the other thread ends"
    );
}

/// Steps are what the processor does, so a loop of known length is counted to the instruction.
#[cfg(target_arch = "x86_64")]
#[test]
fn instructions_are_counted_one_by_one() {
    let _alone = alone();
    // SAFETY: touches the register and the flags.
    let spin = |mut n: u64| unsafe {
        asm!("2:", "dec {n}", "jnz 2b", n = inout(reg) n, options(nomem, nostack));
        n
    };
    let of = |n| instructions::count(|| spin(black_box(n))).unwrap();
    let ((left, ten), (_, thousand)) = (of(10), of(1000));
    assert_eq!((left, thousand - ten), (0, 2 * 990));
    assert_eq!(of(10).1, ten, "and always the same");
    assert!(!has_children());
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_panic_or_a_signal_between_steps_goes_where_it_belongs() {
    let _alone = alone();
    signals::catch();
    let before = signals::caught();
    // SAFETY: a signal with a handler.
    let (raised, _) = instructions::count(|| unsafe { libc::raise(libc::SIGUSR1) }).unwrap();
    assert_eq!((raised, signals::caught() - before), (0, 1));
    assert!(panic::catch_unwind(|| instructions::count(|| panic!("as it should"))).is_err());
    let (inner, _) = trace(|| instructions::count(|| ())).unwrap();
    let error = inner.unwrap_err().to_string();
    assert!(error.starts_with("counting instructions with ptrace: "), "{error}");
    assert!(!has_children());
}
