//! Counts what sharing asks of the kernel and the allocator, and asks the processor the questions that the models answer.
//!
//!     cargo run --release --example sharing
//!     strace -f -c target/release/examples/sharing --only spin     # two threads and a lock that never sleeps
//!
//! Where one core is all there is, what needs two says so.

use perf_proved::concurrency::sharing::counter::Counter;
use perf_proved::concurrency::sharing::naive::{TestAndSet, TwoStepCounter};
use perf_proved::concurrency::sharing::{Needed, Orderings, litmus};
use perf_proved::measuring::limits::two_cores;
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::report::{Report, Value};
use perf_proved::proof::usage::Usage;
use perf_proved::proof::{cores, cpu, flags, syscalls};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often two cores are asked.
const RUNS: usize = 1_000_000;
/// What each of two threads adds.
const ADDITIONS: usize = 1_000_000;
const SENDS: u64 = 1000;

fn main() -> ExitCode {
    flags::run(&["mutex", "spin"], None, |flags| match flags.only {
        Some(name) => contend_once(&name),
        None => compare(flags.json),
    })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report = Report::new("What sharing asks for, and what two cores see of each other");
    additions(&mut report);
    questions(&mut report);
    locks(&mut report);
    for (name, wait) in [("mutex", waits_mutex as fn() -> io::Result<_>), ("spin", waits_spin)] {
        match wait() { Ok((c, s)) => { report.set(name, "cpu", c); report.set(name, "switches", s) } , Err(e)=> report.set(name, "cpu", e) }
    }
    Ok(report.finish(json))
}

fn run4(with: impl Fn(&mut dyn FnMut()) + Sync) -> io::Result<(Duration, u64)> {
    let core = cores::allowed()?[0];
    let before = cpu::process()?;
    let sw = std::sync::atomic::AtomicU64::new(0);
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                cores::pin(core).unwrap();
                let b = Usage::of_thread().unwrap();
                for _ in 0..2000 {
                    with(&mut || { let mut x = 1u64; for _ in 0..20_000 { x = black_box(x.wrapping_mul(3)); } });
                }
                let u = Usage::of_thread().unwrap() - b;
                sw.fetch_add(u.voluntary_switches + u.involuntary_switches, Relaxed);
            });
        }
    });
    Ok((cpu::process()? - before, sw.into_inner()))
}
fn waits_mutex() -> io::Result<(Duration, u64)> {
    let m = Mutex::new(());
    run4(|w| { let _g = m.lock().unwrap(); w() })
}
fn waits_spin() -> io::Result<(Duration, u64)> {
    let m = TestAndSet::default();
    run4(|w| m.with(w))
}

fn additions(report: &mut Report) {
    let (one, two) = (Counter::<Needed>::new(), TwoStepCounter::default());
    let done = two_cores().and_then(|c| cores::together(&c, |_| (0..ADDITIONS).for_each(|_| { one.add(); two.add() })));
    report.set("one", "lost", (2 * ADDITIONS - one.get()) as u64);
    report.set("two", "lost", (2 * ADDITIONS - two.get()) as u64);
    let _ = done;
}

struct RA; unsafe impl Orderings for RA { const BETWEEN: Ordering = AcqRel; }
struct RX; unsafe impl Orderings for RX { const SEND: Ordering = Relaxed; const READ: Ordering = Relaxed; }

fn questions(report: &mut Report) {
    let c = two_cores().unwrap();
    let t = Instant::now();
    report.set("ra", "odd", litmus::both_entered::<RA>(c, RUNS).unwrap());
    report.set("ra", "t", t.elapsed());
    report.set("fence", "odd", litmus::both_entered::<Needed>(c, RUNS).unwrap());
    report.set("mp relaxed", "odd", litmus::old_text::<RX>(c, RUNS).unwrap());
    report.set("mp needed", "odd", litmus::old_text::<Needed>(c, RUNS).unwrap());
    report.set("all", "t", t.elapsed());
}

fn locks(report: &mut Report) {
    let m = Mutex::new(0);
    let (_, calls) = syscalls::trace(|| (0..1_000_000).for_each(|_| *m.lock().unwrap() += 1)).unwrap();
    report.set("alone", "futex", calls.of("futex").made);
    report.set("alone", "all", calls.total());
    let m: &'static Mutex<u32> = Box::leak(Box::new(Mutex::new(0)));
    static F: AtomicBool = AtomicBool::new(false);
    static D: AtomicBool = AtomicBool::new(false);
    let (_h, calls) = syscalls::trace(|| {
        let g = m.lock().unwrap();
        let h = thread::spawn(move || { F.store(true, Release); drop(m.lock().unwrap()); D.store(true, Release); });
        while !F.load(Acquire) { thread::sleep(Duration::from_millis(1)); }
        thread::sleep(Duration::from_millis(20));
        drop(g);
        while !D.load(Acquire) { thread::sleep(Duration::from_millis(1)); }
        h
    }).unwrap();
    report.set("held", "futex", calls.of("futex").made);
    report.note(&format!("{:?}", calls));
    let (s, r) = channel(); let (_, a) = count(|| (0..1000u64).for_each(|i| s.send(i).unwrap())); drop(r);
    report.set("mpsc", "alloc", a.calls);
    let (s, r) = sync_channel(1000); let (_, a) = count(|| (0..1000u64).for_each(|i| s.send(i).unwrap())); drop(r);
    report.set("sync", "alloc", a.calls);
    let _ = (Arc::new(1), Condvar::new(), PoisonError::new(1), SENDS, Value::Count(1));
}
fn contend_once(_: &str) -> io::Result<ExitCode> { Ok(ExitCode::SUCCESS) }
