//! A picture of a type in memory: one character per byte, one row per cache line.

use std::fmt::Write as _;
use std::ops::Range;

#[doc(hidden)]
pub use memoffset::span_of;

/// A cache line of most processors, in bytes (Apple's have 128): the width of a
/// [picture](Shape::picture).
pub const LINE: usize = 64;

/// The layout of a type, as [`layout!`](crate::layout!) found it in this build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The type, as written in the source.
    pub name: &'static str,
    /// Its size in bytes, padding included.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// Its fields and their bytes, in the order in which they were listed.
    pub fields: Vec<(&'static str, Range<usize>)>,
}

/// Returns the layout of a struct as a [`Shape`](crate::memory::layout::picture::Shape). Every
/// field must be named, or it does not compile: an omitted field would look like padding.
///
/// ```
/// use perf_proved::layout;
///
/// #[repr(C)]
/// struct Event { kind: u8, at: u32 }
///
/// let shape = layout!(Event { kind, at });
/// assert_eq!((shape.size, shape.padding()), (8, 3));
/// assert_eq!(shape.holes(), [1..4]);
/// ```
// ANCHOR: layout
#[macro_export]
macro_rules! layout {
    ($type:path { $($field:tt),+ $(,)? }) => {{
        let _every_field = |value: $type| { let $type { $($field: _),+ } = value; };
        $crate::memory::layout::picture::Shape {
            name: stringify!($type),
            size: size_of::<$type>(),
            align: align_of::<$type>(),
            fields: vec![$((
                stringify!($field),
                $crate::memory::layout::picture::span_of!($type, $field),
            )),+],
        }
    }};
}
// ANCHOR_END: layout

impl Shape {
    /// Returns the number of bytes that belong to no field.
    pub fn padding(&self) -> usize {
        self.holes().iter().map(|hole| hole.len()).sum()
    }

    /// Returns the bytes that belong to no field, one range per hole.
    // ANCHOR: holes
    pub fn holes(&self) -> Vec<Range<usize>> {
        let mut spans: Vec<_> = self.fields.iter().map(|(_, span)| span.clone()).collect();
        // By both ends, so that an empty field comes before its neighbor.
        spans.sort_by_key(|span| (span.start, span.end));
        spans.push(self.size..self.size); // makes a hole of the bytes after the last field
        let ends = [0].into_iter().chain(spans.iter().map(|span| span.end));
        ends.zip(&spans)
            .map(|(end, next)| end..next.start)
            .filter(|hole| !hole.is_empty())
            .collect()
    }
    // ANCHOR_END: holes

    /// Draws an array of `values` values that starts at a cache line: a letter for each field in
    /// the order of the list, a dot for padding, a capital letter at the start of each value.
    pub fn picture(&self, values: usize) -> String {
        let mut one = vec!['·'; self.size];
        let Self { name, size, align, .. } = self;
        let mut out =
            format!("{name}: {size} bytes, aligned to {align}, padding {}\n      ", self.padding());
        for ((name, span), letter) in self.fields.iter().zip('a'..) {
            one[span.clone()].fill(letter);
            let _ = write!(out, " {letter} {name} {}..{}", span.start, span.end);
        }
        if let Some(first) = one.first_mut() {
            first.make_ascii_uppercase();
        }
        let cells = one.repeat(values);
        for (number, line) in cells.chunks(LINE).enumerate() {
            let _ = write!(out, "\n{:>6} ", number * LINE);
            line.chunks(8).for_each(|word| out.extend(['|'].iter().chain(word)));
            out.push('|');
        }
        out
    }
}
