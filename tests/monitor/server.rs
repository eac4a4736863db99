//! The server: what it answers, and scrapers that misbehave.

use super::watch;
use perf_proved::measuring::monitor::http::{LOOPBACK, Limits, Page, Server};
use perf_proved::measuring::monitor::{Format, Registry};
use perf_proved_tests::{hears, set_buffer, soon};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const FREE: &str = "127.0.0.1:0";

fn registry() -> Registry {
    let registry = Registry::new();
    registry.counter("a", "", &[]).unwrap().with(&[]).add(5);
    registry
}

fn serve() -> Server {
    Server::start(&registry(), FREE, vec![], Limits::default()).unwrap()
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    String::from_utf8(hears(stream)).unwrap()
}

/// Asks for a path with these additional fields.
fn get(server: &Server, path: &str, fields: &str) -> String {
    ask(server.address(), &format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n"))
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("no answer")
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a head").1
}

/// Half of a request.
const HALF: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: ";

#[test]
fn a_scrape_is_the_text_with_its_type_and_length() {
    let _watch = watch();
    let server = serve();
    let answer = get(&server, "/metrics", "");
    assert_eq!(status(&answer), "200");
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(field(&answer, "Content-Type"), Some(content_type));
    let mut text = vec![];
    registry().render(Format::Prometheus, &mut text);
    assert_eq!(body(&answer).as_bytes(), text);
    assert_eq!(field(&answer, "Content-Length"), Some(text.len().to_string().as_str()));
    assert_eq!(field(&answer, "Connection"), Some("close"));
    // A query is none of its business.
    assert_eq!(body(&get(&server, "/metrics?name[]=a", "")), body(&answer));
}

/// The first three are what scrapers send: Prometheus 2.5, 2.43, and 3.
#[test]
fn the_format_is_the_one_that_the_scraper_prefers() {
    let _watch = watch();
    let server = serve();
    for (accept, is_open_metrics) in [
        (
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            false,
        ),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
             version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            true,
        ),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;\
             escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            true,
        ),
        ("application/openmetrics-text", true),
        ("Application/OpenMetrics-Text; Version=1.0.0", true),
        ("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", true),
        ("application/openmetrics-text; version=2.0.0", false),
        ("application/openmetrics-text;q=0", false),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.9", false),
        ("text/plain;q=0.3,application/openmetrics-text;q=0.9", true),
        ("application/openmetrics-text;q=0.5,*/*", false),
        ("application/openmetrics-text;q=x", false),
        ("*/*", false),
        ("text/html", false),
        ("", false),
        (";;,=,q=1,\u{7f}", false),
    ] {
        let answer = get(&server, "/metrics", &format!("Accept: {accept}\r\n"));
        if answer.starts_with("HTTP/1.1 400") {
            assert!(accept.contains('\u{7f}'), "{accept}");
            continue;
        }
        let format = if is_open_metrics { Format::OpenMetrics } else { Format::Prometheus };
        assert_eq!(field(&answer, "Content-Type"), Some(format.content_type()), "{accept}");
        assert_eq!(answer.ends_with("\n# EOF\n"), is_open_metrics, "{accept}");
    }
    // Two fields are one list.
    let accepts = "Accept: text/plain;q=0.5\r\naccept: application/openmetrics-text\r\n";
    assert!(get(&server, "/metrics", accepts).ends_with("# EOF\n"));
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(Format::OpenMetrics.content_type(), open_metrics);
}

#[test]
fn head_has_the_length_and_no_body() {
    let _watch = watch();
    let server = serve();
    let full = get(&server, "/metrics", "");
    let head = ask(server.address(), "HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(body(&head), "");
    for name in ["Content-Type", "Content-Length"] {
        assert_eq!(field(&head, name), field(&full, name));
    }
    let missing = ask(server.address(), "HEAD /none HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((status(&missing), body(&missing)), ("404", ""));
}

#[test]
fn requests_for_anything_else_are_refused() {
    let _watch = watch();
    let server = serve();
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("GET /metrics/ HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("GET /Metrics HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "405"),
        ("DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
        ("GET /metrics HTTP/1.1\r\n\r\n", "400"),
        ("GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", "400"),
        ("nonsense\r\n\r\n", "400"),
        ("GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n", "505"),
    ] {
        let answer = ask(server.address(), request);
        assert_eq!(status(&answer), expected, "{request}");
        assert_eq!(field(&answer, "Allow").is_some(), expected == "405", "{request}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(9000));
    assert_eq!(status(&ask(server.address(), &long)), "414");
    assert_eq!(status(&get(&server, "/metrics", "")), "200", "it serves all the same");
}

#[test]
fn two_scrapers_are_answered_at_once() {
    let _watch = watch();
    let server = serve();
    let mut first = TcpStream::connect(server.address()).unwrap();
    first.write_all(HALF).unwrap();
    assert_eq!(status(&get(&server, "/metrics", "")), "200");
    first.write_all(b"a\r\n\r\n").unwrap();
    assert_eq!(status(&String::from_utf8(hears(first)).unwrap()), "200");
}

fn hurried(connections: usize) -> Server {
    let limits = Limits { connections, deadline: Duration::from_millis(300) };
    Server::start(&registry(), FREE, vec![], limits).unwrap()
}

#[test]
fn a_scraper_that_stops_in_its_request_is_answered_408_and_one_that_says_nothing_closed() {
    let _watch = watch();
    let server = hurried(8);
    let mut half = TcpStream::connect(server.address()).unwrap();
    let silent = TcpStream::connect(server.address()).unwrap();
    half.write_all(HALF).unwrap();
    assert_eq!(status(&String::from_utf8(hears(half)).unwrap()), "408");
    assert_eq!(hears(silent), b"");
}

/// A timeout for each read would begin again with each byte.
#[test]
fn bytes_now_and_then_do_not_extend_the_deadline() {
    let _watch = watch();
    let server = hurried(8);
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(HALF).unwrap();
    let deadline = soon();
    while slow.write_all(b"a").is_ok() {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_scraper_that_goes_away_in_its_request_ends_it() {
    let _watch = watch();
    let server = serve();
    let mut half = TcpStream::connect(server.address()).unwrap();
    half.write_all(HALF).unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    assert_eq!(hears(half), b"");
}

/// The answer is larger than the buffers of both sockets, and the scraper reads nothing. Until the
/// deadline it has the only connection.
#[test]
fn a_scraper_that_reads_nothing_is_cut_off_at_the_deadline() {
    let _watch = watch();
    let registry = registry();
    let big = registry.gauge("big", "", &["x"]).unwrap();
    big.with(&[&"x".repeat(32 << 20)]).set(1.0);
    let limits = Limits { connections: 1, deadline: Duration::from_millis(500) };
    let server = Server::start(&registry, FREE, vec![], limits).unwrap();
    let mut stuck = TcpStream::connect(server.address()).unwrap();
    set_buffer(&stuck, libc::SO_RCVBUF, 4096);
    stuck.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let deadline = soon();
    let mut answers = vec![];
    loop {
        assert!(Instant::now() < deadline, "{answers:?}");
        // One that is turned away before it has asked may be reset.
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let _reset = stream.write_all(b"GET /none HTTP/1.0\r\n\r\n");
        let mut answer = String::new();
        let _reset = stream.read_to_string(&mut answer);
        answers.push(status(&answer).to_owned());
        if answers.last().is_some_and(|last| last == "404") {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    assert!(answers.contains(&"503".to_owned()), "{answers:?}");
}

#[test]
fn one_connection_too_many_is_answered_503() {
    let _watch = watch();
    let server =
        Server::start(&registry(), FREE, vec![], Limits { connections: 1, ..Limits::default() });
    let server = server.unwrap();
    let mut first = TcpStream::connect(server.address()).unwrap();
    first.write_all(HALF).unwrap();
    let second = TcpStream::connect(server.address()).unwrap();
    let answer = String::from_utf8(hears(second)).unwrap();
    assert_eq!(status(&answer), "503");
    first.write_all(b"a\r\n\r\n").unwrap();
    assert_eq!(status(&String::from_utf8(hears(first)).unwrap()), "200");
}

/// Closing with bytes unread would reset the connection, and could take the answer along. The
/// server goes on reading for a second.
#[test]
fn bytes_after_the_request_do_not_cost_the_answer() {
    let _watch = watch();
    let server = serve();
    let begun = Instant::now();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\nand more").unwrap();
    assert!(String::from_utf8(hears(&stream)).unwrap().contains("a_total 5\n"));
    for _ in 0..20 {
        let written = stream.write_all(b"and more");
        assert!(written.is_ok() || begun.elapsed() > Duration::from_secs(1), "{written:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn pages_are_served_with_their_policy_and_a_panic_is_500() {
    let _watch = watch();
    let page = |path, body: fn() -> Vec<u8>| Page {
        path,
        content_type: "text/html; charset=utf-8",
        policy: "default-src 'none'",
        body: Box::new(body),
    };
    let pages = vec![
        page("/", || b"<p>here".to_vec()),
        page("/bad", || panic!("a panic that this test wants")),
    ];
    let server = Server::start(&registry(), FREE, pages, Limits::default()).unwrap();
    let answer = get(&server, "/", "");
    assert_eq!((status(&answer), body(&answer)), ("200", "<p>here"));
    assert_eq!(field(&answer, "Content-Type"), Some("text/html; charset=utf-8"));
    assert_eq!(field(&answer, "Content-Security-Policy"), Some("default-src 'none'"));
    assert_eq!(field(&answer, "X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(status(&get(&server, "/bad", "")), "500");
    let metrics = get(&server, "/metrics", "");
    assert_eq!((status(&metrics), field(&metrics, "Content-Security-Policy")), ("200", None));
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind(FREE).unwrap();
    let address = taken.local_addr().unwrap();
    let error = Server::start(&registry(), address, vec![], Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("listening on {address}: ")), "{error}");
}

#[test]
fn only_this_machine_reaches_the_default_address() {
    assert!(LOOPBACK.parse::<SocketAddr>().unwrap().ip().is_loopback());
}

#[test]
fn dropping_it_ends_the_answers_under_way_and_frees_the_port() {
    let _watch = watch();
    for address in [FREE, "0.0.0.0:0"] {
        let server = Server::start(&registry(), address, vec![], Limits::default()).unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], server.address().port()));
        let mut open = TcpStream::connect(to).unwrap();
        open.write_all(HALF).unwrap();
        // Accepted after it, and answered: so it is accepted, too.
        assert_eq!(status(&ask(to, "GET /metrics HTTP/1.0\r\n\r\n")), "200");
        thread::scope(|scope| {
            let dropping = scope.spawn(|| drop(server));
            open.write_all(b"a\r\n\r\n").unwrap();
            assert_eq!(status(&String::from_utf8(hears(&open)).unwrap()), "200");
            dropping.join().unwrap();
        });
        assert!(TcpStream::connect(to).is_err(), "{address}");
        TcpListener::bind(to).unwrap();
    }
}
