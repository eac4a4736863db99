//! The pieces do what their documentation says, on one thread and on two at once, and the naive
//! ones fail in the ways that it lists. The models explore every interleaving
//! (`tests/loom/sharing.rs`).

use perf_proved::concurrency::sharing::counter::Counter;
use perf_proved::concurrency::sharing::experiment::lost_additions;
use perf_proved::concurrency::sharing::litmus::{both_entered, value_missed};
use perf_proved::concurrency::sharing::message_passing::Message;
#[cfg(target_arch = "x86_64")]
use perf_proved::concurrency::sharing::naive::WeakDekker;
use perf_proved::concurrency::sharing::naive::{RelaxedMessage, TestAndSet, TwoStepCounter};
use perf_proved::concurrency::sharing::reference_count::ReferenceCount;
use perf_proved::concurrency::sharing::spin::SpinLock;
use perf_proved::concurrency::sharing::store_buffering::Dekker;
use perf_proved::concurrency::sharing::variants::Variant;
#[cfg(unix)]
use perf_proved::proof::cpu;
use perf_proved::sys::cores::two_cores;
use perf_proved_tests::alone;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
#[cfg(unix)]
use std::time::Duration;
use std::{io, thread};

// One thread.

#[test]
fn a_counter_counts_both_ways() {
    let counter = Counter::default();
    assert_eq!(counter.get(), 0);
    counter.add();
    assert_eq!(counter.add_by_compare_exchange(), 0, "no other thread was faster");
    assert_eq!(counter.get(), 2);
}

#[test]
fn a_message_is_received_only_after_it_is_sent_and_more_than_once() {
    for value in [0, 1, usize::MAX] {
        let message = Message::default();
        assert_eq!(message.receive(), None);
        message.send(value);
        assert_eq!([message.receive(), message.receive()], [Some(value); 2]);
        let relaxed = RelaxedMessage::default();
        assert_eq!(relaxed.receive(), None);
        relaxed.send(value);
        assert_eq!(relaxed.receive(), Some(value), "right on one thread");
    }
}

#[test]
fn the_second_thread_may_not_enter() {
    for first in [0, 1] {
        let entry = Dekker::default();
        assert!(entry.try_enter(first));
        assert!(!entry.try_enter(1 - first));
    }
    assert!(catch_unwind(|| Dekker::new().try_enter(2)).is_err(), "there are two threads");
}

#[test]
fn only_the_last_owner_is_told_that_it_is_the_last() {
    for owners in [1, 2, 3, 100] {
        let count = ReferenceCount::new(owners);
        let told: Vec<bool> = (0..owners).map(|_| count.release()).collect();
        assert_eq!(told.iter().position(|&last| last), Some(owners - 1), "{owners}");
    }
}

#[test]
fn a_spin_lock_returns_the_result_of_its_work_and_drops_its_value_once() {
    let (first, second) = (Arc::new(1), Arc::new(2));
    let lock = SpinLock::new(first.clone());
    assert_eq!(lock.with(|value| **value), 1);
    assert_eq!(lock.with(|value| std::mem::replace(value, second.clone())), first);
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 2));
    drop(lock);
    assert_eq!(Arc::strong_count(&second), 1);
}

#[test]
fn a_spin_lock_is_released_even_if_its_work_panics() {
    let lock = SpinLock::new(0);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        lock.with(|value| {
            *value = 1;
            panic!("this work panics");
        })
    }));
    assert!(panic.is_err());
    assert_eq!(lock.with(|value| *value), 1, "as it was left");
}

// Two threads at once.

/// Runs `work` on two threads at once, on any cores, so that it also works on a single one.
fn two(work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        scope.spawn(move || work(1));
        work(0);
    });
}

#[test]
fn counters_of_one_step_lose_nothing() {
    let (counter, exchanged) = (Counter::new(), Counter::new());
    two(|_| {
        for _ in 0..300_000 {
            counter.add();
            exchanged.add_by_compare_exchange();
        }
    });
    assert_eq!([counter.get(), exchanged.get()], [600_000; 2]);
}

#[test]
fn a_spin_lock_lets_one_in_at_a_time() {
    let _alone = alone();
    for threads in [1, 2, 4] {
        let lock = SpinLock::new((0_u64, 0_u64));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    for number in 0..50_000 {
                        lock.with(|(count, sum)| (*count, *sum) = (*count + 1, *sum + number));
                        if number % 64 == 0 {
                            thread::yield_now(); // with more threads than cores
                        }
                    }
                });
            }
        });
        assert_eq!(lock.with(|both| *both), (threads * 50_000, threads * (0..50_000).sum::<u64>()));
    }
}

#[test]
fn messages_between_threads_are_complete() {
    let messages: Vec<Message> = (0..10_000).map(|_| Message::new()).collect();
    two(|me| {
        for (number, message) in messages.iter().enumerate() {
            if me == 0 {
                message.send(number + 1);
                continue;
            }
            let received = loop {
                match message.receive() {
                    Some(value) => break value,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(received, number + 1);
        }
    });
}

#[test]
fn one_of_many_owners_is_the_last() {
    for owners in [2, 3, 8] {
        let (count, last) = (ReferenceCount::new(owners), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..owners {
                scope.spawn(|| last.fetch_add(usize::from(count.release()), Ordering::Relaxed));
            }
        });
        assert_eq!(last.into_inner(), 1, "{owners}");
    }
}

#[test]
fn both_locks_add_up_every_addition() {
    for name in Variant::NAMES {
        let variant = Variant::new(name).unwrap();
        let sum = asked(|cores| variant.add(cores, 10_000));
        assert!(sum.is_none_or(|sum| sum == 20_000), "{name}: {sum:?}");
    }
    assert!(Variant::new("rwlock").is_err());
}

/// Runs `ask` on two cores, or returns `None` if this process may use only one.
fn asked<T>(ask: impl FnOnce([usize; 2]) -> io::Result<T>) -> Option<T> {
    let _alone = alone();
    two_cores().ok().map(|cores| ask(cores).unwrap())
}

/// Counts the runs in which two threads both enter by [`Dekker`], and those in which a
/// [`Message`]'s flag arrives before its value.
fn surprises(cores: [usize; 2], runs: usize) -> io::Result<[u64; 2]> {
    Ok([
        both_entered(cores, runs, Dekker::new, Dekker::try_enter)?,
        value_missed(cores, runs, Message::new, Message::send, Message::receive)?,
    ])
}

#[test]
fn with_a_fence_or_an_ordering_the_surprising_results_are_never_seen() {
    // Around the number of runs that are prepared at once, and none.
    for runs in [0, 1, 4095, 4096, 4097, 100_000] {
        assert!(asked(|cores| surprises(cores, runs)).is_none_or(|found| found == [0; 2]));
    }
}

/// The surprising result can be seen, or a count of zero would say nothing.
#[test]
#[cfg(target_arch = "x86_64")]
fn without_a_fence_both_enter() {
    let ask = |cores| both_entered(cores, 500_000, WeakDekker::default, WeakDekker::try_enter);
    assert!(asked(ask).is_none_or(|found| found > 0));
}

/// A message whose flag is raised before its value is written is seen without the value.
#[test]
fn a_flag_before_the_value_is_seen() {
    use perf_proved::concurrency::sharing::litmus::count;
    let send = |message: &[AtomicUsize; 2]| {
        message[1].store(1, Ordering::SeqCst);
        (0..50).for_each(|_| std::hint::spin_loop());
        message[0].store(1, Ordering::SeqCst);
        true
    };
    let read = |message: &[AtomicUsize; 2]| {
        (0..25).for_each(|_| std::hint::spin_loop());
        message[1].load(Ordering::SeqCst) == 1 && message[0].load(Ordering::SeqCst) == 0
    };
    assert!(
        asked(|cores| count(cores, 100_000, Default::default, send, read))
            .is_none_or(|found| found > 0)
    );
}

// The naive versions.

#[test]
fn two_steps_lose_additions_in_any_ordering() {
    let counter = TwoStepCounter::default();
    let lost = asked(|cores| lost_additions(cores, 500_000, || counter.add(), || counter.get()));
    assert!(lost.is_none_or(|lost| lost > 0));
}

/// Returns the CPU time of a thread that waits while another sleeps with the lock.
#[cfg(unix)]
fn waiting(lock: impl Fn(&mut dyn FnMut()) + Sync) -> io::Result<Duration> {
    let (held, waited) = (AtomicUsize::new(0), Mutex::new(Ok(Duration::ZERO)));
    two(|me| match me {
        0 => lock(&mut || {
            held.store(1, Ordering::Release);
            thread::sleep(Duration::from_millis(200));
        }),
        _ => {
            while held.load(Ordering::Acquire) == 0 {
                thread::yield_now();
            }
            let before = cpu::thread();
            lock(&mut || {});
            *waited.lock().unwrap() = before.and_then(|before| Ok(cpu::thread()? - before));
        }
    });
    waited.into_inner().unwrap()
}

/// A machine that is busy with other work may take half of the time away, but not nine tenths.
#[test]
#[cfg(unix)]
fn waiting_for_a_spin_lock_burns_a_core_and_for_a_mutex_does_not() {
    let _alone = alone();
    let (naive, spin, mutex) = (TestAndSet::default(), SpinLock::new(()), Mutex::new(()));
    assert!(waiting(|work| naive.with(work)).unwrap() > Duration::from_millis(20));
    assert!(waiting(|work| spin.with(|()| work())).unwrap() > Duration::from_millis(20));
    let sleeps = waiting(|work| {
        let _held = mutex.lock().unwrap();
        work();
    });
    assert!(sleeps.unwrap() < Duration::from_millis(20));
}

#[test]
#[cfg(target_os = "linux")]
fn a_lock_without_contention_makes_no_system_call() {
    let (naive, spin, mutex) = (TestAndSet::default(), SpinLock::new(0), Mutex::new(0));
    let calls = perf_proved::proof::syscalls::trace(|| {
        for _ in 0..10_000 {
            naive.with(|| spin.with(|value| *value += 1));
            *mutex.lock().unwrap() += 1;
        }
    });
    assert_eq!(calls.unwrap().1.total(), 0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_core_that_does_not_exist_is_an_error_and_no_result() {
    let missing = 1 << 20;
    assert!(both_entered([missing; 2], 10, Dekker::new, Dekker::try_enter).is_err());
    assert!(surprises([missing; 2], 10).is_err());
}
