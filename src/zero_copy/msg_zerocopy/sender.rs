//! A sender that owns what the kernel reads.

use super::outstanding::{Outstanding, Returned};
use super::{allow, completion, fair_share, limits, send, send_with};
use crate::sys::poll::wait;
use crate::sys::trying;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// Sends buffers without copying them, if the kernel can, and owns each until the kernel has
/// released it.
///
/// If the kernel refuses to pin more pages (`ENOBUFS`), the sender waits for completions. If
/// none is to come, other processes of this user hold what [`limits`] allow: then it
/// sends with a copy.
///
/// Dropping it leaks the buffers that the kernel still reads: their bytes are sent, and no later
/// owner of that memory can change them. To get them back, call [`wait`](Self::wait) until it
/// returns `None`.
pub struct ZeroCopySender<S> {
    socket: S,
    outstanding: Outstanding,
    /// Released by the kernel, and not taken back yet.
    back: VecDeque<Returned>,
    /// The longest piece that it tries to send in one call.
    longest: usize,
    refusals: u64,
}

impl<S: AsFd> ZeroCopySender<S> {
    /// Creates a sender for `socket`. Nothing else may ever send on it with `MSG_ZEROCOPY`, because
    /// the kernel numbers the sends of each socket.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// use perf_proved::harness::loopback::pair;
    /// use perf_proved::zero_copy::msg_zerocopy::sender::ZeroCopySender;
    /// use std::io::Read;
    /// use std::time::{Duration, Instant};
    ///
    /// let (mut peer, socket) = pair()?;
    /// let soon = Instant::now() + Duration::from_secs(5);
    /// let mut sender = ZeroCopySender::new(socket)?;
    /// sender.send(vec![7; 5000], soon)?; // the buffer is the sender's now
    /// peer.read_exact(&mut [0; 5000])?;
    /// let back = sender.wait(soon)?.expect("one is outstanding");
    /// assert_eq!((back.buffer, back.sent), (vec![7; 5000], 5000));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of `setsockopt(2)`.
    pub fn new(socket: S) -> io::Result<Self> {
        allow(&socket)?;
        let (outstanding, back) = (Outstanding::new(0), VecDeque::new());
        Ok(Self { socket, outstanding, back, longest: usize::MAX, refusals: 0 })
    }

    /// Returns the socket.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// Returns the number of buffers that the kernel still reads.
    pub fn under_way(&self) -> usize {
        self.outstanding.len()
    }

    /// Returns the number of calls so far for which the kernel refused to pin more pages
    /// (`ENOBUFS`).
    pub fn refusals(&self) -> u64 {
        self.refusals
    }

    /// Sends all of `buffer`. Even after an error, [`take_back`](Self::take_back) and
    /// [`wait`](Self::wait) return it, with the number of bytes sent.
    ///
    /// # Errors
    ///
    /// The errors of `send(2)`; `TimedOut` if by `deadline` a non-blocking socket had no room, or
    /// the kernel no account for one more send.
    // ANCHOR: send
    pub fn send(&mut self, buffer: Vec<u8>, deadline: Instant) -> io::Result<()> {
        self.outstanding.begin(buffer); // first: a send may complete before the next is made
        let mut result = Ok(());
        while result.is_ok() && !self.outstanding.rest().is_empty() {
            result = self.send_some(deadline);
        }
        self.outstanding.finish(|returned| self.back.push_back(returned));
        result
    }

    fn send_some(&mut self, deadline: Instant) -> io::Result<()> {
        let rest = self.outstanding.rest();
        let piece = &rest[..rest.len().min(self.longest)];
        match send(&self.socket, piece) {
            Ok(count) => {
                self.outstanding.sent(count); // short or not: a number and a completion
                Ok(())
            }
            Err(error) if is_full(&error) => self.rest(libc::POLLOUT, deadline),
            Err(error) => match error.raw_os_error() {
                Some(libc::ENOBUFS) => self.refused(deadline),
                _ => Err(error),
            },
        }
    }
    // ANCHOR_END: send

    // ANCHOR: refused
    /// Makes progress after `ENOBUFS`: the socket has room, but the kernel cannot pin the
    /// piece.
    fn refused(&mut self, deadline: Instant) -> io::Result<()> {
        self.refusals += 1;
        if self.outstanding.awaits_completions() {
            let waited = self.rest(0, deadline);
            let late = waited.as_ref().is_err_and(|e| e.kind() == ErrorKind::TimedOut);
            return if late { trying(limits(), waited) } else { waited };
        }
        let tried = self.outstanding.rest().len().min(self.longest);
        match fair_share() {
            // The piece may have been too long for the limit by itself.
            Some(share) if (1..tried).contains(&share) => self.longest = share,
            _ => match send_with(&self.socket, self.outstanding.rest(), 0) {
                Ok(count) => self.outstanding.fell_back(count),
                Err(error) if is_full(&error) => return self.rest(libc::POLLOUT, deadline),
                Err(error) => return Err(error),
            },
        }
        Ok(())
    }
    // ANCHOR_END: refused

    /// Returns a buffer that the kernel has released, if there is one. Never waits.
    ///
    /// # Errors
    ///
    /// The errors of `recvmsg(2)`.
    pub fn take_back(&mut self) -> io::Result<Option<Returned>> {
        if self.back.is_empty() {
            self.read_completions()?;
        }
        Ok(self.back.pop_front())
    }

    /// Waits for the next buffer that the kernel releases, or returns `None` if it holds none.
    ///
    /// # Errors
    ///
    /// `TimedOut` if none was released by `deadline`; otherwise the errors of `recvmsg(2)` and
    /// `ppoll(2)`.
    pub fn wait(&mut self, deadline: Instant) -> io::Result<Option<Returned>> {
        loop {
            if let Some(returned) = self.take_back()? {
                return Ok(Some(returned));
            }
            if self.outstanding.is_empty() {
                return Ok(None);
            }
            self.rest(0, deadline)?;
        }
    }

    // ANCHOR: rest
    /// Waits for `events` or for completions, and reads the completions. As long as one is in
    /// the queue, `poll` returns at once with `POLLERR`, so a loop that looks only for
    /// `POLLOUT` spins.
    fn rest(&mut self, events: libc::c_short, deadline: Instant) -> io::Result<()> {
        if self.read_completions()? {
            return Ok(());
        }
        let fd = self.socket.as_fd().as_raw_fd();
        let mut these = [libc::pollfd { fd, events, revents: 0 }];
        wait(&mut these, deadline)?;
        let broken = these[0].revents & (libc::POLLERR | libc::POLLHUP) != 0;
        if !self.read_completions()? && broken {
            // Closed or broken: `poll` reports that forever, but the buffers still come back.
            let patience = deadline.saturating_duration_since(Instant::now());
            if patience.is_zero() {
                return Err(io::Error::new(ErrorKind::TimedOut, "the deadline has passed"));
            }
            std::thread::sleep(patience.min(Duration::from_millis(1)));
        }
        Ok(())
    }
    // ANCHOR_END: rest

    /// Reads all completions in the queue, and returns `true` if there were any.
    fn read_completions(&mut self) -> io::Result<bool> {
        let mut any = false;
        while let Some(completion) = completion(&self.socket)? {
            any = true;
            self.outstanding.complete(completion, |returned| self.back.push_back(returned));
        }
        Ok(any)
    }
}

/// Returns `true` if a send's error says that a non-blocking socket has no room.
fn is_full(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}
