//! A page of text that each request renders into the same buffer.

use std::fmt::Write;

/// A line of the page.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The path of the request.
    pub path: String,
    /// The status of the response.
    pub status: u16,
    /// The bytes that were sent.
    pub bytes: u64,
}

impl Entry {
    /// Returns `count` entries for an experiment.
    pub fn some(count: u64) -> Vec<Self> {
        (0..count)
            .map(|number| Self { path: format!("/{number:08}"), status: 200, bytes: number })
            .collect()
    }
}

/// The entries, and the buffer for their text.
///
/// ```
/// use perf_proved::memory::allocation::page::{Entry, Page};
///
/// let mut page = Page::new(vec![Entry { path: "/".to_owned(), status: 200, bytes: 12 }]);
/// assert_eq!(page.render(), "/ 200 12\n");
/// ```
#[derive(Debug)]
pub struct Page {
    entries: Vec<Entry>,
    /// Cleared by each rendering and never freed.
    text: String,
}

impl Page {
    /// Creates a page of these entries.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, text: String::new() }
    }

    // ANCHOR: render
    /// Renders the page. Allocates only if the text is longer than ever before.
    pub fn render(&mut self) -> &str {
        let Self { entries, text } = self; // two borrows of two fields: nothing to clone
        text.clear();
        for Entry { path, status, bytes } in entries.iter() {
            // Writing to a `String` cannot fail; only a `Display` implementation could,
            // and these do not.
            let _ = writeln!(text, "{path} {status} {bytes}");
        }
        text
    }
    // ANCHOR_END: render
}
