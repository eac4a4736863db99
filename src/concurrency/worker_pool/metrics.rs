//! A pool's counts. Each worker counts in cache lines of its own, which no other thread writes, so
//! that counting takes a load and a store.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Buckets per doubling: a bucket is at most 1/16 as wide as the values in it.
const PARTS: u64 = 16;
/// Number of buckets. They reach to 2^40 ns, about 18 minutes; the last one also holds all longer
/// times.
const BUCKETS: usize = (PARTS * (40 - PARTS.ilog2() as u64 + 1)) as usize;

/// The account of a pool's jobs.
///
/// The counts can be read while jobs run, and always account for every job: `submitted` exceeds
/// `run + failed + returned + queued` by the jobs in progress, of which each worker has one at
/// most. They are not a snapshot of one moment. `submitted`, `returned` and the length of the
/// shared queue are, and no job moves from one queue to another while they are read; but each
/// worker's counts are of a moment of their own, one worker after the other.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Jobs accepted.
    pub submitted: u64,
    /// Jobs that ran to their end.
    pub run: u64,
    /// Jobs that panicked.
    pub failed: u64,
    /// Jobs returned by [`cancel`](super::WorkerPool::cancel).
    pub returned: u64,
    /// Jobs accepted and not begun, in the shared queue or in a worker's batch.
    pub queued: u64,
    /// The time at which a job last ended, or `None` before the first.
    ///
    /// The clock is read after one job in 13, and after a worker's last: when its batch is done,
    /// the rest of its batch stolen or canceled. So this is exact once the workers have nothing to
    /// do; in the middle of a batch, up to 12 jobs of each worker may have ended since.
    pub last_processed: Option<Instant>,
    /// Latencies from submission, any wait for room included, to the end of the job, of one job in
    /// 13. A job that is just ending may be counted here before it is counted in `run`.
    pub latency: Latency,
}

/// A histogram of times, each known to within 1/16.
#[derive(Clone, Debug)]
pub struct Latency {
    buckets: Box<[u64]>,
}

impl Default for Latency {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS].into() }
    }
}

impl Latency {
    /// Returns the number of times measured.
    pub fn samples(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Returns the time that the fraction `share` of the samples, from 0 to 1, did not exceed: the
    /// upper end of its bucket. `None` without a sample.
    ///
    /// The last bucket, which ends at 18 minutes, also holds longer times.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let samples = self.samples();
        // Exact below 2^53 samples.
        let rank = ((samples as f64 * share).ceil() as u64).clamp(1, samples.max(1));
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            seen >= rank
        };
        self.buckets.iter().position(reached).map(|bucket| Duration::from_nanos(upper(bucket)))
    }
}

/// Returns the index of the bucket of a time: one bucket per nanosecond below [`PARTS`], then
/// `PARTS` buckets per doubling.
fn bucket(nanoseconds: u64) -> usize {
    let doublings = nanoseconds.max(PARTS).ilog2() - PARTS.ilog2();
    let index = u64::from(doublings) * PARTS + (nanoseconds >> doublings);
    usize::try_from(index).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

/// Returns the largest time in a bucket, in nanoseconds.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / PARTS).saturating_sub(1);
    ((bucket - doublings * PARTS + 1) << doublings) - 1
}

/// A moment: nanoseconds since the pool's start, plus one.
pub(super) type Stamp = NonZero<u64>;

/// The clock of a pool, which begins at its start.
#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Stamp {
        // Saturates after 584 years.
        let nanoseconds = u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Stamp::MIN.saturating_add(nanoseconds)
    }
}

/// The counts of one worker, which alone writes them, so that no update is lost without a
/// read-modify-write.
///
/// All operations are relaxed and pair with none: a thread that expects to see a count has received
/// the job's result, or holds a lock, which orders the count before it.
pub(super) struct Tally {
    run: AtomicU64,
    failed: AtomicU64,
    /// The [`Stamp`] of the last reading of the clock, or 0.
    last: AtomicU64,
    latencies: Box<[AtomicU64]>,
    clock: Clock,
}

impl Tally {
    pub(super) fn new(clock: Clock) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            run: zero(),
            failed: zero(),
            last: zero(),
            latencies: (0..BUCKETS).map(|_| zero()).collect(),
            clock,
        }
    }

    /// Counts a job that has ended.
    pub(super) fn count(&self, is_ok: bool) {
        increment(if is_ok { &self.run } else { &self.failed });
    }

    /// Notes that a job has ended at `now`, and its latency if it has a time of submission.
    pub(super) fn time(&self, now: Stamp, submitted: Option<Stamp>) {
        self.last.store(now.get(), Ordering::Relaxed); // one writer; see `Tally`
        if let Some(submitted) = submitted {
            increment(&self.latencies[bucket(now.get().saturating_sub(submitted.get()))]);
        }
    }

    pub(super) fn add_to(&self, metrics: &mut Metrics) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed); // see `Tally`
        metrics.run += read(&self.run);
        metrics.failed += read(&self.failed);
        if let Some(last) = Stamp::new(read(&self.last)) {
            let last = self.clock.0 + Duration::from_nanos(last.get() - 1);
            metrics.last_processed = metrics.last_processed.max(Some(last));
        }
        for (sum, count) in metrics.latency.buckets.iter_mut().zip(&self.latencies) {
            *sum += read(count);
        }
    }
}

fn increment(count: &AtomicU64) {
    // One writer; see `Tally`.
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_times_to_within_a_sixteenth() {
        for time in (0..1 << 16)
            .chain((16..40).flat_map(|power| [(1 << power) - 1, 1 << power, (1 << power) + 1]))
        {
            let top = upper(bucket(time));
            assert!(top >= time && top - time <= time / PARTS, "{time} in a bucket up to {top}");
            assert!(
                time == 0
                    || bucket(time - 1) == bucket(time)
                    || upper(bucket(time - 1)) == time - 1
            );
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn a_quantile_is_the_upper_end_of_the_bucket_that_reaches_it() {
        let mut latency = Latency::default();
        assert_eq!((latency.samples(), latency.quantile(0.5)), (0, None));
        [3, 3, 7, 1000].iter().for_each(|&time| latency.buckets[bucket(time)] += 1);
        assert_eq!(latency.samples(), 4);
        let upper = Duration::from_nanos(upper(bucket(1000)));
        let [three, seven] = [3, 7].map(Duration::from_nanos);
        for (share, time) in
            [(0.0, three), (0.5, three), (0.51, seven), (0.75, seven), (0.76, upper), (1.0, upper)]
        {
            assert_eq!(latency.quantile(share), Some(time), "{share}");
        }
    }
}
