//! Counts what two cores see of each other, and what locks, wake-ups and channels ask of the kernel
//! and the allocator.
//!
//!     cargo run --release --example sharing
//!     strace -f -c target/release/examples/sharing --only mutex    # two threads and a lock, counted by strace alone

use perf_proved::concurrency::sharing::counter::Counter;
use perf_proved::concurrency::sharing::experiment::{
    crowd, lost_additions, on_x86_64, set, wait_for_a_mutex,
};
use perf_proved::concurrency::sharing::litmus::{both_entered, value_missed};
use perf_proved::concurrency::sharing::message_passing::Message;
use perf_proved::concurrency::sharing::naive;
use perf_proved::concurrency::sharing::store_buffering::Dekker;
use perf_proved::concurrency::sharing::variants::{Variant, lock};
use perf_proved::harness::flags::Example;
use perf_proved::harness::report::Report;
use perf_proved::measuring::limits::threads;
use perf_proved::proof::allocations::{Counting, count};
use perf_proved::proof::syscalls;
use perf_proved::sys::cores;
use perf_proved::sys::cores::two_cores;
use std::io;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc::{channel, sync_channel};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of times that two cores are asked what they see.
const RUNS: usize = 1_000_000;
/// The number of additions of each of two threads.
const ADDITIONS: usize = 1_000_000;
/// The number of sections of each of four threads on one core.
const SECTIONS: usize = 100;

fn main() -> ExitCode {
    Example::new(
        "Counts lost updates, reorderings and system calls of two cores that share memory.",
    )
    .variants(&Variant::NAMES)
    .run(|flags| match flags.only {
        Some(name) => {
            Variant::new(&name)?.add(two_cores()?, ADDITIONS)?;
            Ok(ExitCode::SUCCESS)
        }
        None => compare(flags.json),
    })
}

fn compare(json: bool) -> io::Result<ExitCode> {
    let mut report = Report::new("What two cores see of each other, and what sharing asks for");
    additions(&mut report);
    litmus_tests(&mut report);
    locks(&mut report);
    wake_ups(&mut report);
    channels(&mut report);
    Ok(report.finish(json))
}

/// Counts the additions that are lost in two steps, and in one.
fn additions(report: &mut Report) {
    let (two_steps, one_step) = (naive::TwoStepCounter::default(), Counter::new());
    set(report, "two_steps", "lost", || {
        lost_additions(two_cores()?, ADDITIONS, || two_steps.add(), || two_steps.get())
    });
    let lost = set(report, "fetch_add", "lost", || {
        lost_additions(two_cores()?, ADDITIONS, || one_step.add(), || one_step.get())
    });
    let kept = lost.map(|lost| lost == 0);
    report.promise("the counter whose addition is one step loses nothing", kept);
}

/// Counts surprising results. arm64 forbids the first one and allows the third.
fn litmus_tests(report: &mut Report) {
    set(report, "release_acquire", "both_entered", || {
        on_x86_64()?;
        let enter = naive::WeakDekker::try_enter;
        both_entered(two_cores()?, RUNS, naive::WeakDekker::default, enter)
    });
    let fenced = set(report, "seqcst_fence", "both_entered", || {
        both_entered(two_cores()?, RUNS, Dekker::new, Dekker::try_enter)
    });
    report.promise("with a fence between, both never enter", fenced.map(|both| both == 0));
    set(report, "relaxed", "old_text", || {
        on_x86_64()?;
        let (send, receive) = (naive::RelaxedMessage::send, naive::RelaxedMessage::receive);
        value_missed(two_cores()?, RUNS, naive::RelaxedMessage::default, send, receive)
    });
    set(report, "release_acquire", "old_text", || {
        value_missed(two_cores()?, RUNS, Message::new, Message::send, Message::receive)
    });
}

/// Counts a lock's system calls, alone and waited for, and the CPU time that it burns on one core.
fn locks(report: &mut Report) {
    let (mutex, spin) = (Mutex::new(0), naive::TestAndSet::default());
    set(report, "mutex", "futex_alone", || {
        let alone = || (0..1_000_000).for_each(|_| *lock(&mutex) += 1);
        syscalls::trace(alone).map(|((), calls)| calls.total())
    });
    set(report, "mutex", "futex_held", || {
        let (waiter, calls) = syscalls::trace(wait_for_a_mutex)?;
        waiter.map(|_| calls.of("futex").made)
    });
    set(report, "mutex", "cpu_ms_beside_a_sleeper", || {
        crowd(SECTIONS, |section| {
            let _held = lock(&mutex);
            section();
        })
    });
    set(report, "spin", "cpu_ms_beside_a_sleeper", || {
        crowd(SECTIONS, |section| spin.with(section))
    });
}

/// Counts the switches of two threads that park on one core.
fn wake_ups(report: &mut Report) {
    set(report, "park", "switches", || {
        let core = cores::allowed()?[0];
        threads::park_trips([core; 2], 1000).map(|trips| trips.switches)
    });
}

/// Counts a channel's allocations for a thousand items.
fn channels(report: &mut Report) {
    let (sender, _receiver) = channel();
    let made = count(|| (0..1000).all(|item| sender.send(item).is_ok())).1;
    report.set("mpsc", "allocations", made.calls);
    let (sender, _receiver) = sync_channel(1000);
    let made = count(|| (0..1000).all(|item| sender.send(item).is_ok())).1;
    report.set("sync_channel", "allocations", made.calls);
}
