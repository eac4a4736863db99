//! What a pool counts: each worker in lines of its own, which it alone writes, so that counting is
//! a load and a store.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Parts of a doubling: a bucket is at most 1/16 as wide as the values in it.
const PARTS: u64 = 16;
/// Values up to 2^40 ns, 18 minutes, have buckets; the last one holds what is above as well.
const BUCKETS: usize = (PARTS * (40 - PARTS.ilog2() as u64 + 1)) as usize;

/// What has become of a pool's jobs. `submitted = run + failed + returned + queued` and those that
/// are being run.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Jobs that were accepted.
    pub submitted: u64,
    /// Those of them that have been run.
    pub run: u64,
    /// That panicked.
    pub failed: u64,
    /// That [`cancel`](super::WorkerPool::cancel) returned.
    pub returned: u64,
    /// That were not begun: in the queue, or in a worker's batch.
    pub queued: u64,
    /// When a job was last done, of those after which the clock is read: each that is sampled, and
    /// the last of each batch, unless that one was taken by another worker or returned. `None`
    /// before the first of them.
    pub last_processed: Option<Instant>,
    /// How long jobs took from their submission, waiting for room included, to their end: of one in
    /// 13.
    pub latency: Latency,
}

/// How often which time was seen, to within 1/16 of it.
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
    /// How many times were measured.
    pub fn samples(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The time that this share of the jobs, from 0 to 1, did not exceed: the upper end of its
    /// bucket, and in the last one, 18 minutes, perhaps more. `None` without a sample.
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

/// Which bucket a time belongs to: exact below [`PARTS`], then so many a doubling.
fn bucket(nanoseconds: u64) -> usize {
    let doublings = nanoseconds.max(PARTS).ilog2() - PARTS.ilog2();
    let index = u64::from(doublings) * PARTS + (nanoseconds >> doublings);
    usize::try_from(index).map_or(BUCKETS - 1, |index| index.min(BUCKETS - 1))
}

/// The largest time in it.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let doublings = (bucket / PARTS).saturating_sub(1);
    ((bucket - doublings * PARTS + 1) << doublings) - 1
}

/// A moment, in nanoseconds since a pool's start, and one more.
pub(super) type Stamp = NonZero<u64>;

/// A pool's time.
#[derive(Clone, Copy)]
pub(super) struct Clock(Instant);

impl Clock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(self) -> Stamp {
        let nanoseconds = u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX); // in 584 years
        Stamp::MIN.saturating_add(nanoseconds)
    }
}

/// What one worker has counted. It alone writes, so nothing is added to while another one adds; all
/// is relaxed, because who wants to see a count has got the result or the lock that came after it.
pub(super) struct Tally {
    run: AtomicU64,
    failed: AtomicU64,
    /// A [`Stamp`], or 0.
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

    pub(super) fn count(&self, is_ok: bool) {
        increment(if is_ok { &self.run } else { &self.failed });
    }

    pub(super) fn time(&self, now: Stamp, submitted: Option<Stamp>) {
        self.last.store(now.get(), Relaxed);
        if let Some(submitted) = submitted {
            increment(&self.latencies[bucket(now.get().saturating_sub(submitted.get()))]);
        }
    }

    pub(super) fn add_to(&self, metrics: &mut Metrics) {
        metrics.run += self.run.load(Relaxed);
        metrics.failed += self.failed.load(Relaxed);
        if let Some(last) = Stamp::new(self.last.load(Relaxed)) {
            let last = self.clock.0 + Duration::from_nanos(last.get() - 1);
            metrics.last_processed = metrics.last_processed.max(Some(last));
        }
        for (sum, count) in metrics.latency.buckets.iter_mut().zip(&self.latencies) {
            *sum += count.load(Relaxed);
        }
    }
}

fn increment(count: &AtomicU64) {
    count.store(count.load(Relaxed) + 1, Relaxed);
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
}
