//! The ways of sending a buffer that the chapter compares. Example, bench and tests run these.

use super::outstanding::Returned;
use super::ring::Ring;
use super::sender::ZeroCopySender;
use crate::harness::unknown;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The number of buffers that take turns where the kernel keeps each for a while.
pub const BUFFERS: usize = 16;

/// One way of sending buffers of one size over a blocking socket.
pub struct Variant {
    socket: TcpStream,
    engine: Engine,
    /// The buffers that the kernel does not hold.
    free: Vec<Vec<u8>>,
    counts: Counts,
}

enum Engine {
    Send,
    MsgZeroCopy(ZeroCopySender<TcpStream>),
    RingSend(Ring),
    RingSendZc(Ring),
}

/// The outcomes of the sends of a [`Variant`] so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Buffers that the kernel has released after a send without a copy.
    pub returned: u64,
    /// Buffers of these that the kernel reports as copied after all.
    pub copied: u64,
    /// Buffers of these that were sent with a copy, at least in part, because the kernel refused to
    /// pin more pages.
    pub fell_back: u64,
    /// Sends for which it refused that.
    pub refusals: u64,
}

impl Variant {
    /// The names of the variants, in the order in which the chapter meets them.
    pub const NAMES: [&str; 4] = ["send", "msg_zerocopy", "io_uring_send", "io_uring_send_zc"];

    /// Prepares the variant `name` for `socket`, on which nothing else may send meanwhile. Each
    /// buffer is a copy of `bytes`.
    ///
    /// # Errors
    ///
    /// A sentence that says why it is not possible here; `InvalidInput` for an unknown name.
    pub fn new(name: &str, socket: &TcpStream, bytes: &[u8]) -> io::Result<Self> {
        let engine = match name {
            "send" => Engine::Send,
            "msg_zerocopy" => Engine::MsgZeroCopy(ZeroCopySender::new(socket.try_clone()?)?),
            "io_uring_send" => Engine::RingSend(Ring::new()?),
            "io_uring_send_zc" => Engine::RingSendZc(Ring::new()?),
            _ => return Err(unknown(name, &Self::NAMES)),
        };
        let buffers =
            if matches!(engine, Engine::Send | Engine::RingSend(_)) { 1 } else { BUFFERS };
        let free = vec![bytes.to_vec(); buffers];
        Ok(Self { socket: socket.try_clone()?, engine, free, counts: Counts::default() })
    }

    /// Sends one buffer. If the kernel holds all of them, waits first until it releases one.
    ///
    /// # Errors
    ///
    /// The errors of `send(2)` and of the variant's own calls.
    // ANCHOR: send
    pub fn send(&mut self) -> io::Result<()> {
        let buffer = match self.free.pop() {
            Some(buffer) => buffer,
            None => {
                self.take_back()?.ok_or_else(|| io::Error::other("all buffers are lost"))?.buffer
            }
        };
        match &mut self.engine {
            Engine::Send => self.socket.write_all(&buffer)?,
            Engine::RingSend(ring) => ring.send(&self.socket, &buffer)?,
            Engine::MsgZeroCopy(sender) => return sender.send(buffer, soon()),
            Engine::RingSendZc(ring) => return ring.send_zc(&self.socket, buffer),
        }
        self.free.push(buffer); // copied: it is ours again
        Ok(())
    }
    // ANCHOR_END: send

    /// Waits until the kernel has released all buffers.
    ///
    /// # Errors
    ///
    /// The errors of the calls that read completions.
    pub fn finish(&mut self) -> io::Result<()> {
        while let Some(returned) = self.take_back()? {
            self.free.push(returned.buffer);
        }
        Ok(())
    }

    /// Returns the outcomes of the sends so far.
    pub fn counts(&self) -> Counts {
        let refusals = match &self.engine {
            Engine::Send | Engine::RingSend(_) => 0,
            Engine::MsgZeroCopy(sender) => sender.refusals(),
            Engine::RingSendZc(ring) => ring.refusals(),
        };
        Counts { refusals, ..self.counts }
    }

    fn take_back(&mut self) -> io::Result<Option<Returned>> {
        let returned = match &mut self.engine {
            Engine::Send | Engine::RingSend(_) => None,
            Engine::MsgZeroCopy(sender) => sender.wait(soon())?,
            Engine::RingSendZc(ring) => ring.wait()?,
        };
        if let Some(returned) = &returned {
            self.counts.returned += 1;
            self.counts.copied += u64::from(returned.copied);
            self.counts.fell_back += u64::from(returned.fell_back > 0);
        }
        Ok(returned)
    }
}

/// Returns a deadline that leaves time for anything that works.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}
