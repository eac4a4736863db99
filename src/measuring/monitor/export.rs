//! Exporters, each on a thread and a schedule of its own, so that one that is slow, hangs, fails or
//! panics holds up neither the others nor the program.

use super::{Registry, Snapshot};
use crate::concurrency::sync::{Arc, Condvar, Mutex, MutexGuard, thread};
use crate::sys::trying;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
use std::time::{Duration, Instant};
use std::{fmt, io, mem};

/// Takes the numbers of all series to some place.
pub trait Exporter: Send {
    /// Exports `snapshot`. It is called from one thread.
    ///
    /// # Errors
    ///
    /// An error is retried, as the [`Schedule`] says.
    fn export(&mut self, snapshot: &Snapshot) -> io::Result<()>;
}

impl<F: FnMut(&Snapshot) -> io::Result<()> + Send> Exporter for F {
    fn export(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        self(snapshot)
    }
}

/// The times at which an exporter is called.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The time from one export to the next. Not zero.
    pub interval: Duration,
    /// The number of times that an export is tried. Not zero. Then it is dropped: the next one has
    /// newer numbers.
    pub attempts: u32,
    /// The time between two attempts.
    pub pause: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        let (interval, pause) = (Duration::from_secs(10), Duration::from_secs(1));
        Self { interval, attempts: 3, pause }
    }
}

/// The account of an exporter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Exports that succeeded.
    pub exported: u64,
    /// Exports that were given up: every attempt failed, or one panicked.
    pub dropped: u64,
    /// Intervals that had no export, because the one before took too long.
    pub missed: u64,
    /// Attempts that returned an error.
    pub errors: u64,
    /// Attempts that panicked.
    pub panics: u64,
    /// `true` once the exporter has ended. After [`Exporters::stop`], `false` means that it hangs.
    pub ended: bool,
}

/// The running exporters of a registry.
///
/// Dropping it tells the exporters to end and does not wait for them.
pub struct Exporters {
    registry: Registry,
    running: Vec<Running>,
}

struct Running {
    name: String,
    shared: Arc<Shared>,
    thread: thread::JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    /// Notified when `stops` is set, and when the exporter has ended.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Never becomes `false` again.
    stops: bool,
    counts: Counts,
}

impl Exporters {
    /// Creates a group without exporters.
    pub fn new(registry: &Registry) -> Self {
        Self { registry: registry.clone(), running: vec![] }
    }

    /// Starts `exporter` on a thread of its own. Its first export is one interval from now.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a schedule without an interval or an attempt; the system's error if the
    /// thread cannot be started.
    pub fn start(
        &mut self,
        name: &str,
        schedule: Schedule,
        exporter: impl Exporter + 'static,
    ) -> io::Result<()> {
        if schedule.interval.is_zero() || schedule.attempts == 0 {
            let what = format!("the exporter {name} needs an interval and an attempt");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let state = Mutex::new(State::default());
        let shared = Arc::new(Shared { state, changed: Condvar::new() });
        let (registry, theirs) = (self.registry.clone(), shared.clone());
        let body = move || theirs.run(&registry, &schedule, exporter);
        let thread = thread::Builder::new().name("exporter".to_owned()).spawn(body);
        let thread = trying(format_args!("starting the exporter {name}"), thread)?;
        self.running.push(Running { name: name.to_owned(), shared, thread });
        Ok(())
    }

    /// Returns the name and the account of each exporter.
    pub fn counts(&self) -> Vec<(String, Counts)> {
        let count =
            |running: &Running| (running.name.clone(), running.shared.lock().counts.clone());
        self.running.iter().map(count).collect()
    }

    // ANCHOR: stop
    /// Has each exporter export once more, with all that was counted before this call, and
    /// end. Waits for them until `patience` is over; an exporter that hangs is left behind.
    pub fn stop(mut self, patience: Duration) -> Vec<(String, Counts)> {
        self.tell();
        let deadline = Instant::now().checked_add(patience);
        let ended = |one: &Running| one.shared.wait(deadline, |state| state.counts.ended);
        let ended: Vec<bool> = self.running.iter().map(ended).collect();
        let counts = self.counts();
        for (running, ended) in mem::take(&mut self.running).into_iter().zip(ended) {
            if ended {
                // It has nothing left to do, and catches its panics.
                let _ = running.thread.join();
            }
        }
        counts
    }
    // ANCHOR_END: stop

    fn tell(&self) {
        for Running { shared, .. } in &self.running {
            shared.lock().stops = true;
            shared.changed.notify_all();
        }
    }
}

impl Drop for Exporters {
    fn drop(&mut self) {
        self.tell();
    }
}

impl Shared {
    /// Exports on schedule until it is told to stop, and then once more.
    fn run(&self, registry: &Registry, schedule: &Schedule, mut exporter: impl Exporter) {
        let mut next = Instant::now().checked_add(schedule.interval);
        loop {
            let stops = self.sleep_until(next);
            self.export(&registry.snapshot(), schedule, &mut exporter);
            if stops {
                break;
            }
            let now = Instant::now();
            let mut missed = 0;
            while let Some(time) = next.filter(|time| *time <= now) {
                next = time.checked_add(schedule.interval);
                missed += 1;
            }
            self.lock().counts.missed += missed.max(1) - 1; // the first of them was this export
        }
        // Its destructor may hang, or panic, too.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(exporter)));
        let mut state = self.lock();
        state.counts.panics += u64::from(dropped.is_err());
        state.counts.ended = true;
        self.changed.notify_all();
    }

    // ANCHOR: export
    /// Tries to export `snapshot`, as often as the schedule says.
    fn export(&self, snapshot: &Snapshot, schedule: &Schedule, exporter: &mut impl Exporter) {
        for attempt in 1..=schedule.attempts {
            // Not under the lock, so that the counts can be read while it hangs.
            let result = catch_unwind(AssertUnwindSafe(|| exporter.export(snapshot)));
            let mut state = self.lock();
            match result {
                Ok(Ok(())) => {
                    state.counts.exported += 1;
                    return;
                }
                Ok(Err(_)) => state.counts.errors += 1,
                Err(_) => {
                    state.counts.panics += 1;
                    break;
                }
            }
            drop(state);
            if attempt < schedule.attempts {
                self.sleep_until(Instant::now().checked_add(schedule.pause));
            }
        }
        self.lock().counts.dropped += 1;
    }
    // ANCHOR_END: export

    /// Waits until `time`, and returns `true` as soon as it is told to stop.
    fn sleep_until(&self, time: Option<Instant>) -> bool {
        self.wait(time, |state| state.stops)
    }

    /// Waits until `is_so` and returns `true`, or `false` once `time` has passed. `None` never
    /// comes.
    fn wait(&self, time: Option<Instant>, is_so: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        while !is_so(&state) {
            state = match time.map(|time| time.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return false,
                Some(left) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Exporters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.counts()).finish()
    }
}
