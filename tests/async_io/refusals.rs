//! Choosing the engine: whatever denies the ring, the pool runs, and the reason is kept.

use super::{KIB, done, on, watch};
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::io::async_io::{
    AsyncIo, Durability, Engine, Handle, Operation, Outcome, Reason, Settings, SyncKind,
};
use perf_proved::proof::syscalls::trace;
use perf_proved::sys::denial::Denial;
use perf_proved::sys::raw_code;
use perf_proved_tests::{only, passed};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::{env, fs, io};

/// Tells a child which call is denied, and by which error.
const DENIED: &str = "PERF_PROVED_DENIED";

/// Returns the test `name` of this file, to be run in a process in which `denial` holds.
fn denied(name: &str, denial: Denial) -> Command {
    let mut child = only(&format!("refusals::{name}"));
    child.env(DENIED, denial.code.to_string());
    // SAFETY: between fork and exec, the child makes system calls on local values.
    unsafe { child.pre_exec(move || denial.install()) };
    child
}

/// Returns the error that is the answer to the denied call, in a child.
fn code() -> Option<i32> {
    env::var(DENIED).ok()?.parse().ok()
}

const CODES: [i32; 5] = [libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP, libc::EINVAL, libc::EACCES];

/// Checks that the test `name` passes where `call` is denied, by one error after the other.
fn denied_by_each(name: &str, call: libc::c_long) {
    for code in CODES {
        passed(&denied(name, Denial { call, code }).output().unwrap());
    }
}

#[test]
fn a_ring_that_cannot_be_set_up_is_replaced_by_the_pool() {
    denied_by_each("in_a_child_without_a_ring", libc::SYS_io_uring_setup);
}

#[test]
fn a_ring_that_cannot_be_entered_is_replaced_by_the_pool() {
    denied_by_each("in_a_child_without_a_ring", libc::SYS_io_uring_enter);
}

/// Run by the tests above. On its own, it has nothing to do.
#[test]
fn in_a_child_without_a_ring() {
    let _watch = watch("with engines of its own");
    let Some(code) = code() else { return };
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let insisted = AsyncIo::start(&on(Engine::Ring)).unwrap_err();
    assert_eq!((raw_code(&insisted), AsyncIo::fallbacks()), (Some(code), 0), "{insisted}");
    assert_eq!(descriptors(), before, "a probe that fails leaves nothing open");

    let io = AsyncIo::start(&Settings { buffers: 2, buffer_length: 4096, ..Settings::default() })
        .unwrap();
    assert_eq!((io.engine(), AsyncIo::fallbacks()), (Engine::Pool, 1));
    let reason = io.no_ring().unwrap();
    let said = reason.to_string();
    assert_eq!(raw_code(reason), Some(code), "{said}");
    let system = io::Error::from_raw_os_error(code).to_string();
    assert!(said.starts_with("io_uring: ") && said.ends_with(&system), "{said}");
    every_operation(&io);
    // Where tracing works, the calls confirm it.
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 4096).unwrap();
    if let Ok((engine, calls)) = trace(|| {
        let io = AsyncIo::start(&Settings::default()).unwrap();
        done(&io, Operation::read_at(&super::opened(&path), vec![0; 4096], 0));
        io.engine()
    }) {
        assert_eq!((engine, calls.of("pread64").returned), (Engine::Pool, 4096), "{calls:?}");
    }
}

/// Does a little of everything.
fn every_operation(io: &AsyncIo) {
    let scratch = Scratch::new().unwrap();
    let path = |name| scratch.path().join(name);
    let file = super::writable(path("file"));
    done(io, Operation::write_at(&file, pattern(5000), 0));
    done(io, Operation::sync(&file, SyncKind::All));
    let read = done(io, Operation::read_at(&file, vec![0; 5000], 0));
    assert!(read.buffer.unwrap()[..] == pattern(5000));
    if let Some(buffer) = io.buffer() {
        let read = done(io, Operation::read_at(&file, buffer, 100));
        let length = read.bytes as usize;
        assert!(read.buffer.unwrap()[..length] == pattern(5000)[100..100 + length]);
    }
    let copy = super::writable(path("copy"));
    done(io, Operation::copy(&file, 0..u64::MAX, &copy, 0));
    let new = fs::read(path("copy")).unwrap()[1..].to_vec();
    done(io, Operation::replace(path("file"), new, Durability::OnDisk));
    assert!(fs::read(path("file")).unwrap() == pattern(5000)[1..]);
}

// ---------------------------------------------------------------- rings with less

/// Without `io_uring_register`, a ring has no registered buffers, and all the rest.
#[test]
fn a_ring_that_can_register_nothing_uses_ordinary_memory() {
    denied_by_each("in_a_child_that_cannot_register", libc::SYS_io_uring_register);
}

#[test]
fn in_a_child_that_cannot_register() {
    let _watch = watch("with engines of its own");
    let Some(code) = code() else { return };
    let io =
        AsyncIo::start(&Settings { buffers: 4, buffer_length: 64 * KIB, ..Settings::default() })
            .unwrap();
    match (io.engine(), io.no_ring()) {
        (Engine::Ring, None) => {
            let reason = io.not_registered().unwrap();
            assert_eq!(raw_code(reason), Some(code), "{reason}");
            assert!(reason.to_string().starts_with("registering 4 buffers of 65536 bytes: "));
        }
        (_, Some(reason)) => eprintln!("not possible here: {reason}"),
        (engine, None) => panic!("{engine:?} without a reason"),
    }
    every_operation(&io);
}

#[test]
fn a_limit_on_locked_memory_degrades_registered_buffers_to_ordinary_ones() {
    let mut child = only("refusals::in_a_child_that_cannot_register");
    child.env(DENIED, libc::ENOMEM.to_string());
    // SAFETY: between fork and exec, the child makes system calls on local values.
    unsafe {
        child.pre_exec(|| {
            // Root is bound by no limit as long as it has this capability.
            const CAP_IPC_LOCK: libc::c_ulong = 14;
            libc::prctl(libc::PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0);
            let limit = libc::rlimit { rlim_cur: 64 << 10, rlim_max: 64 << 10 };
            match libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    passed(&child.output().unwrap());
}

// ---------------------------------------------------------------- a ring that is taken away

#[test]
fn a_ring_that_is_denied_later_fails_what_is_in_flight_and_hangs_nothing() {
    let mut child = only("refusals::in_a_child_that_loses_its_ring");
    passed(&child.env(DENIED, libc::EPERM.to_string()).output().unwrap());
}

#[test]
fn in_a_child_that_loses_its_ring() {
    let _watch = watch("with engines of its own");
    let Some(code) = code() else { return };
    let io = match AsyncIo::start(&on(Engine::Ring)) {
        Ok(io) => io,
        Err(error) => return eprintln!("not possible here: {error}"),
    };
    let scratch = Scratch::new().unwrap();
    let file = super::writable(scratch.file("file", 5000).unwrap());
    done(&io, Operation::read_at(&file, vec![0; 100], 0));
    let denial = Denial { call: libc::SYS_io_uring_enter, code };
    if let Err(error) = denial.install_for_all() {
        return eprintln!("not possible here: {error}");
    }
    // The thread of the ring waits in the kernel. It may take a first operation, and then sees.
    let write = || Operation::write_at(&file, vec![1; 100], 0);
    let mut rejected = None;
    let mut handles: Vec<Handle> = vec![];
    for _ in 0..100 {
        match io.submit(write()) {
            Ok(handle) => handles.push(handle),
            Err(refused) => rejected = Some(refused.reason),
        }
    }
    let submitted = handles.len() as u64;
    let ends: Vec<Outcome> = handles.into_iter().map(|handle| handle.wait().outcome).collect();
    let failed = ends.iter().filter(|end| matches!(end, Outcome::Failed(_))).count() as u64;
    assert!(failed > 0 && rejected.is_none_or(|reason| reason == Reason::ShutDown));
    assert_eq!(io.submit(write()).unwrap_err().reason, Reason::ShutDown);
    io.shutdown();
    let counts = io.counts();
    assert_eq!((counts.submitted, counts.failed, counts.in_flight), (submitted + 1, failed, 0));
    assert!(file.first_error().is_some(), "no sync may say that they are safe");
}
