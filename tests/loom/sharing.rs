//! Models of message passing, store buffering, counters, a spin lock and a reference count.

use loom::cell::UnsafeCell;
use loom::model;
use loom::sync::Arc;
use loom::thread;
use perf_proved::concurrency::sharing::counter::Counter;
use perf_proved::concurrency::sharing::doors::Doors;
use perf_proved::concurrency::sharing::letter::Letter;
use perf_proved::concurrency::sharing::naive::TwoStepCounter;
use perf_proved::concurrency::sharing::owners::Owners;
use perf_proved::concurrency::sharing::spin::SpinLock;
use perf_proved::concurrency::sharing::{Needed, Orderings};
use std::sync::atomic::Ordering::{self, AcqRel, Relaxed, Release};

weakened! {
    Send: SEND = Relaxed;
    Read: READ = Relaxed;
    Between: BETWEEN = AcqRel;
    Lock: LOCK = Relaxed;
    Unlock: UNLOCK = Relaxed;
    Leave: LEAVE = Relaxed;
    // A fence cannot be relaxed; as a release it hears of nothing.
    Last: LAST = Release;
}

/// `work` in two threads, on something that both share; then `after`.
fn two<S: std::marker::Send + Sync + 'static>(
    new: impl Fn() -> S + std::marker::Send + Sync + 'static,
    work: impl Fn(&S, usize) + std::marker::Send + Sync + Copy + 'static,
    after: impl Fn(&S) + std::marker::Send + Sync + 'static,
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

/// One sends, the other looks once.
fn message<O: Orderings + 'static>() {
    let work = |letter: &Letter<O>, me| match me {
        0 => assert_ne!(letter.read(), Some(0), "an old text"),
        _ => letter.send(1),
    };
    two(Letter::<O>::new, work, |letter| assert_eq!(letter.read(), Some(1)));
}

#[test]
fn message_is_read_whole() {
    message::<Needed>();
}

/// One visitor at each door.
fn visits<O: Orderings + 'static>() {
    model(|| {
        let doors = Arc::new(Doors::<O>::new());
        let theirs = doors.clone();
        let other = thread::spawn(move || theirs.enter(1));
        let entered = doors.enter(0);
        assert!(!(other.join().unwrap() && entered), "both went in");
    });
}

#[test]
fn doors_let_one_in() {
    visits::<Needed>();
}

#[test]
fn counter_loses_nothing() {
    two(
        Counter::<Needed>::new,
        |counter, _| (0..2).for_each(|_| counter.add()),
        |counter| assert_eq!(counter.get(), 4),
    );
    let work = |counter: &Counter, _| (0..2).for_each(|_| assert!(counter.add_by_exchange() <= 2));
    two(Counter::<Needed>::new, work, |counter| assert_eq!(counter.get(), 4));
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

/// Two threads that each take the lock twice.
fn sections<O: Orderings + 'static>() {
    let work = |lock: &SpinLock<u32, O>, _| (0..2).for_each(|_| lock.with(|value| *value += 1));
    two(|| SpinLock::<u32, O>::new(0), work, |lock| assert_eq!(lock.with(|value| *value), 4));
}

#[test]
fn spin_lock_lets_one_in_and_passes_its_writes_on() {
    sections::<Needed>();
}

/// Something shared, which the last owner clears.
struct Shared<O: Orderings>(Owners<O>, UnsafeCell<u32>);

// SAFETY: what the models are about; loom ends those in which it is not so.
unsafe impl<O: Orderings> std::marker::Send for Shared<O> {}
// SAFETY: as above.
unsafe impl<O: Orderings> Sync for Shared<O> {}

/// Two owners that read and leave.
fn leaving<O: Orderings + 'static>() {
    let work = |shared: &Shared<O>, _| {
        // SAFETY: this owner has not left, so nobody writes.
        shared.1.with(|value| assert_eq!(unsafe { *value }, 7));
        if shared.0.leave() {
            // SAFETY: all others have left, as the models check.
            shared.1.with_mut(|value| unsafe { *value = 0 });
        }
    };
    let after = |shared: &Shared<O>| {
        shared.1.with(|value| assert_eq!(unsafe { *value }, 0, "nobody was last"))
    };
    two(|| Shared(Owners::<O>::new(2), UnsafeCell::new(7)), work, after);
}

#[test]
fn last_owner_is_alone() {
    leaving::<Needed>();
}

/// One model for each ordering that is weaker than it has to be.
mod weakened {
    use super::*;

    macro_rules! breaks {
        ($($name:ident: $model:expr, $says:literal;)*) => {
            $(
                #[test]
                #[should_panic(expected = $says)]
                fn $name() {
                    $model;
                }
            )*
        };
    }
    breaks! {
        message_send: message::<Send>(), "an old text";
        message_read: message::<Read>(), "an old text";
        doors_between: visits::<Between>(), "both went in";
        spin_lock_lock: sections::<Lock>(), "Causality violation";
        spin_lock_unlock: sections::<Unlock>(), "Causality violation";
        owners_leave: leaving::<Leave>(), "Causality violation";
        owners_last: leaving::<Last>(), "Causality violation";
    }
}
