//! Just enough HTTP to show a folder to one reader: GET and HEAD, one request per connection, and
//! an event stream that tells pages to reload.

use super::events;
use percent_encoding::percent_decode_str;
use std::fmt::Display;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The limit on connections; a browser opens six, and an open page holds one for its events.
const CONNECTIONS: usize = 64;
/// The limit on the bytes of a request's head.
const HEAD: usize = 8 * 1024;
/// The limit on the time for a request to arrive, and for each write of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The interval at which an event stream sends a comment, which fails once the page is gone.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// The address at which pages listen for changes; no page's own address starts with a dot.
const EVENTS: &str = "/.changes";
/// The content type of fonts.
const FONT: &str = "font/woff2";

/// A folder being served.
pub(super) struct Site {
    folder: PathBuf,
    /// Locked for writing while the book is printed, so that no request sees half of it.
    printing: RwLock<()>,
    edition: Mutex<Edition>,
    changed: Condvar,
    connections: AtomicUsize,
}

/// The state that open pages are told.
struct Edition {
    /// The number of the printing. It starts from the time, so that a page left open since an
    /// earlier run of the server reloads.
    number: u64,
    /// The reason why the pages are older than their sources, if they are.
    fault: Option<String>,
}

/// An answer: status line, content type, further header lines, body.
struct Answer {
    status: &'static str,
    kind: &'static str,
    more: String,
    body: Vec<u8>,
}

impl Answer {
    /// Creates an answer that consists of its status.
    fn text(status: &'static str) -> Answer {
        let body = format!("{status}\n").into_bytes();
        Answer { status, kind: "text/plain; charset=utf-8", more: String::new(), body }
    }
}

impl Site {
    /// Creates a site that serves `folder`.
    pub fn new(folder: PathBuf) -> Site {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Site {
            folder,
            printing: RwLock::new(()),
            edition: Mutex::new(Edition { number: now.as_secs() * 1000, fault: None }),
            changed: Condvar::new(),
            connections: AtomicUsize::new(0),
        }
    }

    /// Prints the book while requests wait. Open pages reload if that succeeds, and show the reason
    /// if it fails.
    pub fn with_readers_waiting<E: Display>(
        &self,
        print: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let guard = self.printing.write().unwrap_or_else(PoisonError::into_inner);
        let outcome = print();
        drop(guard);
        let mut edition = self.edition();
        match &outcome {
            Ok(()) => *edition = Edition { number: edition.number + 1, fault: None },
            Err(error) => edition.fault = Some(error.to_string()),
        }
        drop(edition);
        self.changed.notify_all();
        outcome
    }

    /// Prints while requests wait what no open page shows.
    pub fn with_readers_undisturbed<T>(&self, print: impl FnOnce() -> T) -> T {
        let _guard = self.printing.write().unwrap_or_else(PoisonError::into_inner);
        print()
    }

    fn edition(&self) -> MutexGuard<'_, Edition> {
        self.edition.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers connections, each on a thread of its own, until the process ends.
    pub fn serve(self: &Arc<Site>, listener: &TcpListener) {
        for stream in listener.incoming() {
            let Ok(stream) = stream else {
                // Most likely the descriptors have run out: trying again at once would spin.
                thread::sleep(Duration::from_millis(50));
                continue;
            };
            // Relaxed: the count bounds threads and publishes nothing.
            if self.connections.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
                self.connections.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let site = Arc::clone(self);
            let started = thread::Builder::new().spawn(move || {
                // A browser that closes the connection early is no fault.
                let _ = site.converse(stream);
                site.connections.fetch_sub(1, Ordering::Relaxed);
            });
            if started.is_err() {
                // Without a thread, the connection closes, and the browser may try again.
                self.connections.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// Answers one request.
    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_write_timeout(Some(PATIENCE))?;
        let Some(head) = read_head(&mut stream)? else {
            return send(&mut stream, &Answer::text("400 Bad Request"), false);
        };
        let mut words = head.lines().next().unwrap_or_default().split(' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        let (Some(method), Some(target), Some("HTTP/1.0" | "HTTP/1.1")) = (method, target, version)
        else {
            return send(&mut stream, &Answer::text("400 Bad Request"), false);
        };
        if method != "GET" && method != "HEAD" {
            let mut answer = Answer::text("405 Method Not Allowed");
            answer.more = "Allow: GET, HEAD\r\n".to_owned();
            return send(&mut stream, &answer, false);
        }
        if method == "GET" && target.split('?').next() == Some(EVENTS) {
            let seen = target.split_once('?').and_then(|(_, n)| n.parse().ok());
            return self.events(&mut stream, seen);
        }
        send(&mut stream, &self.answer(target), method == "HEAD")
    }

    /// Returns the answer to a request for `target`.
    fn answer(&self, target: &str) -> Answer {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let Some(relative) = decode(path) else {
            return Answer::text("400 Bad Request");
        };
        let mut file = self.folder.join(relative);
        let _reading = self.printing.read().unwrap_or_else(PoisonError::into_inner);
        if file.is_dir() {
            // Without the slash, the page's relative links would resolve one folder too high.
            if !path.ends_with('/') {
                let mut answer = Answer::text("301 Moved Permanently");
                answer.more = format!("Location: /{}/\r\n", path.trim_matches('/'));
                return answer;
            }
            file.push("index.html");
        }
        let (status, file) = if file.is_file() {
            ("200 OK", file)
        } else {
            ("404 Not Found", self.folder.join("404.html"))
        };
        match fs::read(&file) {
            Ok(body) => Answer {
                status,
                kind: kind_of(&file),
                more: String::new(),
                body: self.listening(&file, body),
            },
            Err(_) => Answer::text("404 Not Found"),
        }
    }

    /// Adds the line that listens for changes to a page.
    fn listening(&self, file: &Path, mut body: Vec<u8>) -> Vec<u8> {
        let end = b"</body>";
        if kind_of(file).starts_with("text/html")
            && let Some(at) = body.windows(end.len()).rposition(|w| w == end)
        {
            let edition = self.edition().number;
            let script = format!("<script>{}</script>\n", events::script(EVENTS, edition));
            body.splice(at..at, script.into_bytes());
        }
        body
    }

    /// Holds the connection until the book is newer than what the page shows. In the meantime,
    /// sends each reason why it is not.
    fn events(&self, stream: &mut TcpStream, seen: Option<u64>) -> io::Result<()> {
        stream.write_all(events::HEAD.as_bytes())?;
        let mut edition = self.edition();
        let seen = seen.unwrap_or(edition.number);
        let mut told = None;
        while edition.number == seen {
            // Without the lock, so that a page that does not read cannot hold up the others.
            let fault = edition.fault.clone();
            drop(edition);
            match &fault {
                Some(fault) if told != Some(fault.clone()) => {
                    stream.write_all(events::fault(fault).as_bytes())?;
                }
                _ => stream.write_all(events::HEARTBEAT)?,
            }
            told = fault;
            edition = self.edition();
            // A change since then has been missed by the wait to come.
            if edition.number == seen && edition.fault == told {
                (edition, _) = self
                    .changed
                    .wait_timeout(edition, HEARTBEAT)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
        drop(edition);
        stream.write_all(events::CHANGED)
    }
}

/// Reads a request's head up to the empty line, or returns `None` if it is too long, too slow, cut
/// short or not text.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let deadline = Instant::now() + PATIENCE;
    let (mut head, mut chunk) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|w| w == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > HEAD {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(None),
            Ok(n) => head.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // The time is up: the one on Windows, the other elsewhere.
            Err(e) if matches!(e.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(String::from_utf8(head).ok())
}

fn send(stream: &mut TcpStream, answer: &Answer, head_only: bool) -> io::Result<()> {
    // A page does not wait for its fonts: it has those that the browser kept from the page before.
    // Their names hold a hash of their contents.
    let keeps = if answer.kind == FONT { "max-age=86400" } else { "no-store" };
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: {keeps}\r\n\
         X-Content-Type-Options: nosniff\r\n{}Connection: close\r\n\r\n",
        answer.status,
        answer.kind,
        answer.body.len(),
        answer.more
    );
    stream.write_all(head.as_bytes())?;
    if !head_only {
        stream.write_all(&answer.body)?;
    }
    stream.flush()
}

/// Returns the path below the site's folder that a request's path names, or `None` for a path that
/// leads, or could lead, elsewhere.
fn decode(path: &str) -> Option<PathBuf> {
    let text = percent_decode_str(path.strip_prefix('/')?).decode_utf8().ok()?;
    // Checked after decoding, so that no encoding gets past. A colon would be a drive on Windows.
    if text.contains(['\\', '\0', ':']) || text.split('/').any(|part| part == "..") {
        return None;
    }
    Some(text.split('/').filter(|part| !part.is_empty() && *part != ".").collect())
}

/// Returns the content type of a file, by its extension.
fn kind_of(file: &Path) -> &'static str {
    match file.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => FONT,
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
