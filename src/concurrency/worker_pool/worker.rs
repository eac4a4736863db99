//! Running jobs: panics, counts, delivery.

use super::metrics::{Clock, Tally};
use super::queue::{Queued, Shared};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

/// Runs one job and counts it in the worker's tally. The flag says whether it is the last job that
/// the worker has: the clock is read after it.
pub(super) type Run<J> = dyn Fn(Queued<J>, &Tally, bool) + Send + Sync;

// ANCHOR: run
/// Combines `work` and `deliver` into the function that runs a job. It catches a panic,
/// and counts a result before it delivers it, so that the receiver finds it counted.
pub(super) fn runner<J, R>(
    work: impl Fn(J) -> R + Send + Sync + 'static,
    deliver: impl Fn(thread::Result<R>) + Send + Sync + 'static,
    clock: Clock,
) -> Arc<Run<J>> {
    Arc::new(move |queued, tally, is_last| {
        let Queued { job, submitted } = queued;
        let result = catch_unwind(AssertUnwindSafe(|| work(job)));
        if is_last || submitted.is_some() {
            tally.time(clock.now(), submitted);
        }
        tally.count(result.is_ok());
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| deliver(result))) {
            // Dropping the payload may panic in turn.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
                mem::forget(again);
            }
        }
    })
}
// ANCHOR_END: run

/// Runs jobs as worker `index` until the pool is closed and has none left.
pub(super) fn work<J>(shared: &Shared<J>, index: usize, run: &Run<J>) {
    let tally = shared.tally(index);
    let mut is_timed = true;
    loop {
        let next = shared.next_local(index).or_else(|| {
            if !is_timed {
                // The jobs behind the last one were stolen or canceled while it ran, so that it
                // turned out to be the last of its batch.
                tally.time(shared.clock().now(), None);
            }
            shared.wait_for_work(index)
        });
        let Some((queued, is_last)) = next else { return };
        is_timed = is_last;
        run(queued, tally, is_last);
    }
}
