//! Prints a number with its unit, rounded to what its uncertainty supports.

use crate::model::Estimate;

/// What a number is a number of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Nanoseconds.
    Time,
    /// Bytes per second.
    Bytes,
    /// Elements per second.
    Elements,
    /// A quotient of two numbers: `1.8×`.
    Ratio,
    /// A share, 1 being the whole: `56 %`.
    Percent,
    /// An exact number.
    Count,
}

/// A number as it stands in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// `12.3 µs`.
    pub value: String,
    /// `12.1 to 12.6 µs`; empty for an exact number.
    pub interval: String,
}

/// The estimate in words.
pub fn text(estimate: Estimate, quantity: Quantity) -> Text {
    let _ = (estimate, quantity);
    todo!()
}

/// One number with its unit to `digits` significant digits, for axes and tables: `1.25 µs`, `4.2 GiB/s`.
pub fn number(value: f64, quantity: Quantity, digits: usize) -> String {
    let _ = (value, quantity, digits);
    todo!()
}

/// A parameter as a number, to sort and to place on an axis: `64KiB` is 65536, `8` is 8.
pub fn parameter(text: &str) -> Option<f64> {
    let _ = text;
    todo!()
}
