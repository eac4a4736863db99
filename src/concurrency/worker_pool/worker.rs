//! What a worker does with a job.

use super::metrics::{Clock, Tally};
use super::queue::{Queued, Shared};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

/// Runs one job and counts it; also told is whether it is the last one that the worker has.
pub(super) type Run<J> = dyn Fn(Queued<J>, &Tally, bool) + Send + Sync;

// ANCHOR: run
/// How jobs are run: what panics is caught, what came of it is counted and then delivered, so that
/// whoever receives a result finds it counted.
pub(super) fn running<J, R>(
    work: impl Fn(J) -> R + Send + Sync + 'static,
    deliver: impl Fn(thread::Result<R>) + Send + Sync + 'static,
    clock: Clock,
) -> Arc<Run<J>> {
    Arc::new(move |queued, tally, is_last| {
        let Queued { job, submitted } = queued;
        let result = catch_unwind(AssertUnwindSafe(|| work(job)));
        if is_last || submitted.is_some() {
            tally.time(clock.now(), submitted); // two readings for a job that is sampled, one for a batch
        }
        tally.count(result.is_ok());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| deliver(result))) {
            // What it panicked with may panic when it is dropped.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
                mem::forget(again);
            }
        }
    })
}
// ANCHOR_END: run

/// A worker's life.
pub(super) fn work<J>(shared: &Shared<J>, place: usize, run: &Run<J>) {
    while let Some((queued, is_last)) = shared.next(place) {
        run(queued, shared.tally(place), is_last);
    }
}
