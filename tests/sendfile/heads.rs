//! Heads of requests and responses: ranges, dates, validators, content types, the parser.

use perf_proved::zero_copy::sendfile::http::date;
use perf_proved::zero_copy::sendfile::http::head::{content_type, reason};
use perf_proved::zero_copy::sendfile::http::request::{Parsed, parse, percent_decode};
use perf_proved::zero_copy::sendfile::http::version::{Part, Version, part};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A generator of numbers that are the same in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % bound
    }
}

#[test]
fn ranges_agree_with_a_model_that_looks_at_every_byte() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let size = random.below(12);
        let bound = |random: &mut Random| match random.below(4) {
            0 => None,
            _ => Some(random.below(16)),
        };
        let (first, last) = (bound(&mut random), bound(&mut random));
        let text = |bound: Option<u64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
        let field = format!("bytes={}-{}", text(first), text(last));
        let wanted: Vec<u64> = (0..size)
            .filter(|byte| match (first, last) {
                (Some(first), Some(last)) => (first..=last).contains(byte),
                (Some(first), None) => *byte >= first,
                (None, Some(suffix)) => byte + suffix >= size,
                (None, None) => true,
            })
            .collect();
        let invalid = matches!((first, last), (None, None))
            || matches!((first, last), (Some(a), Some(b)) if a > b);
        let empty_suffix = size == 0 && first.is_none() && last > Some(0);
        match part(&field, size) {
            Part::Whole => assert!(invalid || empty_suffix, "{field} of {size}"),
            Part::Unsatisfiable => assert!(!invalid && wanted.is_empty(), "{field} of {size}"),
            Part::Range(range) => {
                assert!(
                    !invalid && !range.is_empty() && range.clone().eq(wanted),
                    "{field} of {size}: {range:?}"
                );
            }
        }
    }
    for noise in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=0-0,2-3",
        "bytes=1-+2",
        "bytes= 1 - 2",
        "lines=0-1",
        "bytes=0--1",
    ] {
        assert_eq!(part(noise, 10), Part::Whole, "{noise}");
    }
    assert_eq!(part("BYTES=0-99999999999999999999999999", 10), Part::Range(0..10));
    assert_eq!(part("bytes=-99999999999999999999999999", 10), Part::Range(0..10));
    assert_eq!(part("bytes=99999999999999999999999999-", 10), Part::Unsatisfiable);
    assert_eq!(
        part("bytes=18446744073709551615-18446744073709551615", u64::MAX),
        Part::Unsatisfiable
    );
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (seconds, text) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_251_200, "Fri, 01 Mar 2024 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(date::date(time).unwrap().to_string(), text);
        assert_eq!(date::parse(text), date::date(time), "{text}");
    }
    for obsolete in ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        let time = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(date::parse(obsolete), date::date(time), "{obsolete}");
    }
    for not in [
        "",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sün, 06 Nov 1994 08:49:37 GMT",
        "Thu, 00 Jan 1970 00:00:00 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "Thu, 01 Jan 0000 00:00:00 GMT",
    ] {
        assert_eq!(date::parse(not), None, "{not}");
    }
    for outside in [UNIX_EPOCH - Duration::from_nanos(1), year_10000()] {
        assert_eq!(date::date(outside), None, "HTTP has no such date");
    }
}

fn year_10000() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(253_402_300_800)
}

#[test]
fn each_time_of_modification_has_a_tag_of_its_own() {
    let second = Duration::from_secs(1);
    let times = [
        UNIX_EPOCH - 10_000 * 86_400 * second,
        UNIX_EPOCH - second,
        UNIX_EPOCH - Duration::from_nanos(1),
        UNIX_EPOCH,
        UNIX_EPOCH + Duration::from_nanos(1),
        UNIX_EPOCH + second,
        UNIX_EPOCH + Duration::from_nanos(u64::MAX), // more nanoseconds than 64 bits hold
        UNIX_EPOCH + Duration::from_nanos(u64::MAX) + Duration::from_nanos(1),
        year_10000(),
    ];
    let versions: BTreeSet<String> =
        times.iter().map(|&modified| Version { size: 7, modified }.etag()).collect();
    assert_eq!(versions.len(), times.len(), "{versions:?}");
    assert_ne!(
        Version { size: 7, modified: UNIX_EPOCH }.etag(),
        Version { size: 8, modified: UNIX_EPOCH }.etag()
    );
}

#[test]
fn a_time_in_the_future_is_sent_as_now() {
    let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
    let hour = Duration::from_secs(3600);
    for (modified, sent) in [(now + hour, now), (now, now), (now - hour, now - hour)] {
        assert_eq!(Version { size: 7, modified }.last_modified(now), date::date(sent));
    }
}

#[test]
fn content_types_are_those_of_the_extension() {
    for (path, expected) in [
        ("index.html", "text/html; charset=utf-8"),
        ("a.htm", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("README.md", "text/plain; charset=utf-8"),
        ("Cargo.toml", "text/plain; charset=utf-8"),
        ("src/lib.rs", "text/plain; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.xml", "application/xml"),
        ("a.json", "application/json"),
        ("a.pdf", "application/pdf"),
        ("a.wasm", "application/wasm"),
        ("a.tar.gz", "application/gzip"),
        ("a.zip", "application/zip"),
        ("a.svg", "image/svg+xml"),
        ("a.PNG", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("a.jpeg", "image/jpeg"),
        ("a.gif", "image/gif"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("a.ico", "image/x-icon"),
        ("a.woff2", "font/woff2"),
        ("a.mp3", "audio/mpeg"),
        ("a.mp4", "video/mp4"),
        ("a.webm", "video/webm"),
        ("a.unknown", "application/octet-stream"),
        ("no extension", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("folder.html/file", "application/octet-stream"),
    ] {
        assert_eq!(content_type(path.as_bytes()), expected, "{path}");
    }
}

#[test]
fn reason_phrases_are_those_of_the_rfc() {
    for (status, expected) in [
        (200, "OK"),
        (206, "Partial Content"),
        (301, "Moved Permanently"),
        (304, "Not Modified"),
        (400, "Bad Request"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (405, "Method Not Allowed"),
        (408, "Request Timeout"),
        (412, "Precondition Failed"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (431, "Request Header Fields Too Large"),
        (500, "Internal Server Error"),
        (501, "Not Implemented"),
        (503, "Service Unavailable"),
        (505, "HTTP Version Not Supported"),
    ] {
        assert_eq!(reason(status), expected);
    }
}

#[test]
fn no_bytes_make_the_parser_panic() {
    let mut random = Random(3);
    let pieces: [&[u8]; 16] = [
        b"GET ",
        b"HEAD ",
        b"/",
        b"%2e",
        b"..",
        b"?",
        b" HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"\r\n",
        b"Range: bytes=0-\r\n",
        b"\xff",
        b"\0",
        b"http://",
        b"Content-Length: 1\r\n",
        b"Connection: close, \xe9\r\n",
        b" HTTP/1.0\r\n",
    ];
    for _ in 0..20_000 {
        let bytes: Vec<u8> =
            (0..random.below(9)).flat_map(|_| pieces[random.below(16) as usize]).copied().collect();
        if let Parsed::Request(request, length) = parse(&bytes, usize::MAX) {
            assert!(length <= bytes.len() && request.path.starts_with('/'));
            percent_decode(&request.path);
        }
    }
}
