//! Models of message passing, store buffering, counters, a spin lock and a reference count.
//!
//! `.ci/breaks/sharing.toml` weakens each ordering in turn, and names the model that fails then.

use loom::cell::UnsafeCell;
use loom::model;
use loom::sync::Arc;
use loom::thread;
use perf_proved::concurrency::sharing::counter::Counter;
use perf_proved::concurrency::sharing::message_passing::Message;
use perf_proved::concurrency::sharing::naive::{RelaxedMessage, TwoStepCounter, WeakDekker};
use perf_proved::concurrency::sharing::reference_count::ReferenceCount;
use perf_proved::concurrency::sharing::spin::SpinLock;
use perf_proved::concurrency::sharing::store_buffering::Dekker;

/// Runs `work` in two threads that share a new state, and then `after`.
fn two<S: Send + Sync + 'static>(
    new: impl Fn() -> S + Send + Sync + 'static,
    work: impl Fn(&S, usize) + Send + Sync + Copy + 'static,
    after: impl Fn(&S) + Send + Sync + 'static,
) {
    model(move || {
        let shared = Arc::new(new());
        let theirs = shared.clone();
        let other = thread::spawn(move || work(&theirs, 1));
        work(&shared, 0);
        other.join().unwrap();
        after(&shared);
    });
}

/// One thread sends, and the other receives once.
#[test]
fn message_is_read_whole() {
    let work = |message: &Message, me| match me {
        0 => assert_ne!(message.receive(), Some(0), "the value is missing"),
        _ => message.send(1),
    };
    two(Message::new, work, |message| assert_eq!(message.receive(), Some(1)));
}

#[test]
#[should_panic(expected = "the value is missing")]
fn message_without_orderings_is_broken() {
    let work = |message: &RelaxedMessage, me| match me {
        0 => assert_ne!(message.receive(), Some(0), "the value is missing"),
        _ => message.send(1),
    };
    two(RelaxedMessage::default, work, |_| ());
}

/// Runs two threads that enter once each.
fn visits<E: Send + Sync + 'static>(new: fn() -> E, try_enter: fn(&E, usize) -> bool) {
    model(move || {
        let entry = Arc::new(new());
        let theirs = entry.clone();
        let other = thread::spawn(move || try_enter(&theirs, 1));
        let entered = try_enter(&entry, 0);
        assert!(!(other.join().unwrap() && entered), "both entered");
    });
}

#[test]
fn doors_let_one_in() {
    visits(Dekker::new, Dekker::try_enter);
}

#[test]
#[should_panic(expected = "both entered")]
fn entry_with_a_weak_fence_is_broken() {
    visits(WeakDekker::default, WeakDekker::try_enter);
}

#[test]
fn counter_loses_nothing() {
    two(
        Counter::new,
        |counter, _| (0..2).for_each(|_| counter.add()),
        |counter| assert_eq!(counter.get(), 4),
    );
    let work =
        |counter: &Counter, _| (0..2).for_each(|_| assert!(counter.add_by_compare_exchange() <= 2));
    two(Counter::new, work, |counter| assert_eq!(counter.get(), 4));
}

/// Sequential consistency orders the steps, and does not make one of two.
#[test]
#[should_panic(expected = "an addition is lost")]
fn counter_of_two_steps_is_broken() {
    two(
        TwoStepCounter::default,
        |counter, _| counter.add(),
        |counter| assert_eq!(counter.get(), 2, "an addition is lost"),
    );
}

/// Two threads that take the lock twice each.
#[test]
fn spin_lock_lets_one_in_and_passes_its_writes_on() {
    let work = |lock: &SpinLock<u32>, _| (0..2).for_each(|_| lock.with(|value| *value += 1));
    two(|| SpinLock::new(0), work, |lock| assert_eq!(lock.with(|value| *value), 4));
}

/// A shared value that the last owner clears.
struct Shared(ReferenceCount, UnsafeCell<u32>);

// SAFETY: the models check that the accesses are ordered; loom ends those in which they are not.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

/// Two owners that read the value and release it.
#[test]
fn last_owner_is_alone() {
    let work = |shared: &Shared, _| {
        // SAFETY: this owner has not released its reference, so no thread writes.
        shared.1.with(|value| assert_eq!(unsafe { *value }, 7));
        if shared.0.release() {
            // SAFETY: all other owners have released theirs, as the model checks.
            shared.1.with_mut(|value| unsafe { *value = 0 });
        }
    };
    let after = |shared: &Shared| {
        shared.1.with(|value| assert_eq!(unsafe { *value }, 0, "no owner was the last"))
    };
    two(|| Shared(ReferenceCount::new(2), UnsafeCell::new(7)), work, after);
}
