//! `sendfile` sends exactly the range it was asked for or reports how much it sent, and the file
//! server keeps to its limits and its root.
#![cfg(target_os = "linux")]

use perf_proved::harness::loopback::pair;
use perf_proved::harness::scratch::{Scratch, pattern};
use perf_proved::zero_copy::sendfile::experiment;
use perf_proved::zero_copy::sendfile::http::date;
use perf_proved::zero_copy::sendfile::http::head::{content_type, reason};
use perf_proved::zero_copy::sendfile::http::request::{Parsed, parse, percent_decode};
use perf_proved::zero_copy::sendfile::http::version::{Part, Version, part};
use perf_proved::zero_copy::sendfile::root::Root;
use perf_proved::zero_copy::sendfile::server::{Counts, FileServer, Limits, Site};
use perf_proved::zero_copy::sendfile::variants::Variant;
use perf_proved::zero_copy::sendfile::{
    MAX_PER_CALL, naive, send_range, send_range_with, sendfile,
};
use perf_proved_tests::{PATIENCE, only, passed, reads_all, signals, soon};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{array, env};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

// ---------------------------------------------------------------- sending

#[test]
fn exactly_the_range_arrives_and_the_file_position_stays() {
    let scratch = Scratch::new().unwrap();
    let whole = pattern(MIB + 5000);
    let mut file = File::open(scratch.file("file", whole.len()).unwrap()).unwrap();
    file.seek(io::SeekFrom::Start(17)).unwrap();
    for start in [0, 1, 4095, 4096, 4097] {
        for length in [0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1] {
            for nonblocking in [false, true] {
                let (peer, socket) = pair().unwrap();
                socket.set_nonblocking(nonblocking).unwrap();
                let peer = reads_all(peer);
                send_range(&socket, &file, start as u64..(start + length) as u64, soon()).unwrap();
                drop(socket);
                assert!(
                    peer.join().unwrap() == whole[start..start + length],
                    "{length} bytes from {start}"
                );
            }
        }
    }
    assert_eq!(file.stream_position().unwrap(), 17);
}

#[test]
fn every_variant_sends_the_file_up_to_the_length_and_no_further() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 300_001).unwrap()).unwrap();
    for name in Variant::NAMES {
        let mut variant = Variant::new(name).unwrap();
        for length in [1, 4096, 65_537, 300_001] {
            let (peer, socket) = pair().unwrap();
            let peer = reads_all(peer);
            variant.send(&socket, &file, length as u64).unwrap();
            drop(socket);
            assert!(peer.join().unwrap() == pattern(length), "{name}, {length}");
        }
        let (peer, socket) = pair().unwrap();
        let peer = reads_all(peer);
        assert!(variant.send(&socket, &file, 400_000).is_err(), "{name}: a file that is shorter");
        drop(socket);
        peer.join().unwrap();
    }
}

#[test]
fn a_slow_reader_gets_everything() {
    let scratch = Scratch::new().unwrap();
    let file = File::open(scratch.file("file", 12 * MIB).unwrap()).unwrap();
    let (mut peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let peer = thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 64 * KIB]);
        while let count @ 1.. = peer.read(&mut buffer).unwrap() {
            all.extend_from_slice(&buffer[..count]);
            thread::sleep(Duration::from_millis(1));
        }
        all
    });
    let mut waited = 0;
    let range = 0..12 * MIB as u64;
    send_range_with(&socket, &file, range, || {
        waited += 1;
        thread::sleep(Duration::from_millis(1));
        Ok(())
    })
    .unwrap();
    drop(socket);
    assert!(peer.join().unwrap() == pattern(12 * MIB));
    assert!(waited > 0, "the socket was never full, so nothing was tested");
}

#[test]
fn a_missed_deadline_reports_how_much_was_sent() {
    let scratch = Scratch::new().unwrap();
    let file = sparse(&scratch, "file", 64 << 20);
    let (mut peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let error = send_range(&socket, &file, 0..64 << 20, Instant::now() + Duration::from_millis(50))
        .unwrap_err();
    assert_eq!((error.cause.kind(), error.of), (ErrorKind::TimedOut, 64 << 20));
    assert!(
        error.to_string().starts_with(&format!("sent {} of 67108864 bytes", error.sent)),
        "{error}"
    );
    drop(socket);
    assert_eq!(
        peer.read_to_end(&mut Vec::new()).unwrap() as u64,
        error.sent,
        "the peer reads what was sent, and no more"
    );
}

#[test]
fn an_interrupted_transfer_loses_nothing() {
    signals::catch();
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("file", 8 * MIB).unwrap();
    for nonblocking in [false, true] {
        let (mut peer, socket) = pair().unwrap();
        socket.set_nonblocking(nonblocking).unwrap();
        let file = File::open(&path).unwrap();
        let sender = thread::spawn(move || {
            let result = send_range(&socket, &file, 0..8 * MIB as u64, soon());
            drop(socket);
            result
        });
        let (mut all, mut buffer) = (Vec::new(), vec![0; 64 * KIB]);
        while let count @ 1.. = peer.read(&mut buffer).unwrap() {
            all.extend_from_slice(&buffer[..count]);
            signals::interrupt(&sender);
            thread::sleep(Duration::from_micros(200));
        }
        sender.join().unwrap().unwrap();
        assert!(all == pattern(8 * MIB));
    }
    assert!(signals::caught() > 0, "no signal came");
}

#[test]
fn a_reset_is_an_error() {
    let scratch = Scratch::new().unwrap();
    let file = sparse(&scratch, "file", 64 << 20);
    for nonblocking in [false, true] {
        let (mut peer, socket) = pair().unwrap();
        socket.set_nonblocking(nonblocking).unwrap();
        // Reads a part, and closes with bytes unread.
        let peer = thread::spawn(move || peer.read_exact(&mut vec![0; MIB]).unwrap());
        let error = send_range(&socket, &file, 0..64 << 20, soon()).unwrap_err();
        peer.join().unwrap();
        assert!(
            matches!(error.cause.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "{error}"
        );
        assert!(error.sent < error.of);
    }
}

#[test]
fn a_file_that_shrinks_is_an_error_and_one_that_grows_is_not() {
    let scratch = Scratch::new().unwrap();
    for (name, becomes) in [("shrinks", 0), ("grows", 128 << 20)] {
        let file = sparse(&scratch, name, 64 << 20);
        let (mut peer, socket) = pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut reader = None;
        let result = send_range_with(&socket, &file, 0..64 << 20, || {
            // The first time the socket is full, the file changes, and only then the peer reads.
            reader.get_or_insert_with(|| {
                file.set_len(becomes).unwrap();
                reads_all(peer.try_clone().unwrap())
            });
            thread::yield_now();
            Ok(())
        });
        drop(socket);
        let arrived = reader.unwrap().join().unwrap().len() as u64;
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        match result {
            Ok(()) => assert_eq!((name, arrived), ("grows", 64 << 20)),
            Err(error) => {
                assert_eq!((name, error.cause.kind()), ("shrinks", ErrorKind::UnexpectedEof));
                assert_eq!(error.sent, arrived);
            }
        }
    }
}

#[test]
fn files_beyond_two_gibibytes_take_several_calls() {
    let length = (2_u64 << 30) + 1;
    // SAFETY: the name ends in NUL; the descriptor is new and owned by nothing else.
    let file =
        unsafe { File::from_raw_fd(libc::memfd_create(c"large".as_ptr(), libc::MFD_CLOEXEC)) };
    file.set_len(length).unwrap();
    let null = OpenOptions::new().write(true).open("/dev/null").unwrap();
    let mut at = 0;
    assert_eq!(
        sendfile(&null, &file, &mut at, length as usize).unwrap(),
        MAX_PER_CALL,
        "one call has a limit"
    );
    assert_eq!(at, MAX_PER_CALL as u64);
    send_range(&null, &file, 0..length, soon()).unwrap();
    let error = send_range(&null, &file, 1..length + 7, soon()).unwrap_err();
    assert_eq!((error.sent, error.cause.kind()), (length - 1, ErrorKind::UnexpectedEof));
    assert!(sendfile(&null, &file, &mut u64::MAX.clone(), 1).is_err(), "no such offset");
}

// ---------------------------------------------------------------- the naive version's faults

#[test]
fn naive_sends_a_part_after_promising_the_whole() {
    let scratch = Scratch::new().unwrap();
    sparse(&scratch, "file", 64 << 20);
    let (mut peer, socket) = pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let error = naive::serve_file(&socket, scratch.path().to_str().unwrap(), "file").unwrap_err();
    assert!(error.to_string().starts_with("incomplete transfer: "), "{error}");
    drop(socket);
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n"));
    assert!(answer.len() < 64 << 20);
}

#[test]
fn naive_stops_short_of_two_gibibytes_on_a_blocking_socket() {
    // SAFETY: as above.
    let file =
        unsafe { File::from_raw_fd(libc::memfd_create(c"large".as_ptr(), libc::MFD_CLOEXEC)) };
    let length = (2 << 30) + 1;
    file.set_len(length).unwrap();
    let (mut peer, socket) = pair().unwrap();
    let peer = thread::spawn(move || {
        let (mut total, mut buffer) = (0, vec![0; MIB]);
        while let count @ 1.. = peer.read(&mut buffer).unwrap() {
            total += count;
        }
        total
    });
    assert_eq!(naive::send_file(&socket, &file, length).unwrap(), 2_147_479_552);
    drop(socket);
    assert_eq!(peer.join().unwrap(), MAX_PER_CALL);
}

#[test]
fn naive_serves_files_outside_the_root() {
    let site = site();
    let (mut peer, socket) = pair().unwrap();
    naive::serve_file(&socket, site.root().to_str().unwrap(), "../secret").unwrap();
    drop(socket);
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(SECRET));
}

#[test]
fn naive_answers_200_for_a_directory() {
    let site = site();
    let (mut peer, socket) = pair().unwrap();
    assert!(naive::serve_file(&socket, site.root().to_str().unwrap(), "directory").is_err());
    drop(socket);
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
}

// ---------------------------------------------------------------- heads

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

// ---------------------------------------------------------------- the server

const SECRET: &str = "what lies outside of the root";

/// A root, and a secret beside it.
struct Place(Scratch);

impl Place {
    fn root(&self) -> std::path::PathBuf {
        self.0.path().join("root")
    }
}

/// Makes a root with files, links and other entries of every kind.
fn site() -> Place {
    let place = Place(Scratch::new().unwrap());
    let root = place.root();
    for directory in ["directory", "with index", "index/index.html"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(place.0.path().join("secret"), SECRET).unwrap();
    fs::create_dir(place.0.path().join("beside")).unwrap();
    fs::write(place.0.path().join("beside/secret"), SECRET).unwrap();
    fs::write(root.join("index.html"), "start").unwrap();
    fs::write(root.join("with index/index.html"), "inner").unwrap();
    fs::write(root.join("ten"), "0123456789").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join("a b%.txt"), "odd").unwrap();
    fs::write(root.join("back\\slash"), "odd").unwrap();
    place.0.file("root/large", 3 * MIB + 1).unwrap();
    File::create(root.join("huge")).unwrap().set_len(64 << 20).unwrap();
    symlink("ten", root.join("inside")).unwrap();
    symlink("../ten", root.join("directory/inside")).unwrap();
    symlink("../secret", root.join("out")).unwrap();
    symlink("../beside", root.join("outdirectory")).unwrap();
    symlink(place.0.path().join("secret"), root.join("absolute")).unwrap();
    symlink(root.join("ten"), root.join("absolute-inside")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let fifo = std::ffi::CString::new(root.join("fifo").to_str().unwrap()).unwrap();
    // SAFETY: a path that ends in NUL.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o644) }, 0);
    drop(UnixListener::bind(root.join("socket")).unwrap());
    place
}

/// The errors that a server has reported: kind and message.
type Troubles = Arc<Mutex<Vec<(ErrorKind, String)>>>;

fn start(root: &Path, limits: Limits) -> (FileServer, Troubles) {
    start_at("127.0.0.1:0", root, limits)
}

fn start_at(address: &str, root: &Path, limits: Limits) -> (FileServer, Troubles) {
    let troubles = Troubles::default();
    let theirs = troubles.clone();
    let report = move |_: Option<SocketAddr>, error: &io::Error| {
        theirs.lock().unwrap().push((error.kind(), error.to_string()));
    };
    (FileServer::start(root, address, limits, report).unwrap(), troubles)
}

/// Waits until the server has reported an error of `kind`.
fn reported(troubles: &Troubles, kind: ErrorKind) {
    let deadline = soon();
    while !troubles.lock().unwrap().iter().any(|(other, _)| *other == kind) {
        assert!(Instant::now() < deadline, "no {kind:?} among {:?}", troubles.lock().unwrap());
        thread::sleep(Duration::from_millis(5));
    }
}

struct Client(TcpStream);

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Client {
    fn new(server: &FileServer) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.write_all(bytes.as_ref()).unwrap();
        self
    }

    fn get(&mut self, path: &str) -> Reply {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).reply(false).unwrap()
    }

    fn head(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok(String::from_utf8(head).unwrap())
    }

    fn reply(&mut self, head_only: bool) -> io::Result<Reply> {
        let head = self.head()?;
        let mut reply = Reply { status: head[9..12].parse().unwrap(), head, body: vec![] };
        if !head_only && let Some(length) = reply.field("Content-Length") {
            reply.body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut reply.body)?;
        }
        Ok(reply)
    }

    /// Returns `true` if the server has closed the connection without a reset.
    fn closed(&mut self) -> bool {
        self.0.read(&mut [0]).unwrap() == 0
    }
}

/// Sends one request on a new connection, and returns everything up to its end.
fn exchange(server: &FileServer, request: impl AsRef<[u8]>) -> Vec<u8> {
    let mut client = Client::new(server);
    client.send(request);
    client.0.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.0.read_to_end(&mut answer).unwrap();
    answer
}

fn status(answer: &[u8]) -> u16 {
    str::from_utf8(&answer[9..12]).unwrap().parse().unwrap()
}

fn calm() -> Limits {
    Limits { idle: PATIENCE, head: PATIENCE, body_per_mib: PATIENCE, ..Limits::default() }
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

#[test]
fn no_path_leads_outside() {
    let site = site();
    let (server, _) = start(&site.root(), calm());
    let outside = site.0.path().to_str().unwrap().to_owned();
    let long = "a/".repeat(2000);
    let name = "n".repeat(256);
    let deep = "../".repeat(100);
    let mut paths: Vec<Vec<u8>> = [
        "/../secret",
        "/directory/../../secret",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/..%2fsecret",
        "/.%2e/secret",
        "/%2E%2E/secret",
        "/%252e%252e/secret",
        "/%252e%252e%252fsecret",
        "/..%5csecret",
        "/..\\secret",
        "/%5c..%5csecret",
        "/..;/secret",
        "/directory/%2e%2e/%2e%2e/secret",
        "/./../secret",
        "/.../secret",
        "//secret",
        "//../secret",
        "/%2fsecret",
        "/%2f..%2fsecret",
        "/%c0%ae%c0%ae/secret",
        "/%e0%80%ae%e0%80%ae/secret",
        "/%uff0e%uff0e/secret",
        "/..%00/secret",
        "/%00",
        "/ten%00.html",
        "/ten%00",
        "/out",
        "/out/",
        "/outdirectory/secret",
        "/outdirectory/",
        "/absolute",
        "/absolute-inside",
        "/magic/etc/passwd",
        "/magic",
        "/loop",
        "/fifo",
        "/socket",
        "/fifo/",
        "/%",
        "/%2",
        "/%2g",
        "/ten/../../secret",
        "/ten/.",
        "/..",
        "/%2e%2e",
        "/../",
        "/../root/ten",
        "http://a/../secret",
        "http://../secret",
        "/?/../../secret",
        "/inside/../../secret",
    ]
    .iter()
    .map(|path| path.as_bytes().to_vec())
    .collect();
    paths.push(format!("/{deep}etc/passwd").into());
    paths.push(format!("/{}etc/passwd", "%2e%2e%2f".repeat(100)).into());
    paths.push(format!("/{outside}/secret").into());
    paths.push(format!("{outside}/secret").into());
    paths.push(format!("/%2f{outside}/secret").into());
    paths.push(format!("/{long}").into());
    paths.push(format!("/{name}").into());
    paths.push(format!("/{}", "directory/../".repeat(300) + "../secret").into());
    paths.extend(
        (0..=255)
            .filter(|byte| !b" ?\r\n".contains(byte))
            .map(|byte| vec![b'/', b'.', b'.', byte, b's', b'e', b'c', b'r', b'e', b't']),
    );
    for path in paths {
        let shown = String::from_utf8_lossy(&path).into_owned();
        let answer =
            exchange(&server, [b"GET ", &path[..], b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains(SECRET) && !text.contains("root:"), "{shown}:\n{text}");
        if shown != "/?/../../secret" && shown != "http://../secret" && shown != "/ten/." {
            assert!(matches!(status(&answer), 400 | 404 | 414 | 431), "{shown}:\n{text}");
        }
    }
    assert_eq!(exchange(&server, "GET /ten HTTP/1.0\r\n\r\n")[9..12], *b"200", "it still serves");
}

#[test]
fn devices_and_magic_links_are_not_files() {
    for (root, paths) in [
        ("/dev", &["/null", "/zero", "/full", "/tty", "/random", "/stdin", "/fd/0"][..]),
        (
            "/proc/self",
            &[
                "/root/etc/passwd",
                "/exe",
                "/cwd/Cargo.toml",
                "/fd/0",
                "/task/../root/etc/passwd",
                "/ns/net",
            ][..],
        ),
    ] {
        let (server, _) = start(root.as_ref(), calm());
        for path in paths {
            let answer = exchange(&server, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            assert!(
                matches!(status(&answer), 403 | 404),
                "{root}{path}: {}",
                String::from_utf8_lossy(&answer[..80])
            );
        }
    }
    let missing = Root::open("/no/such/directory".as_ref()).err().unwrap();
    assert!(missing.to_string().contains("/no/such/directory"), "{missing}");
    assert!(Root::open("/etc/passwd".as_ref()).is_err(), "a file cannot be a root");
}

#[test]
fn a_slow_head_times_out_and_an_idle_connection_is_closed() {
    let site = site();
    let limits =
        Limits { head: Duration::from_millis(200), idle: Duration::from_millis(400), ..calm() };
    let (server, troubles) = start(&site.root(), limits);
    let mut slow = Client::new(&server);
    slow.0.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let (begun, deadline) = (Instant::now(), soon());
    // One byte every 20 ms, for as long as the server reads.
    for byte in b"GET /ten HTTP/1.1\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
        if slow.0.write_all(&[*byte]).is_err() || slow.0.peek(&mut [0]).is_ok_and(|count| count > 0)
        {
            break;
        }
        assert!(Instant::now() < deadline, "the server still reads");
    }
    assert!(begun.elapsed() >= Duration::from_millis(200));
    slow.0.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(slow.reply(false).unwrap().status, 408);

    let mut idle = Client::new(&server);
    assert_eq!(idle.get("/ten").status, 200);
    assert!(idle.closed(), "closed without a response");
    let mut silent = Client::new(&server);
    assert!(silent.closed(), "closed even before the first request");
    assert!(troubles.lock().unwrap().is_empty());
}

#[test]
fn a_stalled_reader_is_reset_and_frees_its_connection() {
    let site = site();
    let limits = Limits { connections: 1, body_per_mib: Duration::from_millis(200), ..calm() };
    let (server, troubles) = start(&site.root(), limits);
    let mut reader = Client::new(&server);
    reader.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    reported(&troubles, ErrorKind::TimedOut);
    assert!(troubles.lock().unwrap()[0].1.starts_with("sent "), "{troubles:?}");
    assert_eq!(first_200(&server), b"0123456789");
    let mut rest = Vec::new();
    let end = reader.0.read_to_end(&mut rest);
    assert!(
        end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset) && rest.len() < 64 << 20
    );
}

#[test]
fn a_trickle_of_progress_does_not_extend_the_deadline() {
    let place = site();
    let site =
        Site::new(&place.root(), Limits { body_per_mib: Duration::from_millis(300), ..calm() })
            .unwrap();
    let (mut client, socket) = pair().unwrap();
    // With the usual buffers the kernel wakes the server for about a MiB at a time, with these for
    // some 64 KiB.
    let set = |fd: libc::c_int, option, bytes: libc::c_int| {
        let size = size_of_val(&bytes) as libc::socklen_t;
        // SAFETY: the socket is open, `bytes` is live and `size` is its size.
        let result = unsafe {
            libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const bytes).cast(), size)
        };
        assert_eq!(result, 0);
    };
    set(socket.as_raw_fd(), libc::SO_SNDBUF, 32 << 10);
    set(client.as_raw_fd(), libc::SO_RCVBUF, 64 << 10);
    client.write_all(b"GET /huge HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let reader = thread::spawn(move || {
        let deadline = soon();
        while Instant::now() < deadline && client.read_exact(&mut [0; 8192]).is_ok() {
            thread::sleep(Duration::from_millis(8));
        }
    });
    assert_eq!(site.serve(socket).unwrap_err().kind(), ErrorKind::TimedOut);
    reader.join().unwrap();
}

/// Asks for `/ten` until the server has a free connection, and returns the body.
fn first_200(server: &FileServer) -> Vec<u8> {
    let deadline = soon();
    loop {
        let mut client = Client::new(server);
        let reply = client
            .0
            .write_all(b"GET /ten HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .and_then(|()| client.reply(false));
        match reply {
            Ok(reply) if reply.status == 200 => return reply.body,
            reply => assert!(Instant::now() < deadline, "{reply:?}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_connection_beyond_the_limit_is_answered_503_at_once() {
    let site = site();
    let (server, _) = start(&site.root(), Limits { connections: 2, ..calm() });
    let mut inside = [Client::new(&server), Client::new(&server)];
    inside.iter_mut().for_each(|client| assert_eq!(client.get("/ten").status, 200));
    let mut third = Client::new(&server);
    let refused = third.reply(false).unwrap();
    assert_eq!((refused.status, refused.field("Retry-After")), (503, Some("1")));
    assert!(third.closed());
    assert_eq!(server.counts().failed, 0, "to refuse a client is no error");
    inside.iter_mut().for_each(|client| {
        assert_eq!(client.get("/ten").status, 200, "open connections are not affected")
    });
    drop(inside);
    assert_eq!(first_200(&server), b"0123456789");
    assert!(server.counts().refused >= 1);
}

#[test]
fn a_file_that_shrinks_ends_its_connection_and_no_other() {
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    let mut other = Client::new(&server);
    assert_eq!(other.get("/ten").status, 200);
    let mut client = Client::new(&server);
    let request = "GET /huge HTTP/1.1\r\nHost: a\r\nRange: bytes=1000-\r\n\r\n";
    let head = client.send(request).head().unwrap();
    assert!(head.contains("Content-Length: 67107864\r\n"));
    OpenOptions::new().write(true).open(site.root().join("huge")).unwrap().set_len(0).unwrap();
    let rest = client.0.read_to_end(&mut Vec::new()).unwrap();
    assert!(rest < 64 << 20, "the promised length cannot be sent, and the client can tell");
    reported(&troubles, ErrorKind::UnexpectedEof);
    let sent = format!("sent {rest} of 67107864 bytes of the file: ");
    assert!(troubles.lock().unwrap()[0].1.starts_with(&sent), "{sent}: {troubles:?}");
    assert_eq!(other.get("/ten").body, b"0123456789");
}

#[test]
fn shutdown_finishes_what_is_in_flight() {
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    let address = server.address();
    let mut idle = Client::new(&server);
    assert_eq!(idle.get("/ten").status, 200);
    let mut busy = Client::new(&server);
    busy.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n").head().unwrap();
    let begun = Instant::now();
    let shutdown = thread::spawn(move || server.shutdown(PATIENCE));
    assert!(idle.closed(), "an idle connection ends at once");
    assert!(!shutdown.is_finished());
    busy.0.read_exact(&mut vec![0; 64 << 20]).unwrap();
    drop(busy);
    let counts = shutdown.join().unwrap();
    assert!(begun.elapsed() < PATIENCE, "the last connection wakes it");
    assert_eq!(
        (counts.accepted, counts.responses, counts.cut_off, counts.failed),
        (2, 2, 0, 0),
        "{troubles:?}"
    );
    assert!(TcpStream::connect(address).is_err(), "the port is closed");
}

#[test]
fn shutdown_cuts_off_what_outlasts_its_grace_period() {
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    let mut stalled = Client::new(&server);
    stalled.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n").head().unwrap();
    let mut half = Client::new(&server);
    half.send("GET /ten HT");
    while server.counts().accepted < 2 {
        thread::yield_now();
    }
    let begun = Instant::now();
    let counts = server.shutdown(Duration::from_millis(100));
    assert!(begun.elapsed() < PATIENCE);
    assert!(counts.cut_off >= 1, "{counts:?}");
    reported(&troubles, ErrorKind::ConnectionAborted);
}

#[test]
fn an_address_in_use_is_named() {
    let place = site();
    let (server, _) = start(&place.root(), calm());
    let address = server.address().to_string();
    let error = FileServer::start(&place.root(), &*address, calm(), |_, _| {}).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    assert!(error.to_string().starts_with(&format!("listening on {address}: ")), "{error}");
    drop(server);
    let (again, _) = start_at(&address, &place.root(), calm());
    assert_eq!(again.address().to_string(), address, "dropping a server frees its address");
}

#[test]
fn a_report_that_panics_ends_neither_a_connection_nor_the_server() {
    let place = site();
    let limits = Limits { body_per_mib: Duration::from_millis(50), ..calm() };
    let server = FileServer::start(&place.root(), "127.0.0.1:0", limits, |_, error| {
        panic!("standard error is full, and {error} cannot be written to it");
    });
    let server = server.unwrap();
    let mut stalled = Client::new(&server);
    stalled.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    let deadline = soon();
    while server.counts().failed == 0 {
        assert!(Instant::now() < deadline, "the stalled client is never reported");
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Client::new(&server).get("/ten").body, b"0123456789");
    let counts = server.shutdown(PATIENCE);
    assert_eq!((counts.responses, counts.cut_off), (1, 0), "{counts:?}");
}

// ---------------------------------------------------------------- in separate processes

/// Returns `true` in the process that runs only this test. Otherwise starts that process and checks
/// that the test passes there.
fn in_a_process(test: &str) -> bool {
    if env::var_os("PERF_PROVED_ALONE").is_some() {
        return true;
    }
    passed(&only(test).env("PERF_PROVED_ALONE", "1").output().unwrap());
    false
}

fn entries(directory: &str) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn well_behaved_clients_are_served_beside_ill_behaved_ones() {
    if !in_a_process("well_behaved_clients_are_served_beside_ill_behaved_ones") {
        return;
    }
    let site = site();
    let large = pattern(3 * MIB + 1);
    site.0.file("root/shrinking", MIB).unwrap();
    let before = (entries("/proc/self/fd"), entries("/proc/self/task"));
    let limits = Limits { connections: 400, body_per_mib: PATIENCE, ..calm() };
    let (server, troubles) = start(&site.root(), limits);
    let stop = AtomicBool::new(false);
    let served = AtomicU64::new(0);
    let outcome: Counts = thread::scope(|scope| {
        let (server, stop, served, large, site) = (&server, &stop, &served, &large, &site);
        // Some read a head and nothing else, until the end.
        let stalled: [Client; 20] = array::from_fn(|_| {
            let mut client = Client::new(server);
            client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        });
        // Some go away in the middle of a body.
        for _ in 0..10 {
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    let mut client = Client::new(server);
                    client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
                    let _ = client.0.read(&mut [0; 5000]);
                    thread::sleep(Duration::from_millis(5));
                }
            });
        }
        // One file shrinks and grows all the time. A client that asks for it gets either size.
        scope.spawn(move || {
            let file = OpenOptions::new().write(true).open(site.root().join("shrinking")).unwrap();
            while !stop.load(SeqCst) {
                file.set_len(1000).unwrap();
                file.set_len(MIB as u64).unwrap();
                thread::sleep(Duration::from_millis(1));
            }
        });
        for _ in 0..5 {
            scope.spawn(move || {
                while !stop.load(SeqCst) {
                    let mut client = Client::new(server);
                    client.send("GET /shrinking HTTP/1.1\r\nHost: a\r\n\r\n");
                    if let Ok(reply) = client.reply(false) {
                        assert!(matches!(reply.body.len(), 1000 | MIB));
                    }
                }
            });
        }
        // One tries to reach the secret.
        scope.spawn(move || {
            while !stop.load(SeqCst) {
                for path in [
                    "/../secret",
                    "/%2e%2e/secret",
                    "/out",
                    "/outdirectory/secret",
                    "/fifo",
                    "/magic/etc/passwd",
                ] {
                    let answer =
                        exchange(server, format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
                    assert_eq!(status(&answer), 404);
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        // Meanwhile, 250 well-behaved clients get everything they ask for.
        let honest: Vec<_> = (0..250)
            .map(|i| {
                let client = move || {
                    let mut client = Client::new(server);
                    for round in 0..4 {
                        assert_eq!(client.get("/ten").body, b"0123456789");
                        assert_eq!(client.get("/nothing").status, 404);
                        if (i + round) % 8 == 0 {
                            assert!(client.get("/large").body == *large);
                        }
                        let start = (i * 7919 + round * 104_729) % (3 * MIB - 5000);
                        let range = format!("Range: bytes={start}-{}", start + 4999);
                        client.send(format!("GET /large HTTP/1.1\r\nHost: a\r\n{range}\r\n\r\n"));
                        assert!(client.reply(false).unwrap().body == large[start..start + 5000]);
                        served.fetch_add(1, SeqCst);
                    }
                };
                thread::Builder::new().stack_size(256 * KIB).spawn_scoped(scope, client).unwrap()
            })
            .collect();
        honest.into_iter().for_each(|client| client.join().unwrap());
        stop.store(true, SeqCst);
        drop(stalled);
        server.counts()
    });
    assert_eq!(served.load(SeqCst), 1000);
    assert_eq!(outcome.refused, 0);
    assert_eq!(server.shutdown(PATIENCE).cut_off, 0);
    for (kind, says) in troubles.lock().unwrap().iter() {
        let known = [
            ErrorKind::ConnectionReset,
            ErrorKind::BrokenPipe,
            ErrorKind::UnexpectedEof,
            ErrorKind::NotConnected,
        ];
        assert!(known.contains(kind), "{says}");
    }
    assert_eq!(entries("/proc/self/fd"), before.0, "descriptors leak");
    // A thread that has been joined may not have left the kernel yet.
    let deadline = soon();
    while entries("/proc/self/task") != before.1 {
        assert!(Instant::now() < deadline, "threads leak");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn out_of_descriptors_it_rests_and_recovers() {
    if !in_a_process("out_of_descriptors_it_rests_and_recovers") {
        return;
    }
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    let mut client = Client::new(&server);
    assert_eq!(client.get("/ten").status, 200);
    // SAFETY: `limit` is live.
    unsafe {
        let limit = libc::rlimit { rlim_cur: 64, rlim_max: 64 };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
    let mut hoard: Vec<File> = Vec::new();
    // One descriptor for the waiting client's end, none for the server's.
    while let Ok(file) = File::open("/dev/null") {
        hoard.push(file);
    }
    hoard.pop();
    let mut waiting = Client::new(&server);
    waiting.send("GET /ten HTTP/1.1\r\nHost: a\r\n\r\n");
    thread::sleep(Duration::from_millis(500));
    let failed = server.counts().failed;
    assert!((1..200).contains(&failed), "{failed} errors in half a second: it rests, and says so");
    assert_eq!(client.get("/ten").status, 503, "a file needs a descriptor too");
    drop(hoard);
    // It may have got the descriptor of the first client's connection, before there was another for
    // its file.
    assert!(
        matches!(waiting.reply(false).unwrap().status, 200 | 503),
        "the waiting client gets an answer"
    );
    assert_eq!(first_200(&server), b"0123456789");
    assert!(
        troubles.lock().unwrap().iter().all(|(_, says)| says.contains("Too many open files")),
        "{troubles:?}"
    );
}

/// A TCP socket that is made before it is connected: connecting then needs no descriptor.
struct Socket(TcpStream);

impl Socket {
    fn new() -> Self {
        // SAFETY: no pointers; the descriptor is new and owned by nothing else.
        Self(unsafe {
            let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
            assert!(fd >= 0);
            TcpStream::from_raw_fd(fd)
        })
    }

    fn connect(&self, address: SocketAddr) {
        let SocketAddr::V4(v4) = address else { panic!("{address} is not an IPv4 address") };
        let address = libc::sockaddr_in {
            sin_family: libc::AF_INET as libc::sa_family_t,
            sin_port: v4.port().to_be(),
            sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
            sin_zero: [0; 8],
        };
        let size = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the socket is open, `address` is live and `size` is its size.
        let connected =
            unsafe { libc::connect(self.0.as_raw_fd(), (&raw const address).cast(), size) };
        assert_eq!(connected, 0);
    }
}

#[test]
fn a_wait_that_fails_is_reported_and_tried_again() {
    if !in_a_process("a_wait_that_fails_is_reported_and_tried_again") {
        return;
    }
    let place = site();
    let listening = Arc::new(Mutex::new(Vec::new()));
    let reports = Arc::clone(&listening);
    let report = move |peer: Option<SocketAddr>, error: &io::Error| {
        if peer.is_none() {
            reports.lock().unwrap().push(error.kind());
        }
    };
    let server = FileServer::start(&place.root(), "127.0.0.1:0", calm(), report).unwrap();
    let waker = Socket::new();
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is live. Nothing else uses standard input, whose descriptor becomes free:
    // with a limit of one descriptor `accept` can use it, while `ppoll` refuses to wait for two
    // (EINVAL).
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let one = libc::rlimit { rlim_cur: 1, ..limit };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const one), 0);
        assert_eq!(libc::close(0), 0);
    }
    waker.connect(server.address()); // so that the acceptor waits anew
    thread::sleep(Duration::from_millis(500));
    // SAFETY: as above.
    unsafe { assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0) };
    let failed: Vec<ErrorKind> = listening.lock().unwrap().clone();
    assert!(failed.contains(&ErrorKind::InvalidInput), "{failed:?}");
    assert!(failed.len() < 200, "{} errors in half a second: it never rests", failed.len());
    assert_eq!(first_200(&server), b"0123456789");
}

#[test]
fn a_reset_does_not_kill_where_sigpipe_would() {
    if !in_a_process("a_reset_does_not_kill_where_sigpipe_would") {
        return;
    }
    // As in a program without Rust's runtime.
    // SAFETY: the default action runs no code of ours.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let site = site();
    let (server, troubles) = start(&site.root(), calm());
    for _ in 0..20 {
        let mut client = Client::new(&server);
        client.send("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
        client.0.read_exact(&mut vec![0; 200_000]).unwrap();
    }
    assert_eq!(server.shutdown(PATIENCE).cut_off, 0);
    assert_eq!(troubles.lock().unwrap().len(), 20);
}

/// Serves until SIGINT in a process that can open few files, with `stderr` as its standard error.
/// Fills its descriptors, so that it has something to report, and returns what it wrote.
fn serve_with_stderr(stderr: Stdio) -> Output {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = only("a_server_outlives_its_log");
    command.env("PERF_PROVED_SERVE", address.to_string()).stdout(Stdio::piped()).stderr(stderr);
    // The threads of the test harness must not take the signal that the server waits for.
    // SAFETY: between fork and exec the child makes three async-signal-safe calls, on a set of its
    // own.
    unsafe {
        command.pre_exec(|| {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGINT);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
            Ok(())
        })
    };
    let server = command.spawn().unwrap();
    let ten = || {
        let mut client = TcpStream::connect(address)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(b"GET /ten HTTP/1.0\r\n\r\n")?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).map(|_| answer.ends_with(b"0123456789"))
    };
    let serves = || {
        let deadline = soon();
        while !matches!(ten(), Ok(true)) {
            assert!(Instant::now() < deadline, "it does not serve");
            thread::sleep(Duration::from_millis(10));
        }
    };
    serves();
    let clients: Vec<_> = (0..64).map(|_| TcpStream::connect(address)).collect();
    thread::sleep(Duration::from_millis(200));
    drop(clients);
    serves();
    // SAFETY: our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(server.id() as libc::pid_t, libc::SIGINT) }, 0);
    server.wait_with_output().unwrap()
}

#[test]
fn a_server_outlives_its_log() {
    if let Ok(address) = env::var("PERF_PROVED_SERVE") {
        let place = site();
        // SAFETY: `limit` is live.
        unsafe {
            let limit = libc::rlimit { rlim_cur: 40, rlim_max: 40 };
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
        }
        return experiment::serve(&place.root(), &address).unwrap();
    }
    let log = serve_with_stderr(Stdio::piped());
    passed(&log);
    let log = String::from_utf8(log.stderr).unwrap();
    assert!(log.contains("accepting: Too many open files"), "nothing went wrong: {log}");
    assert!(log.contains("finishing what is in flight"), "{log}");

    let (closed, full) = (io::pipe().unwrap().1, File::options().write(true).open("/dev/full"));
    passed(&serve_with_stderr(closed.into()));
    passed(&serve_with_stderr(full.unwrap().into()));
}

fn sparse(scratch: &Scratch, name: &str, length: u64) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(scratch.path().join(name))
        .unwrap();
    file.set_len(length).unwrap();
    file
}
