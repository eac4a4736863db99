//! What a worker does.

use super::{Shared, lock};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::thread;

/// How often a worker that finds nothing looks again before it sleeps. It yields its core in between, and a model does not look.
const LOOKS: u32 = if cfg!(loom) { 0 } else { 16 };

/// What one worker has done. Nobody else writes it.
#[derive(Default)]
pub(super) struct Counts {
    pub run: AtomicU64,
    pub failed: AtomicU64,
}

impl<J> Shared<J> {
    pub(super) fn work_until_closed(&self, number: usize) {
        let mut batch = VecDeque::with_capacity(self.settings.batch.min(1 << 16));
        while self.take(&mut batch) {
            while let Some(job) = batch.pop_front() {
                (self.run)(job, &self.counts[number]);
                if self.cancelled.load(Relaxed) {
                    break;
                }
            }
            if !batch.is_empty() {
                lock(&self.state).queue.extend(batch.drain(..)); // for `cancel`, which waits for this worker
            }
        }
    }

    // ANCHOR: take
    /// Takes jobs if there are any, or waits for them. Says `false` if there will be none.
    fn take(&self, batch: &mut VecDeque<J>) -> bool {
        for _ in 0..LOOKS {
            if self.ready.load(Relaxed) > 0 {
                break;
            }
            thread::yield_now();
        }
        let mut state = lock(&self.state);
        while state.queue.is_empty() && !state.closed {
            state.asleep += 1;
            state = self.jobs.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep -= 1;
            state.woken = state.woken.saturating_sub(1);
        }
        if self.cancelled.load(Relaxed) {
            return false;
        }
        let share = state.queue.len().div_ceil(self.settings.workers).min(self.settings.batch);
        batch.extend(state.queue.drain(..share));
        self.ready.store(state.queue.len(), Relaxed);
        // A submitter that waits is not woken for each job, but when half of the queue is free.
        let wake = state.waiting && state.queue.len() <= self.settings.queue / 2;
        state.waiting &= !wake;
        drop(state);
        if wake {
            self.room.notify_all();
        }
        share > 0
    }
    // ANCHOR_END: take
}

/// What is done with a job.
pub(super) type Run<J> = dyn Fn(J, &Counts) + Send + Sync;

// ANCHOR: run
/// Runs a job and delivers its result. Neither a panic of `work` nor one of `deliver` ends the worker.
pub(super) fn running<J, R>(
    work: impl Fn(J) -> R + Send + Sync + 'static,
    deliver: impl Fn(thread::Result<R>) + Send + Sync + 'static,
) -> Box<Run<J>> {
    Box::new(move |job, counts| {
        let result = catch_unwind(AssertUnwindSafe(|| work(job)));
        let count = if result.is_ok() { &counts.run } else { &counts.failed };
        // This thread alone writes it. Pairs with the loads in `metrics`: what is counted here was submitted.
        count.store(count.load(Relaxed) + 1, Release);
        let _ = catch_unwind(AssertUnwindSafe(|| deliver(result)));
    })
}
// ANCHOR_END: run
