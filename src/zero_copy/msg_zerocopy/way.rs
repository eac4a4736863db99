//! The ways of sending a buffer that the chapter compares. Example, bench and tests run these.

use super::outstanding::Returned;
use super::ring::Ring;
use super::sender::ZeroCopySender;
use crate::harness::unknown;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How many buffers go around where the kernel keeps one for a while.
const BUFFERS: usize = 16;

/// One way to send buffers of one size over a blocking socket.
pub struct Way {
    socket: TcpStream,
    how: How,
    /// Those that the kernel does not have.
    free: Vec<Vec<u8>>,
    /// Come back so far, and how many of these were copied after all.
    back: (u64, u64),
}

enum How {
    Send,
    MsgZeroCopy(ZeroCopySender<TcpStream>),
    RingSend(Ring),
    RingSendZc(Ring),
}

impl Way {
    /// Their names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 4] = ["send", "msg_zerocopy", "io_uring_send", "io_uring_send_zc"];

    /// The one of that name for this socket, which nothing else sends on meanwhile; each buffer is
    /// a copy of `bytes`.
    ///
    /// # Errors
    ///
    /// A sentence that says why it is not possible here; `InvalidInput` for another name.
    pub fn new(name: &str, socket: &TcpStream, bytes: &[u8]) -> io::Result<Self> {
        let how = match name {
            "send" => How::Send,
            "msg_zerocopy" => How::MsgZeroCopy(ZeroCopySender::new(socket.try_clone()?)?),
            "io_uring_send" => How::RingSend(Ring::new()?),
            "io_uring_send_zc" => How::RingSendZc(Ring::new()?),
            _ => return Err(unknown(name, &Self::NAMES)),
        };
        let buffers = if matches!(how, How::Send | How::RingSend(_)) { 1 } else { BUFFERS };
        Ok(Self {
            socket: socket.try_clone()?,
            how,
            free: vec![bytes.to_vec(); buffers],
            back: (0, 0),
        })
    }

    /// Sends one buffer; waits for one to come back first, if the kernel has all.
    ///
    /// # Errors
    ///
    /// What the kernel reports.
    // ANCHOR: send
    pub fn send(&mut self) -> io::Result<()> {
        let buffer = match self.free.pop() {
            Some(buffer) => buffer,
            None => {
                self.take_back()?.ok_or_else(|| io::Error::other("all buffers are lost"))?.buffer
            }
        };
        match &mut self.how {
            How::Send => self.socket.write_all(&buffer)?,
            How::RingSend(ring) => ring.send(&self.socket, &buffer)?,
            How::MsgZeroCopy(sender) => return sender.send(buffer, soon()),
            How::RingSendZc(ring) => return ring.send_zc(&self.socket, buffer),
        }
        self.free.push(buffer); // copied: it is ours again
        Ok(())
    }
    // ANCHOR_END: send

    /// Waits until all buffers have come back.
    ///
    /// # Errors
    ///
    /// What the kernel reports.
    pub fn finish(&mut self) -> io::Result<()> {
        while let Some(returned) = self.take_back()? {
            self.free.push(returned.buffer);
        }
        Ok(())
    }

    /// How many buffers have come back with a completion so far, and how many of these were copied
    /// after all.
    pub fn back(&self) -> (u64, u64) {
        self.back
    }

    fn take_back(&mut self) -> io::Result<Option<Returned>> {
        let returned = match &mut self.how {
            How::Send | How::RingSend(_) => None,
            How::MsgZeroCopy(sender) => sender.wait(soon())?,
            How::RingSendZc(ring) => ring.wait()?,
        };
        if let Some(returned) = &returned {
            self.back = (self.back.0 + 1, self.back.1 + u64::from(returned.copied));
        }
        Ok(returned)
    }
}

/// Long enough for anything that works.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}
