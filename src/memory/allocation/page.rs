//! A page of text, rendered for each request into memory that is kept.

use std::fmt::Write;

/// A line of the page.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was asked for.
    pub path: String,
    /// How it was answered.
    pub status: u16,
    /// How much was sent.
    pub bytes: u64,
}

impl Entry {
    /// So many entries for an experiment.
    pub fn some(count: u64) -> Vec<Self> {
        (0..count)
            .map(|number| Self { path: format!("/{number:08}"), status: 200, bytes: number })
            .collect()
    }
}

/// The entries, and the text that they were last rendered to.
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
    /// Emptied by each rendering, and never given back.
    text: String,
}

impl Page {
    /// A page of these entries.
    pub fn new(entries: Vec<Entry>) -> Self {
        Self { entries, text: String::new() }
    }

    // ANCHOR: render
    /// Renders the page. Allocates only while the text is longer than any before.
    pub fn render(&mut self) -> &str {
        let Self { entries, text } = self; // two fields, so two borrows: nothing to clone
        text.clear();
        for Entry { path, status, bytes } in entries.iter() {
            // A `String` refuses nothing: `write!` fails only if a `Display` does, and these don't.
            let _ = writeln!(text, "{path} {status} {bytes}");
        }
        text
    }
    // ANCHOR_END: render
}
