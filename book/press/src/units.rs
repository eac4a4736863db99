//! Formats numbers with their units, rounded to the digits that their uncertainty supports.

use crate::model::estimate::Estimate;
pub use crate::sizes::{binary, in_order, parameter, spaced};

/// The kind of a number, which decides its unit.
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

/// A number as the book prints it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// `12.3 µs`.
    pub value: String,
    /// `12.1 to 12.6 µs`; empty for an exact number.
    pub interval: String,
}

/// Formats an estimate with two significant digits, or three if the interval is narrow enough for
/// the third to mean something. The interval's ends are rounded outward, so that it never looks
/// narrower than it is.
pub fn text(estimate: Estimate, quantity: Quantity) -> Text {
    let Estimate { value, low, high, .. } = estimate;
    if quantity == Quantity::Count {
        return Text { value: number(value, quantity, 0), interval: String::new() };
    }
    let (scale, suffix) = scale(value, quantity, digits(estimate));
    let place = step(value * scale, digits(estimate));
    // An end far below the value has digits of its own: 2.9 to 300, not 0 to 300.
    let end = |at: f64, round| print(at * scale, place.min(step(at * scale, 2)), round);
    Text {
        value: format!("{}{suffix}", print(value * scale, place, f64::round)),
        interval: format!("{} to {}{suffix}", end(low, f64::floor), end(high, f64::ceil)),
    }
}

/// Formats one number with its unit to `digits` significant digits, for axes and tables: `1.25 µs`,
/// `4.2 GiB/s`. A count is printed as it is.
pub fn number(value: f64, quantity: Quantity, digits: usize) -> String {
    if quantity == Quantity::Count {
        return count(value);
    }
    let (scale, suffix) = scale(value, quantity, digits);
    format!("{}{suffix}", print(value * scale, step(value * scale, digits), f64::round))
}

/// Returns the number of significant digits that the interval supports: up to the place of its
/// half-width's first digit, at least two and at most three.
fn digits(estimate: Estimate) -> usize {
    let half = (estimate.high - estimate.low) / 2.0;
    if half <= 0.0 || !half.is_finite() {
        return 3;
    }
    (magnitude(estimate.value) - magnitude(half) + 1).clamp(2, 3) as usize
}

/// Returns the factor that brings `value` to its unit, and the unit as it follows the number.
fn scale(value: f64, quantity: Quantity, digits: usize) -> (f64, &'static str) {
    const UNITS: [(f64, &str); 4] = [(1.0, " ns"), (1e-3, " µs"), (1e-6, " ms"), (1e-9, " s")];
    const KIB: f64 = 1.0 / 1024.0;
    const BYTES: [(f64, &str); 5] = [
        (1.0, " B/s"),
        (KIB, " KiB/s"),
        (KIB * KIB, " MiB/s"),
        (KIB * KIB * KIB, " GiB/s"),
        (KIB * KIB * KIB * KIB, " TiB/s"),
    ];
    const ELEMENTS: [(f64, &str); 3] = [(1.0, "/s"), (1e-6, " million/s"), (1e-9, " billion/s")];
    let (units, limit): (&[(f64, &'static str)], f64) = match quantity {
        Quantity::Time => (&UNITS, 1e3),
        Quantity::Bytes => (&BYTES, 1e3),
        Quantity::Elements => (&ELEMENTS, if value < 1e7 { 1e6 } else { 1e3 }),
        Quantity::Ratio => (&[(1.0, "×")], 0.0),
        Quantity::Percent => (&[(100.0, " %")], 0.0),
        Quantity::Count => (&[(1.0, "")], 0.0),
    };
    // A number that would be printed as 1000 belongs to the next unit.
    let fits = |factor: f64| {
        let scaled = value * factor;
        let step = step(scaled, digits);
        (scaled / step).round() * step < limit
    };
    *units.iter().find(|(factor, _)| fits(*factor)).unwrap_or(&units[units.len() - 1])
}

/// Returns the place of the last of `digits` significant digits: 0.1 for 12.3 and three. The digits
/// of a number that rounds up to a power of ten start at that power.
fn step(value: f64, digits: usize) -> f64 {
    let digits = digits.max(1) as i32;
    let step = 10f64.powi(magnitude(value) - digits + 1);
    if (value / step).round() >= 10f64.powi(digits) { step * 10.0 } else { step }
}

/// Returns the power of ten of a number's first digit, or 0 if it has none.
fn magnitude(value: f64) -> i32 {
    let magnitude = value.abs().log10().floor();
    if magnitude.is_finite() { magnitude as i32 } else { 0 }
}

/// Formats `value`, rounded by `round` to a multiple of `step`, with commas between thousands.
fn print(value: f64, step: f64, round: fn(f64) -> f64) -> String {
    let steps = value / step;
    // A multiple of the step stays one even if it is off by the last bit.
    let steps = if (steps - steps.round()).abs() < 1e-9 * steps.abs() {
        steps.round()
    } else {
        round(steps)
    };
    let decimals = (-step.log10().round()).max(0.0) as usize;
    thousands(&format!("{:.decimals$}", steps * step))
}

/// Formats an exact number, with at most three decimals.
fn count(value: f64) -> String {
    if value.fract() == 0.0 {
        return thousands(&format!("{value:.0}"));
    }
    let text = format!("{value:.3}");
    thousands(text.trim_end_matches('0').trim_end_matches('.'))
}

/// Puts commas between thousands.
pub(crate) fn thousands(number: &str) -> String {
    let (whole, rest) = number.split_at(number.find('.').unwrap_or(number.len()));
    let (sign, whole) = whole.split_at(whole.find(|c: char| c.is_ascii_digit()).unwrap_or(0));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(value: f64, low: f64, high: f64) -> Estimate {
        Estimate { value, low, high, rounds: 9 }
    }

    #[test]
    fn a_number_has_the_digits_that_its_interval_supports() {
        let table = [
            (12_345.0, 12_300.0, 12_390.0, Quantity::Time, "12.3 µs", "12.3 to 12.4 µs"),
            (12_345.0, 10_000.0, 15_000.0, Quantity::Time, "12 µs", "10 to 15 µs"),
            (127.4, 80.0, 200.0, Quantity::Time, "130 ns", "80 to 200 ns"),
            (0.4512, 0.45, 0.4525, Quantity::Time, "0.451 ns", "0.450 to 0.453 ns"),
            (999_700.0, 999_000.0, 1_001_000.0, Quantity::Time, "1.00 ms", "0.99 to 1.01 ms"),
            (2.5e9, 2.4e9, 2.6e9, Quantity::Time, "2.5 s", "2.4 to 2.6 s"),
            (1.834, 1.79, 1.88, Quantity::Ratio, "1.83×", "1.79 to 1.88×"),
            (1.834, 1.51, 2.19, Quantity::Ratio, "1.8×", "1.5 to 2.2×"),
            (0.5, 0.5, 0.5, Quantity::Ratio, "0.500×", "0.500 to 0.500×"),
            (132.0, 120.0, 150.0, Quantity::Ratio, "130×", "120 to 150×"),
            (170.0, 2.94, 295.0, Quantity::Ratio, "170×", "2.9 to 300×"),
            (0.563, 0.52, 0.61, Quantity::Percent, "56 %", "52 to 61 %"),
            (4.509e9, 4.4e9, 4.6e9, Quantity::Bytes, "4.2 GiB/s", "4.0 to 4.3 GiB/s"),
            (1023.9 * 1048576.0, 1e9, 1.1e9, Quantity::Bytes, "1.00 GiB/s", "0.93 to 1.03 GiB/s"),
            (57_123.0, 57_000.0, 57_300.0, Quantity::Elements, "57,100/s", "57,000 to 57,300/s"),
            (5.4e9, 5.3e9, 5.5e9, Quantity::Elements, "5.4 billion/s", "5.3 to 5.5 billion/s"),
            (1_048_576.0, 1_048_576.0, 1_048_576.0, Quantity::Count, "1,048,576", ""),
            (0.0, 0.0, 0.0, Quantity::Count, "0", ""),
            (2.5, 2.5, 2.5, Quantity::Count, "2.5", ""),
        ];
        for (value, low, high, quantity, expected, between) in table {
            let text = text(estimate(value, low, high), quantity);
            assert_eq!(
                (text.value.as_str(), text.interval.as_str()),
                (expected, between),
                "{value}"
            );
        }
    }

    #[test]
    fn an_interval_is_never_printed_narrower_than_it_is() {
        let text = text(estimate(1.6, 1.496, 1.704), Quantity::Ratio);
        assert_eq!(text.interval, "1.4 to 1.8×", "1.496 is below 1.5 and must look so");
    }
}
