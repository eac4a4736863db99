//! The experiments of the example, bench and tests: exchanges through a relay, files through a
//! pipe, and memory that is overwritten while it is lent.

use super::relay::{Moved, relay};
use super::variants::{Variant, pipe};
use super::{Pipe, naive, send_range_with};
use crate::harness::child::{End, end_of};
use crate::harness::cost::{self, CALLS, MEMORY};
use crate::harness::loopback::{self, Loopback, hear, pair, through};
use crate::harness::report::Report;
use crate::harness::scratch::{Scratch, pattern};
use crate::sys::region::page_size;
use crate::sys::{cores, cvt, trying, unsupported};
use std::fs::{self, File};
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use std::{process, thread};

/// The client's question. The answer is as long as the experiment wants it.
pub const QUESTION: &[u8] = b"how much is it?";

/// Idle limit of the relays.
const IDLE: Duration = Duration::from_secs(30);

/// Pipes between a file and a socket: the variant's name, and the capacity.
pub const FILE_PIPES: [(&str, usize); 2] = [("file_64KiB", 64 << 10), ("file_1MiB", 1 << 20)];

/// Has a client ask and a server answer with `answer`, while `proxy` relays between them. Returns
/// `true` if each side received what the other sent, and `proxy` counted as many bytes.
///
/// # Errors
///
/// The errors of the sockets and of `proxy`.
pub fn exchange(
    answer: &[u8],
    proxy: impl FnOnce(&TcpStream, &TcpStream) -> io::Result<Moved>,
) -> io::Result<bool> {
    let (moved, same) = through(QUESTION, answer, proxy)?;
    Ok(same && moved == Moved { forward: QUESTION.len() as u64, back: answer.len() as u64 })
}

/// Relays between `client` and `server` through two new buffers of the variant called `name`.
///
/// # Errors
///
/// As [`Variant::new`] and [`relay()`].
pub fn relay_with(name: &str, client: &TcpStream, server: &TcpStream) -> io::Result<Moved> {
    let (mut forward, mut back) = (Variant::new(name)?, Variant::new(name)?);
    Ok(relay(client, server, [&mut forward, &mut back], IDLE)?)
}

/// Relays with `std::io::copy`: one direction after the other, which is enough for a question and
/// its answer.
///
/// # Errors
///
/// The errors of the sockets.
pub fn copy_both(client: &TcpStream, server: &TcpStream) -> io::Result<Moved> {
    let copy = |mut from: &TcpStream, mut to: &TcpStream| {
        let moved = io::copy(&mut from, &mut to)?;
        to.shutdown(Shutdown::Write).map(|()| moved)
    };
    Ok(Moved { forward: copy(client, server)?, back: copy(server, client)? })
}

/// Counts the memory that relaying a question and `answer` takes. Returns `true` if each side
/// received what the other sent, and `None` if the relay is not possible here.
pub fn relay_memory(
    report: &mut Report,
    name: &str,
    answer: &[u8],
    relay: impl Fn(&TcpStream, &TcpStream) -> io::Result<Moved>,
) -> Option<bool> {
    report.attempt(name, &MEMORY, |report| {
        exchange(answer, |client, server| cost::memory(report, name, || relay(client, server)))
    })
}

/// Counts the calls that relaying a question and `answer` takes, those in `always` by name even if
/// there are none. Returns the same as [`relay_memory`].
pub fn relay_calls(
    report: &mut Report,
    name: &str,
    always: &[&str],
    answer: &[u8],
    relay: impl Fn(&TcpStream, &TcpStream) -> io::Result<Moved>,
) -> Option<bool> {
    report.attempt(name, &[&CALLS, always].concat(), |report| {
        exchange(answer, |client, server| {
            cost::calls(report, name, always, || relay(client, server))
        })
    })
}

/// Sends the first `size` bytes of `file` through `pipe` to a blocking socket. No call returns
/// before all its bytes have moved, so the number of calls is exact.
///
/// # Errors
///
/// As [`send_range_with`].
pub fn send_file(pipe: &mut Pipe, socket: &TcpStream, file: &File, size: u64) -> io::Result<()> {
    let full = || Err(io::ErrorKind::WouldBlock.into()); // never called: the socket blocks
    trying("splice", send_range_with(pipe, socket, file, 0..size, full).map_err(Into::into))
}

/// Counts what it costs to send a file of `size` bytes through a pipe of `capacity` bytes. Returns
/// the checksum of what arrived.
///
/// # Errors
///
/// The errors of the file, the pipe and the sockets.
pub fn file_costs(
    report: &mut Report,
    name: &str,
    capacity: usize,
    size: usize,
) -> io::Result<u64> {
    let scratch = Scratch::new()?;
    let (file, size) = (File::open(scratch.file("body", size)?)?, size as u64);
    let mut pipe = pipe(capacity)?;
    let mut send = |socket: &TcpStream| send_file(&mut pipe, socket, &file, size);
    let mut line = Loopback::new(None)?;
    line.transfer(size, |socket| cost::memory(report, name, || send(socket)))?;
    line.transfer(size, |socket| cost::calls(report, name, &["splice"], || send(socket)))?;
    let ((), checksum) = line.transfer_checked(size, &mut send)?;
    line.close()?;
    Ok(checksum)
}

/// Runs the variant called `name` once, uncounted. Returns `true` if everything arrived.
///
/// # Errors
///
/// As the variant's other experiments.
pub fn run_once(name: &str, size: usize) -> io::Result<bool> {
    let Some((_, capacity)) = FILE_PIPES.into_iter().find(|(known, _)| *known == name) else {
        return exchange(&pattern(size), |client, server| relay_with(name, client, server));
    };
    let scratch = Scratch::new()?;
    let (file, size) = (File::open(scratch.file("body", size)?)?, size as u64);
    let mut pipe = pipe(capacity)?;
    loopback::once(size, |socket| send_file(&mut pipe, socket, &file, size))?;
    Ok(true)
}

/// The lent memory: as old as the process, and never unmapped.
static LENT: [AtomicU8; 64 << 10] = [const { AtomicU8::new(0) }; 64 << 10];

/// Two pipes with a socket behind each, and the peers that have not read yet.
pub struct Lending {
    pipes: [Pipe; 2],
    sockets: [TcpStream; 2],
    peers: [TcpStream; 2],
}

impl Lending {
    /// Makes the pipes and connects the sockets.
    ///
    /// # Errors
    ///
    /// The errors of making them.
    pub fn new() -> io::Result<Self> {
        let ((peer, socket), (observer, copy)) = (pair()?, pair()?);
        let pipes = [pipe(2 * LENT.len())?, pipe(2 * LENT.len())?];
        Ok(Self { pipes, sockets: [socket, copy], peers: [peer, observer] })
    }

    /// Lends the memory to a pipe, duplicates the pipe, and drains both into sockets.
    ///
    /// # Errors
    ///
    /// The errors of `vmsplice(2)`, `tee(2)` and `splice(2)`.
    // ANCHOR: lend_and_tee
    pub fn lend_and_tee(&mut self) -> io::Result<()> {
        let ([pipe, tap], [to, copy_to]) = (&mut self.pipes, &self.sockets);
        trying("vmsplice", pipe.lend(&LENT))?;
        trying("tee", pipe.tee(tap))?;
        trying("splice", pipe.drain(to, false))?;
        trying("splice", tap.drain(copy_to, false))?;
        Ok(())
    }
    // ANCHOR_END: lend_and_tee

    /// Lends the memory, overwrites it, and only then lets the peers read. Returns the number of
    /// bytes that each of them received changed.
    ///
    /// # Errors
    ///
    /// As [`lend_and_tee`](Self::lend_and_tee), and those of the sockets.
    // ANCHOR: changed_after_send
    pub fn changed_after_send(&mut self) -> io::Result<[usize; 2]> {
        store_all(b'a'); // memory that was never written has no page to lend
        self.lend_and_tee()?;
        store_all(b'b');
        let mut changed = [0; 2];
        for (peer, changed) in self.peers.iter_mut().zip(&mut changed) {
            let mut received = vec![0; LENT.len()];
            peer.read_exact(&mut received)?;
            *changed = received.iter().filter(|&&byte| byte == b'b').count();
        }
        Ok(changed)
    }
    // ANCHOR_END: changed_after_send
}

fn store_all(value: u8) {
    // Relaxed: the kernel reads the memory without any ordering to pair with.
    LENT.iter().for_each(|byte| byte.store(value, Ordering::Relaxed));
}

/// The number of slots of a new pipe, each for a page, unless its user has too many pipes.
const SLOTS: usize = 16;

/// Sends the first `size` bytes of `file` in the naive way. Returns the number of bytes that
/// arrive.
///
/// # Errors
///
/// If `splice(2)` is refused here, which the naive version would not notice; `Unsupported` if a new
/// pipe is smaller than usual, because this user has too many; the errors of the sockets.
pub fn naive_arrived(file: &File, size: usize) -> io::Result<usize> {
    let mut pipe = Pipe::new()?;
    if pipe.capacity() < SLOTS * page_size() {
        let capacity = pipe.capacity();
        return Err(unsupported(&format!("a new pipe of this user holds {capacity} bytes")));
    }
    trying("splice", pipe.fill(file, Some(&mut 0), 1))?;
    let (peer, socket) = pair()?;
    naive::send_file(&socket, file, size)?;
    drop(socket);
    Ok(hear(peer)?.len())
}

/// The fate of a loop that fills a pipe with more than it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The bytes that the pipe took.
    pub after: usize,
    /// The loop had not returned 100 ms after the pipe took its last bytes.
    pub waits: bool,
    /// The loop failed with `BrokenPipe` once the pipe's other end was closed.
    pub ends_when_closed: bool,
}

/// Fills a pipe with the first `size` bytes of `file` in the naive way, and closes its other end
/// when the pipe has taken nothing for 100 ms.
///
/// # Errors
///
/// If `splice(2)` is refused here; the errors of the pipe.
pub fn naive_blocked(file: &File, size: u64) -> io::Result<Blocked> {
    let (mut output, input) = io::pipe()?;
    thread::scope(|scope| {
        let filling = cores::spawn(scope, || naive::fill_first(input, file, size))?;
        let mut held = 0;
        while !filling.is_finished() {
            thread::sleep(Duration::from_millis(100));
            let now = readable(&output)?;
            if now > 0 && now == held {
                break;
            }
            held = now;
        }
        let waits = !filling.is_finished();
        let mut buffer = vec![0; size as usize];
        let after = output.read(&mut buffer)?; // all that the pipe holds, and no more
        drop(output);
        let end = filling.join().map_err(|_| io::Error::other("the filling thread panicked"))?;
        let ends_when_closed =
            end.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        if !ends_when_closed {
            trying("splice", end)?;
        }
        Ok(Blocked { after, waits, ends_when_closed })
    })
}

/// Returns the number of bytes in a pipe (`FIONREAD`).
fn readable(pipe: &io::PipeReader) -> io::Result<i32> {
    let mut bytes = 0;
    // SAFETY: an open descriptor, and the kernel writes one integer.
    cvt(unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) })?;
    Ok(bytes)
}

/// The pipes that an ordinary user gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Those that hold 1 MiB, of [`PIPES`] that were asked for one after the other.
    pub large: u64,
    /// The capacity of the last one, in bytes.
    pub last: u64,
}

/// The number of pipes of 1 MiB that [`allowance`] asks for.
pub const PIPES: usize = 128;

/// Returns the number of an unprivileged user that hardly any other process runs as: systemd leaves
/// these numbers unused.
fn ordinary() -> libc::uid_t {
    60_706 + process::id() % 478
}

/// Asks for [`PIPES`] pipes of 1 MiB by [`Pipe::up_to`], in a child process that is an ordinary
/// user's: this user's, or another one's if this one is root. Other pipes of the same user count
/// too.
///
/// # Errors
///
/// `Unsupported` if the kernel's limit is not the default, 16,384 pages of 4 KiB; the errors of
/// `fork(2)`, `setuid(2)` and `pipe2(2)`.
pub fn allowance() -> io::Result<Allowance> {
    let path = "/proc/sys/fs/pipe-user-pages-soft";
    let limit = trying(path, fs::read_to_string(path))?;
    if (limit.trim(), page_size()) != ("16384", 4096) {
        let limit = limit.trim();
        return Err(unsupported(&format!("fs.pipe-user-pages-soft is {limit} here, not 16384")));
    }
    let large = |pipes: &[Pipe]| pipes.iter().filter(|pipe| pipe.capacity() == 1 << 20).count();
    let last = |pipes: &[Pipe]| pipes.last().map_or(0, |pipe| pipe.capacity().ilog2() as usize);
    Ok(Allowance { large: pipes_of_a_user(large)?, last: 1 << pipes_of_a_user(last)? })
}

/// Makes [`PIPES`] pipes in a child process, and returns what `found` returns there, up to 253.
fn pipes_of_a_user(found: impl FnOnce(&[Pipe]) -> usize) -> io::Result<u64> {
    const NO_USER: i32 = 254;
    const NO_PIPE: i32 = 255;
    let mut pipes: Vec<Pipe> = Vec::with_capacity(PIPES);
    let ordinary = ordinary();
    let work = || {
        // SAFETY: two calls without pointers. The bare one changes the one thread of the child,
        // where libc's would look for others.
        let changed = cvt(unsafe {
            if libc::geteuid() == 0 { libc::syscall(libc::SYS_setuid, ordinary) as i32 } else { 0 }
        });
        if changed.is_err() {
            return NO_USER;
        }
        while pipes.len() < PIPES {
            match Pipe::up_to(1 << 20) {
                Ok(pipe) => pipes.push(pipe),
                Err(_) => return NO_PIPE,
            }
        }
        found(&pipes) as i32
    };
    // SAFETY: `work` makes system calls only. The vector has room for all pipes, and the errors are
    // numbers, so nothing is allocated.
    match trying("fork", unsafe { end_of(work) })? {
        End::Exit(NO_USER) => Err(unsupported("root may not become an ordinary user here")),
        End::Exit(NO_PIPE) => Err(io::Error::from_raw_os_error(libc::EMFILE)),
        End::Exit(number) => Ok(number as u64),
        End::Signal(signal) => Err(io::Error::other(format!("the child got signal {signal}"))),
    }
}
