//! Dates as HTTP writes them: to the second, from 1970 to 9999.

use httpdate::HttpDate;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The first second that a date with a year of four digits cannot express.
const YEAR_10000: Duration = Duration::from_secs(253_402_300_800);

/// Returns `time` as an HTTP date, which has whole seconds; `None` outside the years 1970 to 9999.
///
/// ```
/// use perf_proved::zero_copy::sendfile::http::date::date;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let text = date(UNIX_EPOCH).map(|date| date.to_string());
/// assert_eq!(text.as_deref(), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
/// assert_eq!(date(UNIX_EPOCH - Duration::from_secs(1)), None);
/// ```
pub fn date(time: SystemTime) -> Option<HttpDate> {
    let since_1970 = time.duration_since(UNIX_EPOCH).ok()?;
    (since_1970 < YEAR_10000).then(|| time.into())
}

/// Parses any of the three forms of an HTTP date; `None` for anything else, and before 1970.
pub fn parse(text: &str) -> Option<HttpDate> {
    text.parse().ok()
}
