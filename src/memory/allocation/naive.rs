//! The version that everybody writes first. Its faults are pinned by `tests/allocation.rs`:
//!
//! - a page that takes four allocations a line, because it copies what it could borrow and formats into a string of its own
//!   what it could append;
//! - a buffer for each request, which a large request pays for page by page;
//! - a limit that prints, and one that looks now and then: what is allocated between two looks is beyond both.

use super::page::Entry;
use crate::proof::resident;
use std::io;

/// A page whose text is made anew for each request.
pub struct Page {
    /// Its lines.
    pub entries: Vec<Entry>,
    /// How many lines were rendered.
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
/// Says whether the process has grown beyond its limit.
///
/// # Errors
///
/// `Unsupported` where the kernel does not say how much is resident.
pub fn within(limit: u64) -> io::Result<bool> {
    let resident = resident::now()?;
    if resident > limit {
        eprintln!("memory limit exceeded: {resident} of {limit} bytes");
    }
    Ok(resident <= limit)
}
// ANCHOR_END: within

/// Keeps what `request` returns, so many times or until a look at the limit, once in `every`
/// requests, finds it passed. Returns how many bytes beyond the limit the process was at its peak.
///
/// # Errors
///
/// As [`within`].
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
