//! The limits that keep one client from starving the others.

use std::time::Duration;

/// Bounds on what one client may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The number of connections at a time. One more is answered 503 and closed at once.
    pub connections: usize,
    /// The size of a request's head in bytes. A larger one is answered 414 or 431.
    pub head_bytes: usize,
    /// The time from the first byte of a request's head to its last. A byte now and then does not
    /// extend it: 408.
    pub head: Duration,
    /// The time from one response to the first byte of the next request; after that the connection
    /// is closed.
    pub idle: Duration,
    /// The time for each MiB of a body, and for what is left of it. A body of `n` MiB (rounded up)
    /// holds its thread no longer than `n` times this. A client that reads more slowly than
    /// [`minimum_rate`](Self::minimum_rate) is reset, even if it never stops reading.
    pub body_per_mib: Duration,
}

impl Limits {
    /// Returns the rate in bytes per second at which a client must at least read a body of whole
    /// MiB. What the buffers of the two sockets hold counts as read. Raise
    /// [`body_per_mib`](Self::body_per_mib) for clients on slower lines.
    ///
    /// ```
    /// use perf_proved::zero_copy::sendfile::server::Limits;
    ///
    /// assert_eq!(Limits::default().minimum_rate(), 104_857.6);
    /// ```
    pub fn minimum_rate(&self) -> f64 {
        PIECE as f64 / self.body_per_mib.as_secs_f64()
    }
}

impl Default for Limits {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { connections: 512, head_bytes: 8 << 10, head: ten, idle: ten, body_per_mib: ten }
    }
}

/// The piece of a body that must leave within [`Limits::body_per_mib`], in bytes.
pub(super) const PIECE: u64 = 1 << 20;

/// The time and the number of bytes for which the server goes on reading after its last response.
/// To close with bytes unread would reset the connection, and the client might lose that response.
pub(super) const LINGER: (Duration, usize) = (Duration::from_secs(1), 64 << 10);
