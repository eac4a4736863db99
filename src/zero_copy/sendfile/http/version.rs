//! One state of a file: its validators, the conditions of a request against them, and ranges of its
//! bytes.

use super::date;
use super::request::Request;
use httpdate::HttpDate;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// The bytes of a file that a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of them: 200.
    Whole,
    /// This range: 206. Never empty, and never beyond the end.
    Range(Range<u64>),
    /// None that exist: 416.
    Unsatisfiable,
}

// ANCHOR: range
/// Returns the part of a file of `size` bytes that the `Range` field `field` asks for. A field that
/// is malformed or lists several ranges asks for the whole file.
pub fn part(field: &str, size: u64) -> Part {
    // All digits; a number too large for any file is as good as the largest.
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((unit, range)) = field.split_once('=') else { return Part::Whole };
    let Some((first, last)) = range.trim().split_once('-') else { return Part::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Part::Whole, // malformed
        (Some(first), _) if first >= size && (last.is_empty() || number(last).is_some()) => {
            Part::Unsatisfiable
        }
        (Some(first), Some(last)) => Part::Range(first..last.saturating_add(1).min(size)),
        (Some(first), None) if last.is_empty() => Part::Range(first..size),
        (None, Some(0)) if first.is_empty() => Part::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() && size > 0 => {
            Part::Range(size.saturating_sub(suffix)..size)
        }
        _ => Part::Whole,
    }
}
// ANCHOR_END: range

/// The facts that identify one state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its size in bytes.
    pub size: u64,
    /// The time of its last modification.
    pub modified: SystemTime,
}

impl Version {
    /// Returns the entity tag: the time of modification in nanoseconds, before 1970 too, and the
    /// size. Two writes within one tick of the file system's clock that leave the size unchanged
    /// share a tag.
    pub fn etag(&self) -> String {
        let nanoseconds = match self.modified.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        format!("\"{nanoseconds:016x}-{:012x}\"", self.size)
    }

    /// Returns the date for the `Last-Modified` field: `now` for a time in the future, which would
    /// outlive the change that makes it true; `None` for a time that HTTP cannot express.
    pub fn last_modified(&self, now: SystemTime) -> Option<HttpDate> {
        date::date(self.modified.min(now))
    }

    /// Weighs the conditions of `request` in the order of RFC 9110, section 13.2.2: `Some(412)` or
    /// `Some(304)` to answer with, or `None` to go on.
    pub fn precondition(&self, request: &Request) -> Option<u16> {
        let tag = self.etag();
        // Weak tags never match strongly; the server's own match weakly if their text does.
        let listed = |list: &str, weak: bool| {
            list.trim() == "*"
                || list
                    .split(',')
                    .map(str::trim)
                    .any(|one| one == tag || weak && one.strip_prefix("W/") == Some(&tag))
        };
        let modified = date::date(self.modified);
        let unchanged_since = |since: &str| Some(modified? <= date::parse(since)?);
        let holds = match (&request.if_match, &request.if_unmodified_since) {
            (Some(list), _) => listed(list, false),
            (None, Some(since)) => unchanged_since(since).unwrap_or(true),
            (None, None) => true,
        };
        if !holds {
            return Some(412);
        }
        let cached = match (&request.if_none_match, &request.if_modified_since) {
            (Some(list), _) => listed(list, true), // the tag decides, and the date is ignored
            (None, Some(since)) => unchanged_since(since).unwrap_or(false),
            (None, None) => false,
        };
        cached.then_some(304)
    }

    /// Returns the part of this version that `request` asks for. `If-Range` counts with a tag only:
    /// a date is too coarse to be sure.
    pub fn part(&self, request: &Request) -> Part {
        match &request.range {
            Some(range)
                if !request.head_only
                    && request.if_range.as_ref().is_none_or(|tag| *tag == self.etag()) =>
            {
                part(range, self.size)
            }
            _ => Part::Whole,
        }
    }
}
