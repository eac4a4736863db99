//! Sizes and other parameters with their units, as benchmarks and conditions name them.

use crate::units::thousands;
use std::cmp::Ordering;

/// Reads a parameter as a number, to sort by and to place on an axis: `64KiB` is 65536, `8` is 8,
/// `10ms` is 10,000,000 (ns). Any other word after the number is ignored (`8threads` is 8), but
/// with an underscore, it is a name that begins with a digit (`2_same`).
pub fn parameter(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    if text[end..].starts_with('_') {
        return None;
    }
    let factor = match text[end..].trim() {
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => 1.0,
    };
    Some(number * factor)
}

/// Compares parameters as a figure lists them: numbers by size, then names, which are equal.
#[must_use]
pub fn in_order(one: Option<&str>, other: Option<&str>) -> Ordering {
    let size = |text: Option<&str>| text.and_then(parameter).unwrap_or(f64::INFINITY);
    size(one).total_cmp(&size(other))
}

/// Formats a size in bytes in the largest binary unit that divides it: `48 KiB`, `300 MiB`.
pub fn binary(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

/// Puts a space between a parameter's number and unit: `64KiB` becomes `64 KiB`, and commas
/// between the thousands of a number alone. Words stay as they are.
#[must_use]
pub fn spaced(parameter: &str) -> String {
    let end = parameter.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(parameter.len());
    if end == parameter.len() && !parameter.contains('.') {
        return thousands(parameter);
    }
    if end == 0 || end == parameter.len() || self::parameter(parameter).is_none() {
        return parameter.to_owned();
    }
    format!("{}\u{a0}{}", &parameter[..end], parameter[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_sort_by_size() {
        let mut parameters = ["1MiB", "64KiB", "2GiB", "100", "4KiB", "512"];
        parameters.sort_by(|a, b| parameter(a).unwrap().total_cmp(&parameter(b).unwrap()));
        assert_eq!(parameters, ["100", "512", "4KiB", "64KiB", "1MiB", "2GiB"]);
        assert_eq!(parameter("8threads"), Some(8.0));
        assert_eq!(parameter("aligned"), None);
        assert_eq!(parameter("2_same"), None);
    }

    #[test]
    fn parameters_are_written_with_a_space() {
        assert_eq!(spaced("64KiB"), "64\u{a0}KiB");
        assert_eq!(spaced("8"), "8");
        assert_eq!(spaced("1000000"), "1,000,000");
        assert_eq!(spaced("contended"), "contended");
    }
}
