//! Counts what two cores see of each other, and what locks, wake-ups and channels ask of the kernel
//! and the allocator.
//!
//!     cargo run --release --example sharing
//!     strace -f -c target/release/examples/sharing --only mutex    # two threads and a lock, counted by strace alone

use perf_proved::concurrency::sharing::counter::Counter;
use perf_proved::concurrency::sharing::litmus::{both_entered, old_text};
use perf_proved::concurrency::sharing::naive::{AnyOrder, TestAndSet, TwoStepCounter};
use perf_proved::concurrency::sharing::{Needed, spin::SpinLock};
use perf_proved::harness::flags::Example;
use perf_proved::harness::report::{Report, Value};
use perf_proved::measuring::limits::{threads, two_cores};
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::{cpu, syscalls};
use perf_proved::sys::cores;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{io, thread};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often two cores are asked what they see.
const RUNS: usize = 1_000_000;
/// What each of two threads adds.
const ADDITIONS: usize = 1_000_000;
/// How often each of four threads takes a lock, on one core.
const SECTIONS: usize = 20_000;

fn main() -> ExitCode {
    Example::new(
        "Counts lost updates, reorderings and system calls of two cores that share memory.",
    )
    .variants(&["mutex", "spin"])
    .run(|flags| match flags.only {
        Some(name) => contend_once(&name),
        None => compare(flags.json),
    })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report = Report::new("What two cores see of each other, and what sharing asks for");
    let (two_steps, one_step) = (TwoStepCounter::default(), Counter::<Needed>::new());
    lost(&mut report, "two_steps", || two_steps.add(), || two_steps.get());
    let kept = lost(&mut report, "fetch_add", || one_step.add(), || one_step.get());
    report.promise("the counter whose addition is one step loses nothing", kept);

    // What a weaker ordering lets happen depends on the processor: arm64 forbids the first, and
    // allows the second.
    let cores = two_cores();
    let ask = |ask: fn([usize; 2], usize) -> io::Result<u64>| {
        let cores = cores.as_ref().map_err(|why| io::Error::new(why.kind(), why.to_string()))?;
        ask(*cores, RUNS)
    };
    let on_x86 = |ask: io::Result<u64>| {
        let elsewhere = || {
            io::Error::other(
                "what a weaker ordering lets happen here is not what it lets happen on x86-64",
            )
        };
        if cfg!(target_arch = "x86_64") { ask } else { Err(elsewhere()) }
    };
    let fenced = ask(both_entered::<Needed>);
    report.promise(
        "with a fence between, never do both go in",
        !fenced.as_ref().is_ok_and(|&both| both > 0),
    );
    set(&mut report, "release_acquire", "both_entered", on_x86(ask(both_entered::<AnyOrder>)));
    set(&mut report, "seqcst_fence", "both_entered", fenced);
    set(&mut report, "relaxed", "old_text", on_x86(ask(old_text::<AnyOrder>)));
    set(&mut report, "release_acquire", "old_text", ask(old_text::<Needed>));

    let mutex = Mutex::new(0);
    let alone = syscalls::trace(|| (0..1_000_000).for_each(|_| *lock(&mutex) += 1));
    set(&mut report, "mutex", "futex_alone", alone.map(|((), calls)| calls.total()));
    set(
        &mut report,
        "mutex",
        "futex_held",
        syscalls::trace(wait_for_a_mutex).map(|(_, calls)| calls.of("futex").made),
    );
    let spin = TestAndSet::default();
    set(&mut report, "mutex", "cpu_ms_on_one_core", crowd(|work| work(&mut lock(&mutex))));
    set(&mut report, "spin", "cpu_ms_on_one_core", crowd(|work| spin.with(|| work(&mut 0))));

    let one_core = cores::allowed().map(|cores| [cores[0]; 2]);
    let switches =
        one_core.and_then(|cores| threads::park_trips(cores, 1000)).map(|trips| trips.switches);
    set(&mut report, "park", "switches", switches);

    let (sender, _receiver) = channel();
    report.set(
        "mpsc",
        "allocations",
        count(|| (0..1000).all(|item| sender.send(item).is_ok())).1.calls,
    );
    let (sender, _receiver) = sync_channel(1000);
    report.set(
        "sync_channel",
        "allocations",
        count(|| (0..1000).all(|item| sender.send(item).is_ok())).1.calls,
    );
    Ok(report.finish(json))
}

/// What was found, or why it cannot be.
fn set<T: Into<Value>>(report: &mut Report, name: &str, quantity: &str, found: io::Result<T>) {
    report.set(name, quantity, found.map_or_else(Value::from, T::into));
}

/// Two cores add, and how much of it is not there afterwards? Returns whether all is.
fn lost(report: &mut Report, name: &str, add: impl Fn() + Sync, sum: impl Fn() -> usize) -> bool {
    let done = two_cores()
        .and_then(|cores| cores::together(&cores, |_| (0..ADDITIONS).for_each(|_| add())));
    let lost = done.map(|_| (2 * ADDITIONS - sum()) as u64);
    let kept = !lost.as_ref().is_ok_and(|&lost| lost > 0);
    set(report, name, "lost", lost);
    kept
}

/// One thread asks for a mutex that another one holds, and gets it. Returns the thread, whose end
/// is not to be counted.
fn wait_for_a_mutex() -> thread::JoinHandle<()> {
    let shared = Arc::new((Mutex::new(()), AtomicBool::new(false), AtomicBool::new(false)));
    let until = |flag: &AtomicBool| {
        while !flag.load(Acquire) {
            thread::sleep(Duration::from_millis(1));
        }
    };
    let (held, theirs) = (lock(&shared.0), shared.clone());
    let waiter = thread::spawn(move || {
        theirs.1.store(true, Release);
        drop(lock(&theirs.0));
        theirs.2.store(true, Release);
    });
    until(&shared.1);
    thread::sleep(Duration::from_millis(50)); // until it sleeps
    drop(held);
    until(&shared.2);
    waiter
}

/// The CPU time, in milliseconds, of four threads on one core, each of which does some microseconds
/// of work 20,000 times, alone with `alone`.
fn crowd(alone: impl Fn(&mut dyn FnMut(&mut u64)) + Sync) -> io::Result<u64> {
    let core = cores::allowed()?[0];
    let before = cpu::process()?;
    let work = |sum: &mut u64| (0..10_000).for_each(|step| *sum = black_box(*sum ^ step));
    let thread = || {
        cores::pin(core)?;
        (0..SECTIONS).for_each(|_| alone(&mut { work }));
        Ok(())
    };
    let ended: io::Result<Vec<()>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(thread)).collect();
        threads.into_iter().map(cores::joined).collect()
    });
    ended?;
    Ok((cpu::process()? - before).as_millis() as u64)
}

/// Two cores that both want a lock, and nobody counts anything.
fn contend_once(name: &str) -> io::Result<ExitCode> {
    let (mutex, spin) = (Mutex::new(0), SpinLock::<_>::new(0));
    let add = || if name == "mutex" { *lock(&mutex) += 1 } else { spin.with(|sum| *sum += 1) };
    cores::together(&two_cores()?, |_| (0..ADDITIONS).for_each(|_| add()))?;
    Ok(ExitCode::SUCCESS)
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
