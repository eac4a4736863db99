//! The experiments of the chapter: the calls of a request, the memory and threads of idle
//! connections, and the faults of the naive loops, each of them counted.

use super::naive;
use super::server::{Server, Settings};
use super::variants::Variant;
use crate::harness::clients::ask;
use crate::harness::loopback::pair;
use crate::harness::report::{Report, Value};
use crate::harness::scratch::{Scratch, pattern};
use crate::proof::cpu::ThreadClock;
use crate::proof::resident;
use crate::proof::syscalls::{Calls, trace};
use crate::proof::usage::read_from_device;
use crate::sys::denial::Denial;
use crate::sys::interrupt::Interrupt;
use crate::sys::rlimit::raise_open_files;
use crate::sys::{log, raw_code, trying};
use crate::zero_copy::mmap::page_cache::evict;
use crate::zero_copy::sendfile::experiment::until_interrupted;
use crate::zero_copy::sendfile::server::Limits;
use std::env;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// The calls that make up a request, by name.
pub const CALLS: [&str; 10] = [
    "epoll_wait",
    "epoll_ctl",
    "ppoll",
    "recvfrom",
    "openat2",
    "statx",
    "sendto",
    "sendfile",
    "close",
    "io_uring_enter",
];

/// The size of the body of each answer, in bytes.
const BODY: usize = 4 << 10;

/// The request. The connection stays open afterwards.
const GET: &[u8] = b"GET /body HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Longer than any experiment takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory to serve, with one file in it.
pub struct Files {
    scratch: Scratch,
    body: Vec<u8>,
}

impl Files {
    /// Writes the file.
    ///
    /// # Errors
    ///
    /// If it cannot be written; the error names it.
    pub fn new() -> io::Result<Self> {
        let scratch = Scratch::new()?;
        scratch.file("body", BODY)?;
        Ok(Self { scratch, body: pattern(BODY) })
    }

    fn root(&self) -> &Path {
        self.scratch.path()
    }
}

/// Returns settings of one loop under which nothing times out, with room for `connections`.
fn settings(connections: usize) -> Settings {
    let (idle, head, body_per_mib) = (PATIENCE, PATIENCE, PATIENCE);
    let limits = Limits { connections, idle, head, body_per_mib, ..Limits::default() };
    Settings { limits, loops: 1, ..Settings::default() }
}

/// Runs `client` on a thread that is there before the tracer, so that its calls do not count, and
/// counts the calls of `server`, which gets the ends of two channels: one that tells the client an
/// address, and one that tells when the client is done.
fn traced<T: Send + 'static, U>(
    client: impl FnOnce(SocketAddr) -> io::Result<T> + Send + 'static,
    server: impl FnOnce(&mpsc::Sender<SocketAddr>, &mpsc::Receiver<io::Result<T>>) -> io::Result<U>,
) -> io::Result<(U, Calls)> {
    let (address, addressed) = mpsc::channel();
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        if let Ok(address) = addressed.recv() {
            // After an error of the server, no thread waits for it.
            let _ = done.send(client(address));
        }
    });
    let (result, calls) = trace(|| server(&address, &finished))?;
    Ok((result?, calls))
}

/// Counts the calls of the server called `name` while one client asks `requests` times on one
/// connection.
fn calls_for(name: &str, files: &Files, requests: u64) -> io::Result<Calls> {
    let body = files.body.clone();
    let client = move |address| {
        let mut client = TcpStream::connect(address)?;
        (0..requests).try_for_each(|_| ask(&mut client, GET, &body).map(drop))?;
        Ok(client)
    };
    let ((), calls) = traced(client, |address, finished| {
        let server = Variant::start(name, files.root(), settings(1), |_, _| {})?;
        address.send(server.address()).map_err(io::Error::other)?;
        // Open until the end, so that the shutdown makes the same calls each time.
        let client = finished.recv().map_err(io::Error::other)??;
        server.shutdown(PATIENCE);
        drop(client);
        Ok(())
    })?;
    Ok(calls)
}

/// Counts the calls that the server called `name` makes for 100 requests on a connection that stays
/// open: the difference of two runs, so that nothing else counts.
///
/// # Errors
///
/// The errors of the tracer, of the server and of its client, for whom each answer must be the
/// file.
pub fn count_requests(report: &mut Report, name: &str, files: &Files) -> io::Result<()> {
    const REQUESTS: u64 = 100;
    let few = calls_for(name, files, REQUESTS)?;
    let many = calls_for(name, files, 2 * REQUESTS)?;
    for call in CALLS {
        report.detail(name, call, many.of(call).made.saturating_sub(few.of(call).made));
    }
    report.set(name, "calls_for_100", many.total().saturating_sub(few.total()));
    Ok(())
}

/// Has a process of clients open `count` connections to the server called `name`, ask once on each
/// and stay connected. Sets the number of threads that this adds, and the memory of this process
/// for each connection.
///
/// # Errors
///
/// The errors of the server and of its clients.
pub fn idle(report: &mut Report, name: &str, files: &Files, count: usize) -> io::Result<()> {
    let possible = open_files()?;
    if count > possible {
        let lacking = "connections wanted, and with RLIMIT_NOFILE";
        report.note(&format!("{name}: {count} {lacking} {possible} are possible"));
    }
    let count = count.min(possible);
    let server = Variant::start(name, files.root(), settings(count + 1), |_, _| {})?;
    let threads = settled_threads()?;
    ask(&mut TcpStream::connect(server.address())?, GET, &files.body)?; // what the first one needs
    let memory = resident::now()?;
    let mut clients = Command::new(trying("finding this program", env::current_exe())?);
    clients.args(["--hold", &server.address().to_string(), "--connections", &count.to_string()]);
    let clients = Holder::start(&mut clients)?;
    report.set(name, "idle_connections", count as u64);
    report.set(name, "threads_added", self::threads()?.saturating_sub(threads));
    let memory = resident::now()?.saturating_sub(memory) / count as u64;
    report.set(name, "memory_each", Value::Bytes(memory));
    drop(clients);
    server.shutdown(PATIENCE);
    Ok(())
}

/// A process of clients that stay connected and ask nothing. Dropping this ends it.
pub struct Holder(Child);

/// The word with which that process says that all of its clients are connected.
const HOLDING: &str = "holding";

impl Holder {
    /// Runs `command`, which has to call [`hold`], and returns once all clients are connected.
    ///
    /// # Errors
    ///
    /// If the process cannot be started, or ends before its clients are connected.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut holder = Self(trying("starting the process of the idle clients", started)?);
        let mut said = String::new();
        if let Some(output) = holder.0.stdout.take() {
            BufReader::new(output).read_line(&mut said)?;
        }
        if said.trim() != HOLDING {
            return Err(io::Error::other("the process of the clients has failed, see its error"));
        }
        Ok(holder)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take()); // the process waits for its end
        let _ = self.0.wait(); // only fails for a process that was waited for
    }
}

/// Opens `count` connections to `address`, asks once on each, says that it holds them, and does so
/// until standard input ends.
///
/// # Errors
///
/// The errors of the connections.
pub fn hold(address: &str, count: usize) -> io::Result<()> {
    open_files()?;
    let body = pattern(BODY);
    let connect = |_| {
        let mut client = trying("connecting", TcpStream::connect(address))?;
        ask(&mut client, GET, &body)?;
        Ok(client)
    };
    let clients = (0..count).map(connect).collect::<io::Result<Vec<_>>>()?;
    println!("{HOLDING}");
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(clients);
    Ok(())
}

/// Raises the number of descriptors as far as this user may, and returns how many connections that
/// leaves room for: a server keeps a quarter for files.
fn open_files() -> io::Result<usize> {
    let files = trying("raising RLIMIT_NOFILE", raise_open_files())?;
    Ok(usize::try_from(files / 4 * 3).unwrap_or(usize::MAX).saturating_sub(100).max(1))
}

fn threads() -> io::Result<u64> {
    Ok(trying("/proc/self/task", fs::read_dir("/proc/self/task"))?.count() as u64)
}

/// Returns the number of threads once those of earlier experiments have ended.
fn settled_threads() -> io::Result<u64> {
    let mut before = threads()?;
    loop {
        thread::sleep(Duration::from_millis(20));
        let now = threads()?;
        if now >= before {
            return Ok(now);
        }
        before = now;
    }
}

/// The clients that say nothing, and the time for which they do.
const CLIENTS: usize = 100;
const SILENCE: Duration = Duration::from_millis(100);
/// On a busy machine, a tenth of a second may leave the server no time to do anything in vain. So
/// the silence goes on until it has used as much CPU time as this, or for the longest time: a
/// server that sleeps uses none.
const SERVER_TIME: Duration = Duration::from_millis(20);
const LONGEST_SILENCE: Duration = Duration::from_secs(5);

/// Sleeps for a tenth of a second, and longer if the machine is busy.
///
/// # Errors
///
/// The errors of reading the CPU clock of the thread that serves.
pub fn silence(server: ThreadClock) -> io::Result<()> {
    let (begun, before) = (Instant::now(), server.read()?);
    loop {
        thread::sleep(SILENCE);
        let used = server.read()?.saturating_sub(before);
        if used >= SERVER_TIME || begun.elapsed() >= LONGEST_SILENCE {
            return Ok(());
        }
    }
}

/// Counts the calls of a naive `server` of 100 clients, all of which keep [`silence`] and then go
/// away.
///
/// # Errors
///
/// The errors of the sockets, of the tracer and of `server`.
pub fn naive_in_silence(
    server: impl FnOnce(Vec<TcpStream>) -> io::Result<()>,
) -> io::Result<Calls> {
    let pairs = (0..CLIENTS).map(|_| pair()).collect::<io::Result<Vec<_>>>()?;
    let (clients, servers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    servers.iter().try_for_each(|server| server.set_nonblocking(true))?;
    let (start, started) = mpsc::channel();
    let clock = ThreadClock::mine()?;
    thread::spawn(move || {
        let _ = started.recv(); // an error says that there is no server, which is no reason to stay
        let _ = silence(clock); // neither is that
        drop(clients);
    });
    let (result, calls) = trace(|| {
        let _ = start.send(()); // the other side waits for this
        server(servers)
    })?;
    result.map(|()| calls)
}

/// Returns the calls that a busy poll makes in vain while 100 clients are silent.
///
/// # Errors
///
/// As [`naive_in_silence`].
pub fn busy_poll_in_vain() -> io::Result<u64> {
    let calls = naive_in_silence(|mut servers| naive::busy_poll(&mut servers))?;
    Ok(calls.of("recvfrom").failed)
}

/// Returns the waits beyond one for each client that goes away, by a loop that watches for room to
/// send while 100 clients are silent.
///
/// # Errors
///
/// As [`naive_in_silence`].
pub fn watch_both_in_vain() -> io::Result<u64> {
    let calls = naive_in_silence(naive::watch_both)?;
    Ok(calls.of("epoll_wait").made.saturating_sub(CLIENTS as u64))
}

/// Returns the calls of the event loop of this chapter, beyond one wait for each event, while 100
/// clients are silent.
///
/// # Errors
///
/// The errors of the tracer, of the server and of its clients.
pub fn server_in_vain(files: &Files) -> io::Result<u64> {
    let connect = |address| (0..CLIENTS).map(|_| TcpStream::connect(address)).collect();
    let (held, calls) = traced(connect, |address, finished| {
        let server = Server::start(files.root(), "127.0.0.1:0", settings(CLIENTS), |_, _| {})?;
        address.send(server.address()).map_err(io::Error::other)?;
        let clients: Vec<TcpStream> = finished.recv().map_err(io::Error::other)??;
        let deadline = Instant::now() + PATIENCE;
        while server.connections() != [CLIENTS] && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(3 * SILENCE); // which is enough for a loop that spins, on a busy machine, too
        Ok((server, clients)) // closed when nothing counts any more
    })?;
    drop(held);
    // For each client, it arrives, and there is room to send to it.
    let events = 2 * CLIENTS as u64;
    Ok(calls.of("recvfrom").failed + calls.of("epoll_wait").made.saturating_sub(events))
}

/// The calls without any of which there is no ring, and the errors by which they are denied.
const DENIED: [libc::c_long; 3] =
    [libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];
const CODES: [i32; 5] = [libc::EPERM, libc::ENOSYS, libc::EOPNOTSUPP, libc::EINVAL, libc::EACCES];

/// Starts a server that prefers a ring for each of three calls and five errors, on a thread to
/// which that call is denied by that error. Sets how many of them answer a request, wait in
/// `epoll_wait` meanwhile, and give the reason.
///
/// # Errors
///
/// The errors of the filter, of the tracer, of the servers and of their clients.
pub fn denied(report: &mut Report, files: &Files) -> io::Result<()> {
    let [mut answered, mut by_epoll, mut reasons] = [0; 3];
    for call in DENIED {
        for code in CODES {
            let ask_once = || -> io::Result<_> {
                Denial { call, code }.install()?;
                let (result, calls) = trace(|| {
                    let settings = Settings { engine: None, ..settings(1) };
                    let server = Server::start(files.root(), "127.0.0.1:0", settings, |_, _| {})?;
                    ask(&mut TcpStream::connect(server.address())?, GET, &files.body)?;
                    let reason = server.no_ring().and_then(raw_code);
                    io::Result::Ok((reason, server.shutdown(PATIENCE).responses))
                })?;
                let (reason, responses) = result?;
                answered += responses;
                by_epoll += u64::from(calls.of("epoll_wait").made > 0);
                reasons += u64::from(reason == Some(code));
                Ok(())
            };
            thread::scope(|scope| scope.spawn(ask_once).join().expect("it does not panic"))?;
        }
    }
    report.set("without_io_uring", "answered", answered);
    report.set("without_io_uring", "by_epoll", by_epoll);
    report.set("without_io_uring", "reasons", reasons);
    Ok(())
}

/// The size of the file that is served cold, in bytes.
const COLD: usize = 16 << 20;

/// Sets the bytes that the thread of a loop has read from the disk while it serves a file that is
/// not in the page cache, and while it serves the same file again.
///
/// # Errors
///
/// The errors of the file, which a file system in memory does not give up (`Unsupported`), of the
/// server and of its client.
pub fn cold(report: &mut Report, files: &Files) -> io::Result<()> {
    let mut cold = Cold::new(files, 0)?;
    report.set("epoll", "read_cold", Value::Bytes(cold.ask([LOOP])?[0]));
    report.set("epoll", "read_warm", Value::Bytes(cold.ask([LOOP])?[0]));
    Ok(())
}

/// As [`cold`], for a loop with a reader: sets the bytes that each of the two threads has read from
/// the disk while the loop serves the file.
///
/// # Errors
///
/// As [`cold`], and those of a kernel that does not tell about its page cache.
pub fn cold_with_reader(report: &mut Report, files: &Files) -> io::Result<()> {
    let [by_loop, by_reader] = Cold::new(files, 1)?.ask([LOOP, READER])?;
    report.set("epoll_readers", "read_cold", Value::Bytes(by_loop));
    report.set("epoll_readers", "read_by_reader", Value::Bytes(by_reader));
    Ok(())
}

/// The names of the threads of the first loop and the first reader.
const LOOP: &str = "loop 0";
const READER: &str = "worker-0";

/// A server of a file that is not in the page cache at first, and its client.
struct Cold {
    client: TcpStream,
    body: Vec<u8>,
    /// Ends after the client, when this is dropped.
    _server: Server,
}

impl Cold {
    fn new(files: &Files, readers: usize) -> io::Result<Self> {
        let path = files.scratch.file("cold", COLD)?;
        let settings = Settings { readers, ..settings(1) };
        let server = Server::start(files.root(), "127.0.0.1:0", settings, |_, _| {})?;
        let client = TcpStream::connect(server.address())?;
        evict(&File::open(path)?)?;
        Ok(Self { client, body: pattern(COLD), _server: server })
    }

    /// Asks for the file, and returns the bytes that each of `threads` has read from the disk
    /// meanwhile.
    fn ask<const N: usize>(&mut self, threads: [&str; N]) -> io::Result<[u64; N]> {
        let mut read = [0; N];
        for (read, thread) in read.iter_mut().zip(threads) {
            *read = read_from_device(thread)?;
        }
        let question = b"GET /cold HTTP/1.1\r\nHost: localhost\r\n\r\n";
        ask(&mut self.client, question, &self.body)?;
        for (read, thread) in read.iter_mut().zip(threads) {
            *read = read_from_device(thread)? - *read;
        }
        Ok(read)
    }
}

/// Returns the number of bytes that are still in the socket, of `sent` that arrived at once, when
/// the naive loop that reads once waits for the next event.
///
/// # Errors
///
/// The errors of the sockets and of the loop.
pub fn left_unread(sent: usize) -> io::Result<u64> {
    let (mut client, server) = pair()?;
    server.set_nonblocking(true)?;
    client.write_all(&vec![1; sent])?;
    let read = naive::read_once(&[server], SILENCE)?;
    Ok((sent - read[0]) as u64)
}

/// Returns the number of bytes that one of two clients gets from the naive loop that writes until a
/// socket is full, before the other gets its first byte: of `length` for each.
///
/// # Errors
///
/// The errors of the sockets and of the loop.
pub fn before_the_other(length: usize) -> io::Result<u64> {
    let pairs = [pair()?, pair()?];
    let (mut clients, servers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    servers.iter().try_for_each(|server| server.set_nonblocking(true))?;
    let (body, mut buffer) = (vec![1; length], vec![0; length]);
    let (mut sent, mut before, mut failure) = ([0; 2], None, None);
    // The clients read at once what is sent, so no socket is ever full.
    naive::write_until_full(&servers, &body, |client, count| {
        sent[client] += count;
        if sent.iter().all(|sent| *sent > 0) {
            before.get_or_insert(sent[1 - client]);
        }
        failure = failure.take().or(clients[client].read_exact(&mut buffer[..count]).err());
    })?;
    failure.map_or(Ok(before.unwrap_or(0) as u64), Err)
}

/// Serves the files beneath `root` on `address` from event loops until Ctrl-C, then lets responses
/// in flight finish. Errors go to standard error, and the server outlives it.
///
/// # Errors
///
/// The errors of starting the server.
pub fn serve(root: &Path, address: &str) -> io::Result<()> {
    let interrupt = Interrupt::hold()?; // before any thread starts: all of them must hold it
    open_files()?;
    let server = Server::start(root, address, Settings::default(), |peer, error| match peer {
        Some(peer) => log::line(format_args!("{peer}: {error}")),
        None => log::line(format_args!("{error}")),
    })?;
    until_interrupted(interrupt, root, server.address(), |grace| server.shutdown(grace))
}
