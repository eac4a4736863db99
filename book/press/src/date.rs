//! Dates as the machine files write them: RFC 3339 in UTC, to the second, so that they compare as
//! text.

use jiff::Timestamp;
use jiff::civil::Date;
use std::time::SystemTime;

/// Formats a time: `2026-03-01T12:00:00Z`.
pub fn rfc3339(time: SystemTime) -> String {
    // A time beyond the years that `Timestamp` knows is the earliest or the latest of them.
    let limit = if time < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    format!("{:.0}", Timestamp::try_from(time).unwrap_or(limit))
}

/// Returns the day of such a date.
pub fn day(date: &str) -> &str {
    date.split('T').next().unwrap_or(date)
}

/// Returns the day of such a date in few words: `29 Nov 2026`.
pub fn short(date: &str) -> String {
    let parsed = day(date).parse::<Date>();
    parsed.map_or_else(|_| day(date).to_owned(), |day| day.strftime("%-d %b %Y").to_string())
}

/// Formats the current time.
pub fn now() -> String {
    rfc3339(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn dates_are_in_utc_to_the_second() {
        let after = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds);
        assert_eq!(rfc3339(after(0.0)), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(after(951_782_399.9)), "2000-02-28T23:59:59Z");
        assert_eq!(rfc3339(after(4_107_542_400.0)), "2100-03-01T00:00:00Z");
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(rfc3339(before), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn a_short_date_names_its_month() {
        assert_eq!(short("2026-11-09T12:00:00Z"), "9 Nov 2026");
        assert_eq!(short("long ago"), "long ago");
    }
}
