//! Sizes in bytes, as the examples' flags take them.

/// Parses a size such as `4096`, `64KiB` or `1MiB`: at least one byte, at most 1 GiB.
///
/// ```
/// use perf_proved::harness::size::parse;
///
/// assert_eq!(parse("64KiB"), Ok(65_536));
/// assert!(parse("64KB").is_err());
/// ```
///
/// # Errors
///
/// A sentence that says which sizes are accepted.
pub fn parse(text: &str) -> Result<usize, String> {
    let (number, shift) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(number), _) => (number, 10),
        (_, Some(number)) => (number, 20),
        _ => (text, 0),
    };
    let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
    bytes
        .filter(|bytes| (1..=1 << 30).contains(bytes))
        .ok_or_else(|| "not a size from 1 to 1024MiB".to_owned())
}

/// Formats `bytes` so that [`parse`] reads it back, in the largest unit that divides it.
///
/// ```
/// use perf_proved::harness::size::format;
///
/// assert_eq!(format(1 << 20), "1MiB");
/// assert_eq!(format(1000), "1000");
/// ```
pub fn format(bytes: usize) -> String {
    match bytes {
        _ if bytes > 0 && bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        _ if bytes > 0 && bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        _ => bytes.to_string(),
    }
}
