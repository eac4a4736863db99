//! The same through io_uring: sends with and without a copy, and `splice`.

use super::limits;
use super::outstanding::Returned;
use super::registered::{Buffer, Registered};
pub use crate::sys::uring::workers;
use crate::sys::{trying, uring};
use io_uring::{IoUring, Probe, cqueue, opcode, squeue, types::Fd};
use std::collections::HashMap;
use std::io::{self, ErrorKind, PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Asks the kernel to report in the notification whether it copied the bytes
/// (`IORING_SEND_ZC_REPORT_USAGE`).
const REPORT_USAGE: u16 = 1 << 3;
/// Set in a notification if it did (`IORING_NOTIF_USAGE_ZC_COPIED`).
const COPIED: u32 = 1 << 31;
/// The number of a request that owns no buffer. Buffers have the numbers above it.
const AT_ONCE: u64 = 0;

/// A ring that carries out one request at a time, and owns the buffers of the sends that the kernel
/// has not released.
///
/// Dropping it leaks those, as [`ZeroCopySender`](super::sender::ZeroCopySender) does.
pub struct Ring {
    ring: IoUring,
    outstanding: HashMap<u64, Returned<Buffer>>,
    /// Released by the kernel, and not taken back yet; with their numbers.
    back: Vec<(u64, Returned<Buffer>)>,
    next: u64,
    refusals: u64,
    /// The empty pipe through which the last file was sent.
    pipe: Option<(PipeReader, PipeWriter)>,
    /// Set once the kernel refuses to run a request that has been queued: the ring still holds it.
    broken: bool,
}

impl Ring {
    /// Creates a ring, if this kernel supports the requests that are needed and allows this process
    /// to make them.
    ///
    /// # Errors
    ///
    /// A sentence that says why not. The default seccomp profiles of many container runtimes forbid
    /// it.
    // ANCHOR: ring
    pub fn new() -> io::Result<Self> {
        let ring = trying("io_uring_setup", IoUring::new(64)).map_err(explained)?;
        let mut probe = Probe::new();
        let asked = ring.submitter().register_probe(&mut probe);
        trying("io_uring_register", asked).map_err(explained)?;
        let needed = [opcode::Send::CODE, opcode::SendZc::CODE, opcode::Splice::CODE];
        if !needed.iter().all(|code| probe.is_supported(*code)) {
            let reason = "io_uring: this kernel has no SEND_ZC, which came with Linux 6.0";
            return Err(io::Error::new(ErrorKind::Unsupported, reason));
        }
        let (outstanding, back, next) = (HashMap::new(), vec![], AT_ONCE + 1);
        let (refusals, pipe, broken) = (0, None, false);
        let mut ring = Self { ring, outstanding, back, next, refusals, pipe, broken };
        let nothing = opcode::Nop::new().build().user_data(AT_ONCE);
        // SAFETY: this request does nothing, and points to nothing.
        unsafe { ring.result(&nothing, AT_ONCE) }.map_err(explained)?;
        Ok(ring)
    }
    // ANCHOR_END: ring

    /// Sends all of `bytes` with a copy.
    ///
    /// # Errors
    ///
    /// The errors of `send(2)` and `io_uring_enter(2)`.
    pub fn send(&mut self, socket: impl AsFd, bytes: &[u8]) -> io::Result<()> {
        self.send_counting(socket, bytes, &mut 0)
    }

    /// Sends all of `bytes` with a copy, and adds the number of bytes sent to `sent`, even if an
    /// error follows.
    fn send_counting(
        &mut self,
        socket: impl AsFd,
        mut bytes: &[u8],
        sent: &mut usize,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let socket = Fd(socket.as_fd().as_raw_fd());
            let request =
                opcode::Send::new(socket, bytes.as_ptr(), length(bytes)).flags(libc::MSG_NOSIGNAL);
            // SAFETY: `bytes` is borrowed until the result is here; without one, the ring is broken
            // and never submits the request.
            let count = unsafe { self.result(&request.build().user_data(AT_ONCE), AT_ONCE) }?;
            *sent += count as usize;
            bytes = &bytes[count as usize..];
        }
        Ok(())
    }

    /// Registers `buffers`: the kernel pins their pages now, and until the ring is dropped, instead
    /// of for each send. A ring can do that once.
    ///
    /// ```no_run
    /// # fn main() -> std::io::Result<()> {
    /// use perf_proved::zero_copy::msg_zerocopy::ring::Ring;
    ///
    /// let socket = std::net::TcpStream::connect("localhost:80")?;
    /// let mut ring = Ring::new()?;
    /// let mut buffers = ring.register(vec![[0; 65536].into(); 16])?;
    /// let mut buffer = buffers.pop().expect("16 of them");
    /// buffer.fill(7);
    /// ring.send_zc(&socket, buffer)?; // it is the ring's until `wait` returns it
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, with the limits, if this user may not pin that many pages; otherwise the
    /// errors of `io_uring_register(2)`.
    // ANCHOR: register
    pub fn register(&mut self, buffers: Vec<Box<[u8]>>) -> io::Result<Vec<Registered>> {
        let part = |buffer: &[u8]| libc::iovec {
            iov_base: buffer.as_ptr().cast_mut().cast(), // the kernel only reads it
            iov_len: buffer.len(),
        };
        let parts: Vec<_> = buffers.iter().map(|buffer| part(buffer)).collect();
        // SAFETY: live memory, which `send_zc` takes by value while the kernel reads it.
        let done = unsafe { self.ring.submitter().register_buffers(&parts) };
        let (count, size) = (parts.len(), parts.iter().map(|part| part.iov_len));
        let size: usize = size.sum();
        let what = format!("pinning {size} bytes in {count} buffers: {}", limits());
        trying(what, done)?;
        let numbered = (0..).zip(buffers);
        Ok(numbered.map(|(index, bytes)| Registered::new(bytes, index)).collect())
    }
    // ANCHOR_END: register

    /// Sends all of `buffer` without a copy, if the kernel can, and owns it until its notification
    /// comes: [`take_back`](Self::take_back) and [`wait`](Self::wait) return it, even after an
    /// error.
    ///
    /// # Errors
    ///
    /// The errors of `send(2)` and `io_uring_enter(2)`; `WriteZero` if only a part was sent;
    /// `EFAULT` for a buffer that is registered with another ring.
    // ANCHOR: send_zc
    pub fn send_zc(&mut self, to: impl AsFd, buffer: impl Into<Buffer>) -> io::Result<()> {
        let buffer = buffer.into();
        let number = self.next;
        self.next += 1;
        let (start, length) = (buffer.as_ptr(), length(&buffer));
        // MSG_WAITALL: the kernel continues a short send, so one notification covers the
        // buffer.
        let fd = Fd(to.as_fd().as_raw_fd());
        let request = opcode::SendZc::new(fd, start, length)
            .buf_index(buffer.index()) // if it is registered, nothing is pinned now
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .zc_flags(REPORT_USAGE);
        self.outstanding.insert(number, Returned::unsent(buffer));
        // SAFETY: the buffer stays in `outstanding`, or is leaked, until the kernel has
        // released it; moving it moves no byte.
        match unsafe { self.result(&request.build().user_data(number), number) } {
            Ok(sent) if sent == length => Ok(()),
            Ok(sent) => Err(short(sent, length)),
            Err(error) if is_refusal(&error) => self.refused(to, number),
            Err(error) => Err(error),
        }
    }
    // ANCHOR_END: send_zc

    /// Makes progress after the kernel has refused to pin the pages of buffer `number`: waits until
    /// another one is released and retries, or sends it with a copy if there is no other.
    fn refused(&mut self, socket: impl AsFd, number: u64) -> io::Result<()> {
        self.refusals += 1;
        while self.outstanding.contains_key(&number) {
            self.enter()?; // the failed send has a notification of its own
            self.read_results(None);
        }
        let index = self.back.iter().position(|(of, _)| *of == number);
        let (_, mut returned) = index
            .map(|index| self.back.swap_remove(index))
            .ok_or_else(|| io::Error::other("the ring has lost a buffer"))?;
        if self.outstanding.is_empty() {
            let result = self.send_counting(socket, &returned.buffer, &mut returned.fell_back);
            returned.sent = returned.fell_back;
            self.back.push((number, returned));
            return result;
        }
        let before = self.outstanding.len();
        while self.outstanding.len() == before {
            self.enter()?;
            self.read_results(None);
        }
        self.send_zc(socket, returned.buffer)
    }

    // ANCHOR: send_file
    /// Sends the first `length` bytes of `file` through a pipe, by `splice` requests, one at a
    /// time. The ring keeps the pipe for the next file.
    ///
    /// # Errors
    ///
    /// The errors of `splice(2)` and `io_uring_enter(2)`; `UnexpectedEof` if the file is shorter.
    pub fn send_file(&mut self, socket: impl AsFd, file: impl AsFd, length: u64) -> io::Result<()> {
        let (output, input) = self.pipe.take().map_or_else(io::pipe, Ok)?;
        let mut at = 0;
        while at < length {
            let mut held = self.splice(file.as_fd(), at as i64, input.as_fd(), length - at)?;
            if held == 0 {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "the file has become shorter",
                ));
            }
            at += held;
            while held > 0 {
                held -= self.splice(output.as_fd(), -1, socket.as_fd(), held)?;
            }
        }
        self.pipe = Some((output, input)); // empty: after an error, it is closed instead
        Ok(())
    }
    // ANCHOR_END: send_file

    /// Moves up to `count` bytes by one request. An offset of -1 stands for the descriptor's own
    /// position.
    fn splice(
        &mut self,
        from: BorrowedFd<'_>,
        offset: i64,
        to: BorrowedFd<'_>,
        count: u64,
    ) -> io::Result<u64> {
        let count = count.min(i32::MAX as u64) as u32;
        let request =
            opcode::Splice::new(Fd(from.as_raw_fd()), offset, Fd(to.as_raw_fd()), -1, count);
        // SAFETY: no memory is involved, and the descriptors are open while they are borrowed.
        unsafe { self.result(&request.build().user_data(AT_ONCE), AT_ONCE) }.map(u64::from)
    }

    /// Returns the number of buffers that the kernel has not released.
    pub fn under_way(&self) -> usize {
        self.outstanding.len()
    }

    /// Returns the number of sends so far for which the kernel refused to pin more pages (`ENOMEM`
    /// for the user's account, `ENOBUFS` for the socket's).
    pub fn refusals(&self) -> u64 {
        self.refusals
    }

    /// Returns a buffer that the kernel has released, if there is one. Never waits.
    pub fn take_back(&mut self) -> Option<Returned<Buffer>> {
        self.read_results(None);
        self.back.pop().map(|(_, returned)| returned)
    }

    /// Waits for the next buffer that the kernel releases, or returns `None` if it holds none.
    ///
    /// # Errors
    ///
    /// The errors of `io_uring_enter(2)`.
    pub fn wait(&mut self) -> io::Result<Option<Returned<Buffer>>> {
        loop {
            if let Some(returned) = self.take_back() {
                return Ok(Some(returned));
            }
            if self.outstanding.is_empty() {
                return Ok(None);
            }
            self.enter()?;
        }
    }

    /// Queues a request, submits it and waits for its result.
    ///
    /// # Safety
    ///
    /// What the request points to must stay as it is until its result is here, and for a send
    /// without a copy until its notification is. If the request cannot be submitted, the ring is
    /// broken, and the kernel never sees it.
    unsafe fn result(&mut self, request: &squeue::Entry, number: u64) -> io::Result<u32> {
        self.check()?;
        // SAFETY: the caller's promise. There is room, because every request before this one has
        // been submitted.
        unsafe { self.ring.submission().push(request) }.map_err(io::Error::other)?;
        loop {
            self.enter()?;
            if let Some(result) = self.read_results(Some(number)) {
                return u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
            }
        }
    }

    /// Submits what is queued and waits until a result or a notification is here.
    fn enter(&mut self) -> io::Result<()> {
        self.check()?;
        loop {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) => return Ok(()),
                Err(error) => {
                    self.broken = true;
                    return trying("io_uring_enter", Err(error));
                }
            }
        }
    }

    /// Refuses to go on once a request could not be submitted: it is still in the queue, and the
    /// next call would submit it, when what it points to may be gone.
    fn check(&self) -> io::Result<()> {
        let broken =
            || Err(io::Error::other("io_uring: an earlier request could not be handed in"));
        if self.broken { broken() } else { Ok(()) }
    }

    // ANCHOR: results
    /// Reads the results and notifications that are here, and returns the result of `wanted`.
    fn read_results(&mut self, wanted: Option<u64>) -> Option<i32> {
        let mut found = None;
        for entry in self.ring.completion() {
            let number = entry.user_data();
            let is_notification = cqueue::notif(entry.flags());
            if !is_notification {
                found = found.or((wanted == Some(number)).then_some(entry.result()));
            }
            if let Some(kept) = self.outstanding.get_mut(&number) {
                if is_notification {
                    kept.copied = entry.result() as u32 & COPIED != 0;
                } else {
                    kept.sent = entry.result().max(0) as usize;
                }
            }
            // The last entry of a send: its notification, or its result if no notification follows.
            if !cqueue::more(entry.flags())
                && let Some(returned) = self.outstanding.remove(&number)
            {
                self.back.push((number, returned));
            }
        }
        found
    }
    // ANCHOR_END: results
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.outstanding.drain().for_each(|(_, kept)| std::mem::forget(kept.buffer));
    }
}

/// Returns the error of a send that ended early.
fn short(sent: u32, of: u32) -> io::Error {
    io::Error::new(ErrorKind::WriteZero, format!("sent {sent} of {of} bytes"))
}

/// Returns `true` if a request's error says that no more pages may be pinned: `ENOMEM` for the
/// user's account, `ENOBUFS` for the socket's. Errors of `io_uring_enter` itself have no raw code
/// here.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::ENOBUFS))
}

/// Explains why there is no ring.
fn explained(error: io::Error) -> io::Error {
    uring::explained(error, limits)
}

/// Returns the number of these bytes that one request can send.
fn length(bytes: &[u8]) -> u32 {
    bytes.len().min(i32::MAX as usize) as u32
}
