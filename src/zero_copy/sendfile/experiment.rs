//! The experiments of the chapter: what the example counts, and the server that it runs.

use super::naive;
use super::server::{Counts, FileServer, Limits, Site};
use super::variants::Variant;
use crate::harness::cost;
use crate::harness::loopback::{self, FNV_START, Loopback, ask, fnv1a};
use crate::harness::report::{Report, Value};
use crate::harness::scratch::{Scratch, pattern};
use crate::sys::interrupt::Interrupt;
use crate::sys::socket::data_segments_sent;
use crate::sys::{log, trying};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The calls that the JSON lists for each variant, even if it makes none.
pub const ALWAYS: [&str; 3] = ["sendfile", "read", "sendto"];

/// The request that the server answers while it is counted.
const GET: &str = "GET /body HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The content of a file beside the root, which no request should reach.
const SECRET: &[u8] = b"a file beside the root";

/// The files of the experiments: a root with a body in it, and a secret beside it.
pub struct Files {
    scratch: Scratch,
    /// The body, open for reading.
    pub body: File,
    size: usize,
    checksum: u64,
}

impl Files {
    /// Writes them, with a body of `size` bytes.
    ///
    /// # Errors
    ///
    /// If they cannot be written; the error names the file.
    pub fn new(size: usize) -> io::Result<Self> {
        let scratch = Scratch::new()?;
        let root = scratch.path().join("root");
        trying(format_args!("making {}", root.display()), fs::create_dir(&root))?;
        let body = File::open(scratch.file("root/body", size)?)?;
        Ok(Self { scratch, body, size, checksum: fnv1a(FNV_START, &pattern(size)) })
    }

    /// Returns the directory that is served.
    pub fn root(&self) -> PathBuf {
        self.scratch.path().join("root")
    }

    /// Writes the secret, and returns the number of its bytes at the end of what `server` answers
    /// to `request`.
    fn leaked(
        &self,
        request: &str,
        server: impl FnOnce(TcpStream) -> io::Result<()>,
    ) -> io::Result<Value> {
        let path = self.scratch.path().join("secret");
        trying(format_args!("writing {}", path.display()), fs::write(&path, SECRET))?;
        let leaked = ask(request, server)?.ends_with(SECRET);
        Ok(Value::Bytes(if leaked { SECRET.len() as u64 } else { 0 }))
    }
}

/// Counts what the variant called `name` asks of the kernel, on a blocking socket: no call returns
/// before all its bytes have been sent, so the counts of calls and bytes are exact. The number of
/// segments depends on the reader, too. Returns `true` if the whole file arrived.
///
/// # Errors
///
/// The errors of the connection, and of sending.
pub fn count(report: &mut Report, name: &str, files: &Files) -> io::Result<bool> {
    let size = files.size as u64;
    let mut line = Loopback::new(None)?;
    line.transfer(0, |socket| Variant::new(name)?.prepare(socket))?;
    // The memory of a connection that sends one file, which includes its buffer.
    line.transfer(size, |socket| {
        let send = || Variant::new(name)?.send(socket, &files.body, 0..size);
        cost::memory(report, name, || trying(name, send()))
    })?;
    let mut variant = Variant::new(name)?;
    let mut send = |socket: &_| trying(name, variant.send(socket, &files.body, 0..size));
    line.transfer(size, |socket| cost::calls(report, name, &ALWAYS, || send(socket)))?;
    let segments = |line: &mut Loopback| line.transfer(0, |socket| data_segments_sent(socket));
    match segments(&mut line) {
        Ok(before) => {
            line.transfer(size, &mut send)?;
            report.set(name, "segments", segments(&mut line)? - before);
        }
        Err(reason) => report.set(name, "segments", Value::from(reason)),
    }
    let ((), checksum) = line.transfer_checked(size, send)?;
    line.close()?;
    Ok(checksum == files.checksum)
}

// ANCHOR: changed_after_send
/// Sends 64 KiB to a client that is not reading yet, overwrites the file, and only then
/// lets the client read. Returns the number of new bytes that arrive.
///
/// # Errors
///
/// The errors of the files, of the connection, and of sending.
pub fn changed_after_send(name: &str, files: &Files) -> io::Result<Value> {
    const PIECE: usize = 64 << 10; // fits the buffers of the connection
    let path = files.scratch.path().join("piece");
    trying(format_args!("writing {}", path.display()), fs::write(&path, [b'a'; PIECE]))?;
    let file = File::options().read(true).write(true).open(&path)?;
    let (mut client, socket) = loopback::pair()?;
    let mut variant = Variant::new(name)?;
    trying(name, variant.send(&socket, &file, 0..PIECE as u64))?; // all is sent
    file.write_all_at(&[b'b'; PIECE], 0)?;
    let mut received = [0; PIECE];
    client.read_exact(&mut received)?;
    Ok(Value::Bytes(received.iter().filter(|&&byte| byte == b'b').count() as u64))
}
// ANCHOR_END: changed_after_send

/// Counts what the server asks of the kernel for one GET. Its socket never blocks: the number of
/// calls depends on the reader, the number of copied bytes does not. Returns `true` if the body
/// arrived.
///
/// # Errors
///
/// The errors of the server and of its client.
pub fn count_server(report: &mut Report, files: &Files) -> io::Result<bool> {
    let site = Site::new(&files.root(), Limits::default())?;
    ask(GET, |socket| cost::memory(report, "file_server", || site.serve(socket)))?;
    let answer = ask(GET, |socket| {
        cost::calls(report, "file_server", &["sendfile"], || site.serve(socket))
    })?;
    let body = answer.len().checked_sub(files.size).map(|head| &answer[head..]);
    Ok(body.is_some_and(|body| fnv1a(FNV_START, body) == files.checksum))
}

/// The size of the file that the naive version sends in part.
pub const LARGE: u64 = 64 << 20;

/// Returns the number of bytes that the naive version sends of a file of [`LARGE`] bytes, in one
/// call on a non-blocking socket whose client does not read yet.
///
/// # Errors
///
/// The errors of the file, of the connection, and of the call.
pub fn naive_sends(files: &Files) -> io::Result<u64> {
    let path = files.root().join("large");
    let created = File::create_new(&path).and_then(|file| file.set_len(LARGE));
    trying(format_args!("making {} of {LARGE} bytes", path.display()), created)?;
    let (_client, socket) = loopback::pair()?;
    socket.set_nonblocking(true)?;
    trying("sendfile", naive::send_file(&socket, &File::open(&path)?, LARGE))
}

/// Returns the number of bytes of the secret in the naive version's answer to a path that leads out
/// of the root.
///
/// # Errors
///
/// The errors of the naive version and of its client.
pub fn naive_leaks(files: &Files) -> io::Result<Value> {
    let root = files.root();
    files.leaked("", |socket| {
        let served = naive::serve_file(&socket, &root.to_string_lossy(), "../secret");
        trying("sendfile of ../secret", served)
    })
}

/// Returns the number of bytes of the secret in the server's answer to a path that leads out of the
/// root.
///
/// # Errors
///
/// The errors of the server and of its client.
pub fn server_leaks(files: &Files) -> io::Result<Value> {
    let site = Site::new(&files.root(), Limits::default())?;
    files.leaked("GET /../secret HTTP/1.0\r\n\r\n", |socket| site.serve(socket))
}

/// Sends one file of `size` bytes with the variant called `name`, and counts nothing.
///
/// # Errors
///
/// The errors of the file, of the connection, and of sending.
pub fn send_once(name: &str, size: usize) -> io::Result<()> {
    let mut variant = Variant::new(name)?;
    let files = Files::new(size)?;
    loopback::once(size as u64, |socket| {
        variant.prepare(socket)?;
        trying(name, variant.send(socket, &files.body, 0..size as u64))
    })
}

/// Serves the files beneath `root` on `address` until Ctrl-C, then lets responses in flight finish.
/// Errors go to standard error, and the server outlives it.
///
/// # Errors
///
/// The errors of starting the server.
pub fn serve(root: &Path, address: &str) -> io::Result<()> {
    let interrupt = Interrupt::hold()?; // before any thread starts: all of them must hold it
    let server = FileServer::start(root, address, Limits::default(), |peer, error| match peer {
        Some(peer) => log::line(format_args!("{peer}: {error}")),
        None => log::line(format_args!("accepting: {error}")),
    })?;
    until_interrupted(interrupt, root, server.address(), |grace| server.shutdown(grace))
}

/// Says where a server serves `root`, waits for Ctrl-C, and shuts the server down by `shutdown`.
///
/// # Errors
///
/// As [`Interrupt::wait`].
pub(crate) fn until_interrupted(
    interrupt: Interrupt,
    root: &Path,
    address: SocketAddr,
    shutdown: impl FnOnce(Duration) -> Counts,
) -> io::Result<()> {
    log::line(format_args!("serving {} at http://{address}/, until Ctrl-C", root.display()));
    interrupt.wait()?;
    log::line(format_args!("finishing what is in flight, for up to 10 seconds"));
    log::line(format_args!("{:?}", shutdown(Duration::from_secs(10))));
    Ok(())
}
