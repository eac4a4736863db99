//! The heads of HTTP/1.1 messages as plain functions: bytes in, values out, nothing opened and
//! nothing sent.
//!
//! The rules are those of RFC 9110 (semantics) and RFC 9112 (syntax).

use std::fmt::Write as _;
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the server needs to know of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// GET if false.
    pub head_only: bool,
    /// As it was sent, without the query: `/a%20b`.
    pub path: String,
    /// With its question mark, or empty.
    pub query: String,
    /// Whether the client will send another request on this connection.
    pub keep_alive: bool,
    /// Whether it speaks HTTP/1.0.
    pub old: bool,
    /// The conditions and the range, each as it was sent. Repeated fields are joined by a comma, as
    /// the rules have it.
    pub if_match: Option<String>,
    /// See `if_match`.
    pub if_none_match: Option<String>,
    /// See `if_match`.
    pub if_modified_since: Option<String>,
    /// See `if_match`.
    pub if_unmodified_since: Option<String>,
    /// See `if_match`.
    pub if_range: Option<String>,
    /// See `if_match`.
    pub range: Option<String>,
}

/// What the bytes received so far amount to.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request, in the first so many bytes.
    Request(Box<Request>, usize),
    /// The beginning of one.
    Partial,
    /// Nothing that this server serves: the status to answer with. Where the next request begins is
    /// not known.
    Refused(u16),
}

/// Fields that a request may have; more are refused.
const FIELDS: usize = 64;

/// Reads the head of a request.
///
/// A request with a body is refused: its end is where attackers and servers disagree. So is one
/// with two `Host` fields.
pub fn parse(bytes: &[u8]) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut raw = httparse::Request::new(&mut fields);
    let length = match raw.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Parsed::Partial,
        Err(httparse::Error::TooManyHeaders) => return Parsed::Refused(431),
        Err(httparse::Error::Version) => return Parsed::Refused(505),
        Err(_) => return Parsed::Refused(400),
    };
    let (Some(method), Some(target), Some(minor)) = (raw.method, raw.path, raw.version) else {
        return Parsed::Refused(400);
    };
    match request(method, target, minor == 0, raw.headers) {
        Ok(request) => Parsed::Request(Box::new(request), length),
        Err(status) => Parsed::Refused(status),
    }
}

fn request(
    method: &str,
    target: &str,
    old: bool,
    fields: &[httparse::Header<'_>],
) -> Result<Request, u16> {
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS" | "TRACE" | "CONNECT" => return Err(405),
        _ => return Err(501),
    };
    let mut request = Request { head_only, old, keep_alive: !old, ..Request::default() };
    let (mut hosts, mut closing) = (0, false);
    for field in fields {
        let value = || str::from_utf8(field.value).map(str::trim).map_err(|_| 400_u16);
        let slot = match field.name.to_ascii_lowercase().as_str() {
            "host" => {
                hosts += 1;
                continue;
            }
            "connection" => {
                for option in value()?.split(',').map(str::trim) {
                    if option.eq_ignore_ascii_case("close") {
                        closing = true;
                    } else if option.eq_ignore_ascii_case("keep-alive") {
                        request.keep_alive = true;
                    }
                }
                continue;
            }
            "transfer-encoding" => return Err(501),
            "content-length" if value()? != "0" => return Err(400),
            "if-match" => &mut request.if_match,
            "if-none-match" => &mut request.if_none_match,
            "if-modified-since" => &mut request.if_modified_since,
            "if-unmodified-since" => &mut request.if_unmodified_since,
            "if-range" => &mut request.if_range,
            "range" => &mut request.range,
            _ => continue,
        };
        let value = value()?;
        *slot = Some(slot.take().map_or_else(|| value.to_owned(), |before| before + ", " + value));
    }
    request.keep_alive &= !closing;
    if hosts > 1 || (hosts == 0 && !old) {
        return Err(400);
    }
    // A proxy's form, `http://host/path`, must be understood too.
    let scheme = target.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"));
    let target = if scheme {
        target[7..].find('/').map_or("/", |slash| &target[7 + slash..])
    } else {
        target
    };
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    if !path.starts_with('/') {
        return Err(400);
    }
    (request.path, request.query) = (path.to_owned(), query.to_owned());
    Ok(request)
}

/// Replaces each `%41` by its byte, once, or `None` if an escape is broken or stands for NUL.
pub fn percent_decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    (!decoded.contains(&0)).then_some(decoded)
}

/// Which bytes to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of them, with 200.
    Whole,
    /// These, with 206. Never empty, never beyond the end.
    Range(Range<u64>),
    /// None, with 416.
    Unsatisfiable,
}

// ANCHOR: range
/// What a `Range` field asks for, of a file of `size` bytes. What is not understood, and more than
/// one range, asks for all.
pub fn part(field: &str, size: u64) -> Part {
    // All digits, and a number too large for any file is as good as the largest.
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
        (Some(first), Some(last)) if first > last => Part::Whole, // not a range at all
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

/// What identifies one state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Bytes in it.
    pub size: u64,
    /// When it was last written to.
    pub modified: SystemTime,
}

impl Version {
    /// The entity tag: time to the nanosecond, and size. Two writes within one tick of the file
    /// system's clock that leave the size as it was share a tag.
    pub fn etag(&self) -> String {
        let time = self.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        format!("\"{time:016x}-{:012x}\"", self.size)
    }

    /// What to answer when the conditions of `request` are weighed in the order of RFC 9110,
    /// section 13.2.2: `Some(412)`, `Some(304)`, or `None` to go on.
    pub fn precondition(&self, request: &Request) -> Option<u16> {
        let tag = self.etag();
        // Weak tags never match strongly, and ours match weakly when their text does.
        let listed = |list: &str, weak: bool| {
            list.trim() == "*"
                || list
                    .split(',')
                    .map(str::trim)
                    .any(|one| one == tag || weak && one.strip_prefix("W/") == Some(&tag))
        };
        let modified = seconds(self.modified);
        let unchanged_since = |date: &str| parse_date(date).map(|date| modified <= seconds(date));
        let holds = match (&request.if_match, &request.if_unmodified_since) {
            (Some(list), _) => listed(list, false),
            (None, Some(date)) => unchanged_since(date).unwrap_or(true),
            (None, None) => true,
        };
        if !holds {
            return Some(412);
        }
        let cached = match (&request.if_none_match, &request.if_modified_since) {
            (Some(list), _) => listed(list, true), // the tag decides; the date is not looked at
            (None, Some(date)) => unchanged_since(date).unwrap_or(false),
            (None, None) => false,
        };
        cached.then_some(304)
    }

    /// Which part of this version `request` wants. `If-Range` counts with a tag only: a date is too
    /// coarse to be sure.
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

// ANCHOR: head
/// The head of a response, its empty line included.
///
/// ```
/// use perf_proved::zero_copy::sendfile::head::head;
/// use std::time::UNIX_EPOCH;
///
/// let text = head(200, UNIX_EPOCH, &[("ETag", "\"1\"".to_owned())]);
/// assert_eq!(text, "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nETag: \"1\"\r\n\r\n");
/// ```
pub fn head(status: u16, now: SystemTime, fields: &[(&str, String)]) -> String {
    let mut head = format!("HTTP/1.1 {status} {}\r\nDate: {}\r\n", reason(status), date(now));
    for (name, value) in fields {
        let _ = write!(head, "{name}: {value}\r\n"); // a String takes everything
    }
    head + "\r\n"
}
// ANCHOR_END: head

/// What a status means, in the words of RFC 9110.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

/// The media type that the end of a file's name stands for.
pub fn content_type(path: &[u8]) -> &'static str {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let extension =
        name.iter().rposition(|&byte| byte == b'.').map_or(&[][..], |dot| &name[dot + 1..]);
    match extension.to_ascii_lowercase().as_slice() {
        b"html" | b"htm" => "text/html; charset=utf-8",
        b"css" => "text/css; charset=utf-8",
        b"js" | b"mjs" => "text/javascript; charset=utf-8",
        b"txt" | b"md" | b"toml" | b"rs" => "text/plain; charset=utf-8",
        b"csv" => "text/csv; charset=utf-8",
        b"xml" => "application/xml",
        b"json" => "application/json",
        b"pdf" => "application/pdf",
        b"wasm" => "application/wasm",
        b"gz" => "application/gzip",
        b"zip" => "application/zip",
        b"svg" => "image/svg+xml",
        b"png" => "image/png",
        b"jpg" | b"jpeg" => "image/jpeg",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"avif" => "image/avif",
        b"ico" => "image/x-icon",
        b"woff2" => "font/woff2",
        b"mp3" => "audio/mpeg",
        b"mp4" => "video/mp4",
        b"webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // 1 January 1970 was a Thursday
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A time as HTTP writes it, to the second: `Sun, 06 Nov 1994 08:49:37 GMT`. Before 1970 is 1970.
pub fn date(time: SystemTime) -> String {
    let (days, second) = (seconds(time) / 86_400, seconds(time) % 86_400);
    // A year that begins in March has its leap day last; day 0 is 1 March 0000, in cycles of 400
    // years.
    let (cycle, day) = ((days + 719_468) / 146_097, (days + 719_468) % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (400 * cycle + year + u64::from(month >= 10), (month + 2) % 12);
    format!(
        "{}, {day:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[(days % 7) as usize],
        MONTHS[month as usize],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Reads what [`date`] writes, and nothing else: the two forms that are obsolete since 1999 are
/// ignored, which costs their senders a full answer. `None` before 1970 too.
pub fn parse_date(text: &str) -> Option<SystemTime> {
    let number = |at: Range<usize>| text.get(at)?.parse::<u64>().ok();
    let month = MONTHS.iter().position(|month| text.get(8..11) == Some(month))? as u64;
    let (day, year) = (number(5..7)?, number(12..16)?);
    let (hour, minute, second) = (number(17..19)?, number(20..22)?, number(23..25)?);
    let (march_year, march_month) = (year.checked_sub(u64::from(month < 2))?, (month + 10) % 12);
    let days = march_year * 365 + march_year / 4 - march_year / 100 + march_year / 400;
    let days = (days + (153 * march_month + 2) / 5 + day).checked_sub(719_469)?;
    let time = UNIX_EPOCH + Duration::from_secs(days * 86_400 + hour * 3600 + minute * 60 + second);
    (date(time) == text).then_some(time) // the way there and back settles every detail
}

/// Whole seconds since 1970, as HTTP's dates have them.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
