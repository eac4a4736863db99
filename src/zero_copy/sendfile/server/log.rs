//! Reporting errors without letting the report end the server.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// A function that is told of each error: the client, unless none was accepted yet, and the error.
pub(crate) type Report = dyn Fn(Option<SocketAddr>, &io::Error) + Send + Sync;

/// Counts errors and hands them to a [`Report`].
pub(crate) struct Log {
    report: Box<Report>,
    failed: AtomicU64,
}

impl Log {
    pub(crate) fn new(report: Box<Report>) -> Self {
        Self { report, failed: AtomicU64::new(0) }
    }

    /// Reports `error`. A report that panics, as `eprintln!` does where standard error cannot be
    /// written to, loses this error and nothing else.
    pub(crate) fn error(&self, peer: Option<SocketAddr>, error: &io::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed); // a count, which publishes nothing
        // A panic has gone to the panic hook; there is no other place left to report it to.
        let _ = catch_unwind(AssertUnwindSafe(|| (self.report)(peer, error)));
    }

    /// Returns the number of errors so far.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed) // a count only
    }
}
