//! Waiting for file descriptors with a deadline: `ppoll(2)`.

use std::io;
use std::time::{Duration, Instant};

/// Waits until one of `these` is ready or broken, or `deadline` has passed. The deadline is
/// absolute, so neither a signal nor a peer that sends a byte per second can postpone it.
///
/// # Errors
///
/// `TimedOut` if the deadline has passed; otherwise the errors of `ppoll(2)`.
pub(crate) fn wait(these: &mut [libc::pollfd], deadline: Instant) -> io::Result<()> {
    loop {
        let left =
            deadline.saturating_duration_since(Instant::now()).min(Duration::from_secs(1 << 30));
        let time =
            libc::timespec { tv_sec: left.as_secs() as _, tv_nsec: left.subsec_nanos() as _ };
        let count = these.len() as libc::nfds_t;
        // SAFETY: `these` is a live, writable array of `count`, `time` is live, and a null mask
        // changes no signal.
        let ready =
            unsafe { libc::ppoll(these.as_mut_ptr(), count, &raw const time, std::ptr::null()) };
        match super::error::cvt(ready) {
            Ok(0) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed"));
            }
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
