//! Requirements of RFC 9110 and RFC 9112 on requests that are unusual or invalid.

use super::site::{Client, calm, exchange, site, start, status};
use perf_proved::zero_copy::sendfile::http::request::{Parsed, is_head, parse};
use perf_proved::zero_copy::sendfile::server::Limits;
use std::fs::File;
use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

/// RFC 9110, section 9.3.2.
#[test]
fn a_refused_head_gets_no_body() {
    let site = site();
    let (server, _) = start(&site.root(), calm());
    let long = "x".repeat(9000);
    for (request, expected) in [
        ("HEAD /ten HTTP/1.1\r\n\r\n", 400),
        ("HEAD ten HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("HEAD /ten HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", 400),
        ("\r\n\r\nHEAD /ten HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        ("HEAD /ten HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (&format!("HEAD /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (&format!("HEAD /ten HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), 431),
    ] {
        let answer = exchange(&server, request);
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(status(&answer), expected, "{request}: {text}");
        assert!(text.ends_with("\r\n\r\n"), "{request}: {text}");
    }
    let (server, _) = start(&site.root(), Limits { head: Duration::from_millis(100), ..calm() });
    let mut slow = Client::new(&server);
    let mut answer = Vec::new();
    slow.send("HEAD /ten HT").0.read_to_end(&mut answer).unwrap();
    assert_eq!(status(&answer), 408);
    assert!(answer.ends_with(b"\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn only_the_method_makes_a_head() {
    for yes in ["HEAD ", "HEAD / HTTP/1.1\r\n", "\r\n\nHEAD /"] {
        assert!(is_head(yes.as_bytes()), "{yes:?}");
    }
    for no in ["", "\r\n", "HEAD", "GET HEAD ", "HEADER / HTTP/1.1\r\n", "head /", " HEAD /"] {
        assert!(!is_head(no.as_bytes()), "{no:?}");
    }
}

/// RFC 3986, section 3.2: the authority ends at a slash, a question mark or a number sign.
#[test]
fn an_absolute_target_names_its_path_after_the_authority() {
    let site = site();
    let (server, _) = start(&site.root(), calm());
    for (target, expected, body) in [
        ("http://a/ten", 200, "0123456789"),
        ("HTTP://a:80/ten?x", 200, "0123456789"),
        ("http://[::1]:80/ten", 200, "0123456789"),
        ("http://a", 200, "start"),
        ("http://a?x=/ten", 200, "start"),
        ("http://a?/ten", 200, "start"),
        ("http://a/?x=/ten", 200, "start"),
        ("http://a#/ten", 400, "400 Bad Request\n"),
        ("http:///ten", 400, "400 Bad Request\n"),
        ("http://:80/ten", 400, "400 Bad Request\n"),
        ("http://user@a/ten", 400, "400 Bad Request\n"),
        ("http://[::1/ten", 400, "400 Bad Request\n"),
        ("ftp://a/ten", 400, "400 Bad Request\n"),
    ] {
        let answer = exchange(&server, format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(status(&answer), expected, "{target}: {text}");
        assert!(text.ends_with(&format!("\r\n\r\n{body}")), "{target}: {text}");
    }
}

/// RFC 9112, section 3.2.
#[test]
fn a_host_that_is_none_is_refused() {
    let with = |fields: &str| {
        let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        parse(head.as_bytes(), usize::MAX)
    };
    for host in [
        "",
        "a",
        "a:",
        "a:80",
        "127.0.0.1:8080",
        "xn--bcher-kva.example",
        "under_score~!$&'()*+,;=",
        "a%20b",
        "[::1]",
        "[::ffff:1.2.3.4]:443",
    ] {
        let parsed = with(&format!("Host: {host}\r\n"));
        assert!(matches!(parsed, Parsed::Request(..)), "{host:?}: {parsed:?}");
    }
    for host in [
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "user@a",
        "a\"b",
        "a\\b",
        "<a>",
        "a:b",
        "a:80:80",
        ":80x",
        "a%2",
        "a%zz",
        "%",
        "::1",
        "[::1",
        "[::g]",
        "[]",
        "[::1]x",
        "[::1]80",
        "[a]",
        "b\u{fc}cher",
    ] {
        let parsed = with(&format!("Host: {host}\r\n"));
        assert_eq!(parsed, Parsed::Refused(400), "{host:?}");
    }
    for fields in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n", "Host : a\r\n"] {
        assert_eq!(with(fields), Parsed::Refused(400), "{fields:?}");
    }
    let old =
        |fields: &str| parse(format!("GET / HTTP/1.0\r\n{fields}\r\n").as_bytes(), usize::MAX);
    assert!(matches!(old(""), Parsed::Request(..)), "HTTP/1.0 knows no Host");
    assert_eq!(old("Host: a b\r\n"), Parsed::Refused(400));
}

/// RFC 9110, section 5.6.7: a recipient must accept all three.
#[test]
fn a_condition_may_be_a_date_in_any_of_three_formats() {
    let site = site();
    let file = File::options().write(true).open(site.root().join("ten")).unwrap();
    file.set_modified(UNIX_EPOCH + Duration::from_secs(784_111_777)).unwrap();
    let (server, _) = start(&site.root(), calm());
    for (date, status) in [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 304),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 304),
        ("Sun Nov  6 08:49:37 1994", 304),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 200),
        ("Sunday, 06-Nov-94 08:49:36 GMT", 200),
        ("Sun Nov  6 08:49:36 1994", 200),
    ] {
        let request = format!("GET /ten HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: {date}\r\n\r\n");
        let reply = Client::new(&server).send(request).reply(false).unwrap();
        assert_eq!(reply.status, status, "{date}");
    }
}
