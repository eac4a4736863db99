//! A sender that owns what the kernel reads.

use super::outstanding::{Outstanding, Returned};
use super::{allow, completion, send};
use crate::sys::poll::wait;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// Sends buffers without copying them, where the kernel can, and owns each until the kernel has let
/// go of it.
///
/// Dropping it leaks the buffers that are still under way: their bytes are sent, and no later owner
/// of that memory can change them. To have them back, [`wait`](Self::wait) until there is none.
pub struct ZeroCopySender<S> {
    socket: S,
    outstanding: Outstanding,
    /// Come back, and not asked for yet.
    back: VecDeque<Returned>,
}

impl<S: AsFd> ZeroCopySender<S> {
    /// A sender for this socket, on which nobody has sent or will send with `MSG_ZEROCOPY`
    /// otherwise: the kernel counts for each socket.
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
    /// let back = sender.wait(soon)?.expect("one is under way");
    /// assert_eq!((back.buffer, back.sent), (vec![7; 5000], 5000));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What `setsockopt(2)` reports.
    pub fn new(socket: S) -> io::Result<Self> {
        allow(&socket)?;
        Ok(Self { socket, outstanding: Outstanding::new(0), back: VecDeque::new() })
    }

    /// The socket.
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// How many buffers the kernel has.
    pub fn under_way(&self) -> usize {
        self.outstanding.len()
    }

    /// Sends all of `buffer`. Also after an error, [`take_back`](Self::take_back) and
    /// [`wait`](Self::wait) return it, and say how much left.
    ///
    /// # Errors
    ///
    /// What `send(2)` reports; `TimedOut` if a non-blocking socket has no room, or the kernel none
    /// for one more send, until `deadline`.
    // ANCHOR: send
    pub fn send(&mut self, buffer: Vec<u8>, deadline: Instant) -> io::Result<()> {
        self.outstanding.begin(buffer); // before the first send: its completion may be here before the second
        let result = loop {
            if self.outstanding.rest().is_empty() {
                break Ok(());
            }
            let events = match send(&self.socket, self.outstanding.rest()) {
                Ok(count) => {
                    self.outstanding.sent(count); // short or not, each call has a number and a completion
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => libc::POLLOUT,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => 0, // only completions make room
                Err(error) => break Err(error),
            };
            if let Err(error) = self.rest(events, deadline) {
                break Err(error);
            }
        };
        self.outstanding.finish(|returned| self.back.push_back(returned));
        result
    }
    // ANCHOR_END: send

    /// A buffer that has come back, if there is one. Never waits.
    ///
    /// # Errors
    ///
    /// What `recvmsg(2)` reports.
    pub fn take_back(&mut self) -> io::Result<Option<Returned>> {
        if self.back.is_empty() {
            self.read_completions()?;
        }
        Ok(self.back.pop_front())
    }

    /// The next buffer that comes back, or `None` if the kernel has none.
    ///
    /// # Errors
    ///
    /// `TimedOut` if none has come until `deadline`; otherwise what the kernel reports.
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
    /// Waits for `events`, or for completions, and reads these: as long as one is in the queue,
    /// `poll` returns at once with `POLLERR`, and a loop that looks for `POLLOUT` alone never
    /// rests.
    fn rest(&mut self, events: libc::c_short, deadline: Instant) -> io::Result<()> {
        if self.read_completions()? {
            return Ok(());
        }
        let mut these = [libc::pollfd { fd: self.socket.as_fd().as_raw_fd(), events, revents: 0 }];
        wait(&mut these, deadline)?;
        if !self.read_completions()? && these[0].revents & (libc::POLLERR | libc::POLLHUP) != 0 {
            // Closed or broken, which `poll` reports for ever; the buffers still come back.
            let patience = deadline.saturating_duration_since(Instant::now());
            if patience.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the deadline has passed"));
            }
            std::thread::sleep(patience.min(Duration::from_millis(1)));
        }
        Ok(())
    }
    // ANCHOR_END: rest

    /// Whether there were any.
    fn read_completions(&mut self) -> io::Result<bool> {
        let mut any = false;
        while let Some(completion) = completion(&self.socket)? {
            any = true;
            self.outstanding.complete(completion, |returned| self.back.push_back(returned));
        }
        Ok(any)
    }
}
