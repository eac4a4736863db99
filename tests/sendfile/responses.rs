//! Responses: status, fields and body for each kind of request.

use super::MIB;
use super::site::{Client, calm, exchange, site, start, status};
use perf_proved::harness::scratch::pattern;
use perf_proved_tests::PATIENCE;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

#[test]
fn a_date_that_http_cannot_express_is_no_validator() {
    let place = site();
    let file = File::options().write(true).open(place.root().join("ten")).unwrap();
    file.set_modified(UNIX_EPOCH - Duration::from_secs(86_400)).unwrap();
    let (server, _) = start(&place.root(), calm());
    let mut client = Client::new(&server);
    let plain = client.get("/ten");
    assert_eq!((plain.status, plain.field("Last-Modified")), (200, None), "{}", plain.head);
    let tag = plain.field("ETag").unwrap();
    let dates = "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT";
    for (fields, status) in [
        (format!("If-None-Match: {tag}"), 304),
        (dates.to_owned(), 200),
        (dates.replace("Modified", "Unmodified"), 200),
    ] {
        let request = format!("GET /ten HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n");
        assert_eq!(client.send(request).reply(false).unwrap().status, status, "{fields}");
    }
    // Another day before 1970 is another version.
    file.set_modified(UNIX_EPOCH - Duration::from_secs(2 * 86_400)).unwrap();
    assert_ne!(client.get("/ten").field("ETag"), Some(tag));
}

#[test]
fn each_request_gets_its_status() {
    let site = site();
    fs::set_permissions(site.root().join("empty"), fs::Permissions::from_mode(0o0)).unwrap();
    // SAFETY: no arguments.
    let locked = if unsafe { libc::geteuid() } == 0 { 200 } else { 403 };
    let (server, troubles) = start(&site.root(), calm());
    let long = "x".repeat(9000);
    let too_large = "431 Request Header Fields Too Large\n";
    for (request, expected, says) in [
        ("GET /ten HTTP/1.1\r\nHost: a\r\n\r\n", 200, "\r\n\r\n0123456789"),
        ("GET /ten HTTP/1.0\r\n\r\n", 200, "Connection: close\r\n"),
        ("GET /ten?query HTTP/1.1\r\nhost: a\r\n\r\n", 200, "\r\n\r\n0123456789"),
        ("\r\n\r\nGET /ten HTTP/1.1\r\nHost: a\r\n\r\n", 200, "0123456789"),
        ("GET http://a/ten HTTP/1.1\r\nHost: a\r\n\r\n", 200, "0123456789"),
        ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 200, "start"),
        ("HEAD /ten HTTP/1.1\r\nHost: a\r\n\r\n", 200, "Content-Length: 10\r\n"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200, "Content-Type: text/html; charset=utf-8\r\n"),
        ("GET /with%20index/ HTTP/1.1\r\nHost: a\r\n\r\n", 200, "inner"),
        (
            "GET /with%20index?q=1 HTTP/1.1\r\nHost: a\r\n\r\n",
            301,
            "Location: /with%20index/?q=1\r\n",
        ),
        (
            "GET /a%20b%25.txt HTTP/1.1\r\nHost: a\r\n\r\n",
            200,
            "X-Content-Type-Options: nosniff\r\n",
        ),
        ("GET /inside HTTP/1.1\r\nHost: a\r\n\r\n", 200, "0123456789"),
        ("GET /directory/inside HTTP/1.1\r\nHost: a\r\n\r\n", 200, "0123456789"),
        ("GET /directory/../ten HTTP/1.1\r\nHost: a\r\n\r\n", 200, "0123456789"),
        ("GET /back\\slash HTTP/1.1\r\nHost: a\r\n\r\n", 200, "odd"),
        ("GET /directory/ HTTP/1.1\r\nHost: a\r\n\r\n", 404, "404 Not Found\n"),
        ("GET /index/ HTTP/1.1\r\nHost: a\r\n\r\n", 404, ""),
        ("GET /ten/ HTTP/1.1\r\nHost: a\r\n\r\n", 404, ""),
        ("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404, "Connection: keep-alive\r\n"),
        ("HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404, "Content-Length: 14\r\n"),
        ("GET /loop HTTP/1.1\r\nHost: a\r\n\r\n", 404, ""),
        ("GET /empty HTTP/1.1\r\nHost: a\r\n\r\n", locked, ""),
        (
            "POST /ten HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
            405,
            "Allow: GET, HEAD\r\n",
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405, "Connection: close\r\n"),
        ("BREW /ten HTTP/1.1\r\nHost: a\r\n\r\n", 501, "Connection: close\r\n"),
        ("GET /ten HTTP/2.0\r\nHost: a\r\n\r\n", 505, "Connection: close\r\n"),
        ("GET /ten HTTP/1.1\r\n\r\n", 400, "Connection: close\r\n"),
        ("GET /ten HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, ""),
        ("GET ten HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""),
        ("GET /ten\r\n\r\n", 400, ""),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "400 Bad Request\n"),
        ("GET /a HTTP/2.0 HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""),
        ("GET /ten HTTP/x.y\r\nHost: a\r\n\r\n", 400, ""),
        ("GET /ten HTTP/x.1\r\nHost: a\r\n\r\n", 400, ""),
        ("GET /ten HTTP/1.y\r\nHost: a\r\n\r\n", 400, ""),
        ("GET ?x HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""),
        ("GET /ten HTTP/0.9\r\n\r\n", 505, "505 HTTP Version Not Supported\n"),
        ("nonsense\r\n\r\n", 400, ""),
        ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Connection: keep-alive\r\n"),
        (
            "GET /ten HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            400,
            "Connection: close\r\n",
        ),
        ("GET /ten HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200, "0123456789"),
        ("GET /ten HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\n", 400, ""),
        (
            "GET /ten HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            501,
            "Connection: close\r\n",
        ),
        ("GET /ten HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400, ""),
        (&format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414, "414 URI Too Long\n"),
        (&format!("GET /ten HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"), 431, too_large),
        (
            &format!("GET /ten HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(100)),
            431,
            too_large,
        ),
    ] {
        let answer = exchange(&server, request);
        let text = String::from_utf8_lossy(&answer);
        assert!(
            answer.len() > 12 && status(&answer) == expected && text.contains(says),
            "{request}: {expected}, {says}:\n{text}"
        );
        assert!(text.contains(" GMT\r\n"), "a Date");
        if request.starts_with("HEAD") {
            assert!(text.ends_with("\r\n\r\n"));
        }
    }
    assert!(
        exchange(&server, "GET /ten HT").is_empty(),
        "half a request and the end: there is no answer"
    );
    assert_eq!(server.shutdown(PATIENCE).cut_off, 0);
    assert!(troubles.lock().unwrap().is_empty(), "{troubles:?}");
}

#[test]
fn ranges_and_conditions() {
    let site = site();
    let (server, _) = start(&site.root(), calm());
    let mut client = Client::new(&server);
    let plain = client.get("/ten");
    let (tag, modified) = (plain.field("ETag").unwrap(), plain.field("Last-Modified").unwrap());
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (fields, status, range, body) in [
        ("Range: bytes=0-0".to_owned(), 206, "bytes 0-0/10", "0"),
        ("Range: bytes=2-4".to_owned(), 206, "bytes 2-4/10", "234"),
        ("Range: bytes=8-".to_owned(), 206, "bytes 8-9/10", "89"),
        ("Range: bytes=-3".to_owned(), 206, "bytes 7-9/10", "789"),
        ("Range: bytes=5-500".to_owned(), 206, "bytes 5-9/10", "56789"),
        ("Range: bytes=10-".to_owned(), 416, "bytes */10", "416 Range Not Satisfiable\n"),
        ("Range: bytes=-0".to_owned(), 416, "bytes */10", "416 Range Not Satisfiable\n"),
        ("Range: bytes=4-2".to_owned(), 200, "", "0123456789"),
        ("Range: bytes=0-1,3-4".to_owned(), 200, "", "0123456789"),
        ("Range: bytes=0-1\r\nRange: bytes=3-4".to_owned(), 200, "", "0123456789"),
        ("Range: lines=0-1".to_owned(), 200, "", "0123456789"),
        (format!("Range: bytes=2-4\r\nIf-Range: {tag}"), 206, "bytes 2-4/10", "234"),
        ("Range: bytes=2-4\r\nIf-Range: \"other\"".to_owned(), 200, "", "0123456789"),
        (format!("Range: bytes=2-4\r\nIf-Range: W/{tag}"), 200, "", "0123456789"),
        (format!("Range: bytes=2-4\r\nIf-Range: {modified}"), 200, "", "0123456789"),
        (format!("If-None-Match: {tag}"), 304, "", ""),
        (format!("If-None-Match: \"a\", W/{tag}"), 304, "", ""),
        ("If-None-Match: *".to_owned(), 304, "", ""),
        ("If-None-Match: \"a\"".to_owned(), 200, "", "0123456789"),
        (format!("If-None-Match: \"a\"\r\nIf-Modified-Since: {modified}"), 200, "", "0123456789"),
        (format!("If-Modified-Since: {modified}"), 304, "", ""),
        (format!("If-Modified-Since: {past}"), 200, "", "0123456789"),
        ("If-Modified-Since: yesterday".to_owned(), 200, "", "0123456789"),
        (format!("If-None-Match: {tag}\r\nRange: bytes=0-0"), 304, "", ""),
        ("If-Match: \"a\"".to_owned(), 412, "", "412 Precondition Failed\n"),
        (format!("If-Match: W/{tag}"), 412, "", "412 Precondition Failed\n"),
        (format!("If-Match: {tag}\r\nRange: bytes=0-0"), 206, "bytes 0-0/10", "0"),
        (format!("If-Unmodified-Since: {past}"), 412, "", "412 Precondition Failed\n"),
        (format!("If-Unmodified-Since: {modified}"), 200, "", "0123456789"),
    ] {
        let reply = client
            .send(format!("GET /ten HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"))
            .reply(false)
            .unwrap();
        let got = (
            reply.status,
            reply.field("Content-Range").unwrap_or(""),
            str::from_utf8(&reply.body).unwrap(),
        );
        assert_eq!(got, (status, range, body), "{fields}");
        if status < 400 {
            assert_eq!(reply.field("ETag"), Some(tag));
        }
        assert_eq!(status == 304, reply.field("Content-Length").is_none());
        // The text of an error is the server's, whatever the type of the file.
        let kind = match status {
            304 => None,
            400.. => Some("text/plain; charset=utf-8"),
            _ => plain.field("Content-Type"),
        };
        assert_eq!(reply.field("Content-Type"), kind, "{fields}");
    }
    for (fields, status) in [("Range: bytes=0-0", 200), ("Range: bytes=99-", 200)] {
        let head = client
            .send(format!("HEAD /ten HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"))
            .reply(true)
            .unwrap();
        assert_eq!(
            (head.status, head.field("Content-Length")),
            (status, Some("10")),
            "a range is for GET"
        );
    }
    let empty = client
        .send("GET /empty HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n")
        .reply(false)
        .unwrap();
    assert_eq!((empty.status, empty.field("Content-Range")), (416, Some("bytes */0")));
    fs::write(site.root().join("ten"), "9876543210").unwrap();
    assert_ne!(client.get("/ten").field("ETag"), Some(tag), "the same size at another time");
}

#[test]
fn keep_alive_and_pipelining() {
    let site = site();
    let (server, _) = start(&site.root(), calm());
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");

    let mut client = Client::new(&server);
    for byte in one("/ten").bytes() {
        client.send([byte]);
    }
    assert_eq!(client.reply(false).unwrap().body, b"0123456789", "one byte at a time");

    // Twenty requests in one write, for large and small files and for one that does not exist, and
    // the beginning of another request.
    let mut client = Client::new(&server);
    let paths = ["/ten", "/large", "/nothing", "/empty", "/"];
    let all: String = (0..20).map(|i| one(paths[i % 5])).collect();
    client.send(all + "GET /te").send(
        "n HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /ten HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    for i in 0..20 {
        let reply = client.reply(false).unwrap();
        let expected =
            [&b"0123456789"[..], &pattern(3 * MIB + 1), b"404 Not Found\n", b"", b"start"];
        assert!(reply.body == expected[i % 5], "{i}: {}", reply.head);
    }
    let last = client.reply(false).unwrap();
    assert_eq!((last.field("Connection"), &last.body[..]), (Some("close"), &b"0123456789"[..]));
    assert!(client.closed(), "a request after `close` is not answered");

    let mut client = Client::new(&server);
    let old =
        client.send("GET /ten HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").reply(false).unwrap();
    assert_eq!(old.field("Connection"), Some("keep-alive"));
    assert_eq!(
        client.send("GET /ten HTTP/1.0\r\n\r\n").reply(false).unwrap().field("Connection"),
        Some("close")
    );
    assert!(client.closed());

    // A body that one server reads as such may be a request to another. This server reads none.
    let mut client = Client::new(&server);
    client.send("GET /ten HTTP/1.1\r\nHost: a\r\nContent-Length: 39\r\n\r\n").send(one("/large"));
    assert_eq!(client.reply(false).unwrap().status, 400);
    assert!(client.closed());
}
