//! The pieces do what their documentation says, one thread at a time and two at once, and the naive
//! ones fail in the way that it lists. What every interleaving may do is the models' to say
//! (`tests/loom/sharing.rs`).

use perf_proved::concurrency::sharing::counter::Counter;
use perf_proved::concurrency::sharing::doors::Doors;
use perf_proved::concurrency::sharing::letter::Letter;
use perf_proved::concurrency::sharing::litmus::{both_entered, old_text};
use perf_proved::concurrency::sharing::naive::{AnyOrder, TestAndSet, TwoStepCounter};
use perf_proved::concurrency::sharing::owners::Owners;
use perf_proved::concurrency::sharing::spin::SpinLock;
use perf_proved::concurrency::sharing::{Needed, Orderings};
use perf_proved::measuring::limits::two_cores;
#[cfg(unix)]
use perf_proved::proof::cpu;
use perf_proved::sys::cores::together;
use perf_proved_tests::alone;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
#[cfg(unix)]
use std::time::Duration;
use std::{io, thread};

// One thread at a time.

#[test]
fn a_counter_counts_both_ways() {
    let counter = Counter::<Needed>::default();
    assert_eq!(counter.get(), 0);
    counter.add();
    assert_eq!(counter.add_by_exchange(), 0, "nobody was faster");
    assert_eq!(counter.get(), 2);
}

#[test]
fn a_letter_is_read_once_it_is_sent_and_again() {
    for text in [0, 1, usize::MAX] {
        let letter = Letter::<Needed>::default();
        assert_eq!(letter.read(), None);
        letter.send(text);
        assert_eq!([letter.read(), letter.read()], [Some(text); 2]);
    }
}

#[test]
fn whoever_comes_second_stays_outside() {
    for first in [0, 1] {
        let doors = Doors::<Needed>::default();
        assert!(doors.enter(first));
        assert!(!doors.enter(1 - first));
    }
    assert!(catch_unwind(|| Doors::<Needed>::new().enter(2)).is_err(), "there are two doors");
}

#[test]
fn the_last_owner_is_told_so_and_nobody_else() {
    for owners in [1, 2, 3, 100] {
        let left = Owners::<Needed>::new(owners);
        let told: Vec<bool> = (0..owners).map(|_| left.leave()).collect();
        assert_eq!(told.iter().position(|&last| last), Some(owners - 1), "{owners}");
    }
}

#[test]
fn a_spin_lock_returns_what_its_work_does_and_drops_its_value_once() {
    let (first, second) = (Arc::new(1), Arc::new(2));
    let lock = SpinLock::<_>::new(first.clone());
    assert_eq!(lock.with(|value| **value), 1);
    assert_eq!(lock.with(|value| std::mem::replace(value, second.clone())), first);
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 2));
    drop(lock);
    assert_eq!(Arc::strong_count(&second), 1);
}

#[test]
fn a_spin_lock_is_given_back_by_work_that_panics() {
    let lock = SpinLock::<_>::new(0);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        lock.with(|value| {
            *value = 1;
            panic!("this work panics");
        })
    }));
    assert!(panic.is_err());
    assert_eq!(lock.with(|value| *value), 1, "as it was left");
}

// Two at once.

/// What two threads do at once, on any cores, so that it runs on one too.
fn two(work: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        let work = &work;
        scope.spawn(move || work(1));
        work(0);
    });
}

#[test]
fn counters_of_one_step_lose_nothing() {
    let (counter, exchanged) = (Counter::<Needed>::new(), Counter::<Needed>::new());
    two(|_| {
        for _ in 0..300_000 {
            counter.add();
            exchanged.add_by_exchange();
        }
    });
    assert_eq!([counter.get(), exchanged.get()], [600_000; 2]);
}

#[test]
fn a_spin_lock_lets_one_in_at_a_time() {
    let _alone = alone();
    for threads in [1, 2, 4] {
        let lock = SpinLock::<_>::new((0_u64, 0_u64));
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
fn letters_between_threads_are_whole() {
    let letters: Vec<Letter> = (0..10_000).map(|_| Letter::new()).collect();
    two(|me| {
        for (number, letter) in letters.iter().enumerate() {
            match me {
                0 => letter.send(number + 1),
                _ => assert_eq!(
                    std::iter::repeat_with(|| {
                        thread::yield_now();
                        letter.read()
                    })
                    .flatten()
                    .next(),
                    Some(number + 1)
                ),
            }
        }
    });
}

#[test]
fn of_many_owners_one_is_last() {
    for owners in [2, 3, 8] {
        let (left, last) = (Owners::<Needed>::new(owners), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..owners {
                scope.spawn(|| last.fetch_add(usize::from(left.leave()), Ordering::Relaxed));
            }
        });
        assert_eq!(last.into_inner(), 1, "{owners}");
    }
}

/// `None` where one core is all there is.
fn asked<T>(ask: impl FnOnce([usize; 2]) -> io::Result<T>) -> Option<T> {
    let _alone = alone();
    two_cores().ok().map(|cores| ask(cores).unwrap())
}

#[test]
fn with_a_fence_or_an_ordering_the_odd_answers_are_never_seen() {
    // Around the number of runs that are prepared at once, and none.
    for runs in [0, 1, 4095, 4096, 4097, 100_000] {
        assert!(asked(|cores| both_entered::<Needed>(cores, runs)).is_none_or(|found| found == 0));
        assert!(asked(|cores| old_text::<Needed>(cores, runs)).is_none_or(|found| found == 0));
    }
}

/// The question can be answered with yes, or a count of none would say nothing.
#[test]
#[cfg(target_arch = "x86_64")]
fn without_a_fence_both_go_in() {
    assert!(asked(|cores| both_entered::<AnyOrder>(cores, 500_000)).is_none_or(|found| found > 0));
}

/// A letter whose flag goes first is seen to be empty.
#[test]
fn a_flag_before_the_letter_is_seen() {
    use perf_proved::concurrency::sharing::litmus::count;
    let send = |letter: &[AtomicUsize; 2]| {
        letter[1].store(1, Ordering::SeqCst);
        (0..50).for_each(|_| std::hint::spin_loop());
        letter[0].store(1, Ordering::SeqCst);
        true
    };
    let read = |letter: &[AtomicUsize; 2]| {
        (0..25).for_each(|_| std::hint::spin_loop());
        letter[1].load(Ordering::SeqCst) == 1 && letter[0].load(Ordering::SeqCst) == 0
    };
    assert!(
        asked(|cores| count(cores, 100_000, Default::default, send, read))
            .is_none_or(|found| found > 0)
    );
}

// What the naive ones do.

#[test]
fn two_steps_lose_additions_in_any_ordering() {
    let counter = TwoStepCounter::default();
    let lost = asked(|cores| {
        together(&cores, |_| (0..500_000).for_each(|_| counter.add()))?;
        Ok(1_000_000 - counter.get())
    });
    assert!(lost.is_none_or(|lost| lost > 0));
}

/// The CPU time of one thread that waits while another one sleeps with the lock.
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

/// A machine that does much else may take half of the time away, not nine tenths.
#[test]
#[cfg(unix)]
fn who_waits_for_a_spin_lock_burns_a_core_and_for_a_mutex_does_not() {
    let _alone = alone();
    let (naive, spin, mutex) = (TestAndSet::default(), SpinLock::<_>::new(()), Mutex::new(()));
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
fn a_lock_that_nobody_else_holds_asks_the_kernel_for_nothing() {
    let (naive, spin, mutex) = (TestAndSet::default(), SpinLock::<_>::new(0), Mutex::new(0));
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
fn a_core_that_is_not_there_is_an_error_and_no_answer() {
    let missing = 1 << 20;
    assert!(both_entered::<Needed>([missing; 2], 10).is_err());
    assert!(old_text::<Needed>([missing; 2], 10).is_err());
}

/// The naive orderings are right where a data race would follow: at the lock.
#[test]
fn the_naive_orderings_keep_the_lock_sound() {
    assert_eq!([AnyOrder::LOCK, AnyOrder::UNLOCK], [Ordering::Acquire, Ordering::Release]);
}
