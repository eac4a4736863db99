//! The load of the techniques that are watched.

use crate::measuring::monitor::{Buckets, RegisterError};
use std::f64::consts::TAU;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

/// A load that rises and falls, so that there is something to see.
pub(super) struct Load {
    pub(super) start: Instant,
    pub(super) stop: Arc<AtomicBool>,
}

impl Load {
    /// Returns a share from 0.1 to 1 that goes up and down every 20 s, or `None` at the end.
    pub(super) fn share(&self) -> Option<f64> {
        let phase = self.start.elapsed().as_secs_f64() / 20.0;
        let is_over = self.stop.load(Ordering::Relaxed); // no data depends on it
        (!is_over).then(|| 0.55 - 0.45 * (TAU * phase).cos())
    }
}

/// Starts a thread that runs `work` until the load ends.
pub(super) fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name("watched".to_owned()).spawn(work).map(drop)
}

/// Converts the refusal of a metric.
pub(super) fn refused(error: RegisterError) -> io::Error {
    io::Error::other(error)
}

/// Returns the bounds of times from 1 µs to 4 s.
pub(super) fn seconds() -> io::Result<Buckets> {
    Buckets::exponential(1e-6, 2.0, 23).map_err(refused)
}
