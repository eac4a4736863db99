//! The same through io_uring: sends, sends without a copy, and `splice`.

use super::outstanding::Returned;
use io_uring::{IoUring, Probe, cqueue, opcode, squeue, types::Fd};
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::{fs, io};

/// Asks the kernel to say in the notification whether it has copied
/// (`IORING_SEND_ZC_REPORT_USAGE`).
const REPORT_USAGE: u16 = 1 << 3;
/// In a notification: it has (`IORING_NOTIF_USAGE_ZC_COPIED`).
const COPIED: u32 = 1 << 31;
/// The number of a request whose result is waited for at once; buffers have the numbers behind it.
const AT_ONCE: u64 = 0;

/// A ring that does one request at a time, and owns the buffers of the sends that the kernel has
/// not let go of.
///
/// Dropping it leaks those, as [`ZeroCopySender`](super::sender::ZeroCopySender) does.
pub struct Ring {
    ring: IoUring,
    outstanding: HashMap<u64, Returned>,
    back: Vec<Returned>,
    next: u64,
}

impl Ring {
    /// A ring, if this kernel has one with the requests that are needed, and lets this process have
    /// it.
    ///
    /// # Errors
    ///
    /// A sentence that says why not. Most containers forbid it.
    // ANCHOR: ring
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::new(64).map_err(|error| {
            let switched_off = fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
                .is_ok_and(|mode| mode.trim() != "0");
            let reason = match error.raw_os_error() {
                Some(libc::ENOSYS) => "this kernel has none".to_owned(),
                Some(libc::EPERM) if switched_off => "kernel.io_uring_disabled is set".to_owned(),
                Some(libc::EPERM) => {
                    "it is forbidden here, as the seccomp filters of most containers do".to_owned()
                }
                _ => error.to_string(),
            };
            io::Error::new(error.kind(), format!("io_uring: {reason}"))
        })?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if [opcode::Send::CODE, opcode::SendZc::CODE, opcode::Splice::CODE]
            .iter()
            .all(|code| probe.is_supported(*code))
        {
            Ok(Self { ring, outstanding: HashMap::new(), back: vec![], next: AT_ONCE + 1 })
        } else {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "io_uring: this kernel's has no SEND_ZC, which came with Linux 6.0",
            ))
        }
    }
    // ANCHOR_END: ring

    /// Sends all of `bytes`, copied.
    ///
    /// # Errors
    ///
    /// What the kernel reports.
    pub fn send(&mut self, socket: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let socket = Fd(socket.as_fd().as_raw_fd());
            let request =
                opcode::Send::new(socket, bytes.as_ptr(), length(bytes)).flags(libc::MSG_NOSIGNAL);
            // SAFETY: `bytes` is borrowed until the result is here.
            let sent = unsafe { self.result(&request.build().user_data(AT_ONCE), AT_ONCE) }?;
            bytes = &bytes[sent as usize..];
        }
        Ok(())
    }

    // ANCHOR: send_zc
    /// Sends all of `buffer` without a copy, where the kernel can, and owns it until the
    /// notification has come: then [`take_back`](Self::take_back) and [`wait`](Self::wait) return
    /// it, also after an error.
    ///
    /// # Errors
    ///
    /// What the kernel reports.
    pub fn send_zc(&mut self, socket: impl AsFd, buffer: Vec<u8>) -> io::Result<()> {
        let number = self.next;
        self.next += 1;
        let bytes = (buffer.as_ptr(), length(&buffer));
        self.outstanding.insert(number, Returned { buffer, sent: 0, copied: false });
        // MSG_WAITALL: a short send is continued by the kernel, so that one notification stands for
        // all of the buffer.
        let request = opcode::SendZc::new(Fd(socket.as_fd().as_raw_fd()), bytes.0, bytes.1)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .zc_flags(REPORT_USAGE);
        // SAFETY: the buffer stays in `outstanding`, or is leaked, until the kernel has let go of
        // it; moving the `Vec` moves no byte.
        let sent = unsafe { self.result(&request.build().user_data(number), number) }? as usize;
        if sent == bytes.1 as usize {
            Ok(())
        } else {
            Err(io::Error::new(io::ErrorKind::WriteZero, format!("sent {sent} bytes")))
        }
    }
    // ANCHOR_END: send_zc

    // ANCHOR: send_file
    /// Sends the first `length` bytes of `file` through a pipe, by requests of `splice`, each
    /// waited for.
    ///
    /// # Errors
    ///
    /// What the kernel reports; `UnexpectedEof` for a file that is shorter.
    pub fn send_file(&mut self, socket: impl AsFd, file: impl AsFd, length: u64) -> io::Result<()> {
        let (output, input) = io::pipe()?;
        let mut at = 0;
        while at < length {
            let mut held = self.splice(file.as_fd(), at as i64, input.as_fd(), length - at)?;
            if held == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the file has become shorter",
                ));
            }
            at += held;
            while held > 0 {
                held -= self.splice(output.as_fd(), -1, socket.as_fd(), held)?;
            }
        }
        Ok(())
    }
    // ANCHOR_END: send_file

    /// One request; an offset of -1 stands for the descriptor's own position.
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

    /// How many buffers the kernel has.
    pub fn under_way(&self) -> usize {
        self.outstanding.len()
    }

    /// A buffer that has come back, if there is one. Never waits.
    pub fn take_back(&mut self) -> Option<Returned> {
        self.enter_results(None);
        self.back.pop()
    }

    /// The next buffer that comes back, or `None` if the kernel has none.
    ///
    /// # Errors
    ///
    /// What `io_uring_enter(2)` reports.
    pub fn wait(&mut self) -> io::Result<Option<Returned>> {
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

    /// Hands a request in and waits for its result.
    ///
    /// # Safety
    ///
    /// What the request points to stays as it is until its result is here, and for a send without a
    /// copy until its notification is.
    unsafe fn result(&mut self, request: &squeue::Entry, number: u64) -> io::Result<u32> {
        // SAFETY: the caller's promise. There is room: each request before this one has been handed
        // in.
        unsafe { self.ring.submission().push(request) }.map_err(io::Error::other)?;
        loop {
            // An error here would leave the kernel with a request that nobody waits for: there is
            // none but `EINTR`, for a ring that works.
            self.enter()?;
            if let Some(result) = self.enter_results(Some(number)) {
                return u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
            }
        }
    }

    fn enter(&self) -> io::Result<()> {
        loop {
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(drop),
            }
        }
    }

    // ANCHOR: results
    /// Reads what has come: results, of which that of `wanted` is returned, and notifications.
    fn enter_results(&mut self, wanted: Option<u64>) -> Option<i32> {
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
            // What is followed by nothing more is the end: the notification, or the result of a
            // send that has none.
            if !cqueue::more(entry.flags()) {
                self.back.extend(self.outstanding.remove(&number));
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

/// Threads that the kernel has added to this process for io_uring; they stay for a few seconds
/// after their last work.
///
/// # Errors
///
/// If `/proc` does not list this process's threads.
pub fn workers() -> io::Result<u64> {
    let names = fs::read_dir("/proc/self/task")?
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("comm")));
    Ok(names.flatten().filter(|name| name.starts_with("iou-wrk")).count() as u64)
}

/// What one request sends at most.
fn length(bytes: &[u8]) -> u32 {
    bytes.len().min(i32::MAX as usize) as u32
}
