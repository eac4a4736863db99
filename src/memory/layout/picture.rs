//! A picture of a type in memory: one character a byte, one row a cache line.

use std::fmt::Write as _;
use std::ops::Range;

#[doc(hidden)]
pub use memoffset::span_of;

/// A cache line of most processors, in bytes (Apple's have 128): the width of a
/// [picture](Shape::picture).
pub const LINE: usize = 64;

/// Where the fields of a type lie, as [`layout!`](crate::layout!) found them in this build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The type, as it was written.
    pub name: &'static str,
    /// Its size in bytes, padding included.
    pub size: usize,
    /// What its addresses are multiples of.
    pub align: usize,
    /// Its fields with their bytes, in the order in which they were listed.
    pub fields: Vec<(&'static str, Range<usize>)>,
}

/// Where the fields of a struct lie, as a [`Shape`](crate::memory::layout::picture::Shape). All of
/// them must be named, or this does not compile: a field that was left out would look like padding.
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
            fields: vec![$((stringify!($field), $crate::memory::layout::picture::span_of!($type, $field))),+],
        }
    }};
}
// ANCHOR_END: layout

impl Shape {
    /// How many bytes belong to no field.
    pub fn padding(&self) -> usize {
        self.holes().iter().map(|hole| hole.len()).sum()
    }

    /// The bytes that belong to no field, one range a hole.
    // ANCHOR: holes
    pub fn holes(&self) -> Vec<Range<usize>> {
        let mut spans: Vec<_> = self.fields.iter().map(|(_, span)| span.clone()).collect();
        spans.sort_by_key(|span| (span.start, span.end)); // one of no bytes before its neighbor
        spans.push(self.size..self.size); // so that what lies behind the last field is a hole too
        let ends = [0].into_iter().chain(spans.iter().map(|span| span.end));
        ends.zip(&spans)
            .map(|(end, next)| end..next.start)
            .filter(|hole| !hole.is_empty())
            .collect()
    }
    // ANCHOR_END: holes

    /// So many values one behind the other, from the beginning of a cache line. A letter for each
    /// field in the order of the list, a dot for padding, a capital where a value begins.
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
