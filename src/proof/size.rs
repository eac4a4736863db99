//! Sizes as the examples' flags take them.

/// Bytes from `4096`, `64KiB` or `1MiB`: at least one, at most 1 GiB.
///
/// ```
/// use perf_proved::proof::size::parse;
///
/// assert_eq!(parse("64KiB"), Ok(65_536));
/// assert!(parse("64KB").is_err());
/// ```
///
/// # Errors
///
/// A sentence for whoever typed it.
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
