//! The witness of a benchmark of two cores: the trip of a cache line between them, right before and
//! right after.
//!
//! The distance of two cores can change while a bench runs: a hypervisor moves its guest's cores.
//! Then the same code takes several times as long, and no statistics over its samples can tell.

use perf_proved::measuring::limits::lines;
use std::io;

/// The number of measurements, of which the fastest counts: a thread that was descheduled makes
/// trips longer, and nothing makes them shorter.
const TIMES: usize = 5;

/// The number of round trips in one measurement.
const TRIPS: u64 = 1000;

/// Returns the time of a line's round trip between two cores, in ns. It takes a few ms.
///
/// # Errors
///
/// See [`lines::line_trips`].
pub(crate) fn round_trip(cores: [usize; 2]) -> io::Result<f64> {
    let one = |_| Ok(lines::line_trips(cores, TRIPS)?.as_nanos() as f64 / TRIPS as f64);
    let trips = (0..TIMES).map(one).collect::<io::Result<Vec<f64>>>()?;
    Ok(trips.into_iter().fold(f64::INFINITY, f64::min))
}
