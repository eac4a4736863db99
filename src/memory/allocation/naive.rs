//! The version that everyone writes first. `tests/allocation.rs` pins its faults:
//!
//! - a page that makes four allocations per line, because it clones entries that it could borrow
//!   and formats strings that it could append;
//! - a buffer per request, for which a large request pays page by page;
//! - a limit that only prints, and one that checks now and then: both miss allocations in between.

use super::page::Entry;
use crate::sys::resident;
use std::io;

/// A page that creates its text for each request.
pub struct Page {
    /// The entries, one per line.
    pub entries: Vec<Entry>,
    /// The number of lines rendered so far.
    pub lines: u64,
}

// ANCHOR: naive
impl Page {
    /// Renders the page.
    pub fn render(&mut self) -> String {
        let mut text = String::new();
        // Without the clone: "cannot borrow `*self` as mutable" (E0502).
        for entry in self.entries.clone() {
            text.push_str(&self.line(&entry));
        }
        text
    }

    fn line(&mut self, entry: &Entry) -> String {
        self.lines += 1;
        let status = entry.status.to_string();
        format!("{} {status} {}\n", entry.path, entry.bytes)
    }
}
// ANCHOR_END: naive

// ANCHOR: within
/// Returns `true` if the resident memory of the process is within `limit`.
///
/// # Errors
///
/// `Unsupported` if the kernel does not report the resident memory.
pub fn within(limit: u64) -> io::Result<bool> {
    let resident = resident::now()?;
    if resident > limit {
        eprintln!("memory limit exceeded: {resident} of {limit} bytes");
    }
    Ok(resident <= limit)
}
// ANCHOR_END: within

/// Serves `requests` requests and keeps their results, but stops if the limit is exceeded, which it
/// checks once per `every` requests. Returns the bytes by which the peak of the process exceeded
/// the limit.
///
/// # Errors
///
/// See [`within`].
pub fn serve<T>(
    limit: u64,
    every: usize,
    requests: usize,
    mut request: impl FnMut() -> T,
) -> io::Result<u64> {
    let mut kept = Vec::with_capacity(requests);
    for number in 0..requests {
        if number % every == 0 && !within(limit)? {
            break;
        }
        kept.push(request());
    }
    Ok(resident::peak()?.saturating_sub(limit))
}
