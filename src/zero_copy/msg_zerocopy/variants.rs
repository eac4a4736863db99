//! The ways of sending a buffer that the chapter compares. Example, bench and tests run these.

use super::outstanding::Returned;
use super::registered::Buffer;
use super::ring::Ring;
use super::sender::ZeroCopySender;
use crate::harness::unknown;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The number of buffers that take turns. A send without a copy needs several, because the kernel
/// keeps each for a while; `send` gets by with one.
pub const BUFFERS: usize = 16;

/// One way of sending buffers of one size over a blocking socket.
pub struct Variant {
    socket: TcpStream,
    engine: Engine,
    /// The buffers that the kernel does not hold.
    free: VecDeque<Buffer>,
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
    /// The names of the variants, in the order in which the chapter meets them. `send` sends one
    /// buffer again and again, which stays in the core's caches; the others send [`BUFFERS`] in
    /// turn.
    pub const NAMES: [&str; 6] = [
        "send",
        "send_in_turn",
        "msg_zerocopy",
        "io_uring_send_in_turn",
        "io_uring_send_zc",
        "io_uring_send_zc_fixed",
    ];

    /// Prepares the variant `name` for `socket`, on which nothing else may send meanwhile. Each
    /// buffer is a copy of `bytes`.
    ///
    /// # Errors
    ///
    /// A sentence that says why it is not possible here; `InvalidInput` for an unknown name.
    pub fn new(name: &str, socket: &TcpStream, bytes: &[u8]) -> io::Result<Self> {
        let own = |count| vec![bytes.to_vec(); count].into_iter().map(Buffer::Own).collect();
        let (engine, free) = match name {
            "send" => (Engine::Send, own(1)),
            "send_in_turn" => (Engine::Send, own(BUFFERS)),
            "msg_zerocopy" => {
                (Engine::MsgZeroCopy(ZeroCopySender::new(socket.try_clone()?)?), own(BUFFERS))
            }
            "io_uring_send_in_turn" => (Engine::RingSend(Ring::new()?), own(BUFFERS)),
            "io_uring_send_zc" => (Engine::RingSendZc(Ring::new()?), own(BUFFERS)),
            "io_uring_send_zc_fixed" => {
                let mut ring = Ring::new()?;
                let registered = ring.register(vec![bytes.into(); BUFFERS])?;
                (Engine::RingSendZc(ring), registered.into_iter().map(Buffer::from).collect())
            }
            _ => return Err(unknown(name, &Self::NAMES)),
        };
        Ok(Self { socket: socket.try_clone()?, engine, free, counts: Counts::default() })
    }

    /// Sends one buffer. If the kernel holds all of them, waits first until it releases one.
    ///
    /// # Errors
    ///
    /// The errors of `send(2)` and of the variant's own calls.
    // ANCHOR: send
    pub fn send(&mut self) -> io::Result<()> {
        if self.free.is_empty() {
            self.take_back()?;
        }
        let lost = || io::Error::other("all buffers are lost");
        let buffer = self.free.pop_front().ok_or_else(lost)?;
        match (&mut self.engine, buffer) {
            (Engine::MsgZeroCopy(sender), Buffer::Own(buffer)) => {
                return sender.send(buffer, soon());
            }
            (Engine::RingSendZc(ring), buffer) => return ring.send_zc(&self.socket, buffer),
            (Engine::RingSend(ring), buffer) => {
                ring.send(&self.socket, &buffer)?;
                self.free.push_back(buffer); // copied: it is ours again
            }
            (_, buffer) => {
                self.socket.write_all(&buffer)?;
                self.free.push_back(buffer);
            }
        }
        Ok(())
    }
    // ANCHOR_END: send

    /// Waits until the kernel has released all buffers.
    ///
    /// # Errors
    ///
    /// The errors of the calls that read completions.
    pub fn finish(&mut self) -> io::Result<()> {
        while self.take_back()? {}
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

    /// Waits for the next buffer that the kernel releases, and counts its outcome. Returns `false`
    /// if the kernel holds none.
    fn take_back(&mut self) -> io::Result<bool> {
        let returned = match &mut self.engine {
            Engine::Send | Engine::RingSend(_) => None,
            Engine::MsgZeroCopy(sender) => sender.wait(soon())?.map(Returned::into),
            Engine::RingSendZc(ring) => ring.wait()?,
        };
        let Some(returned) = returned else { return Ok(false) };
        self.counts.returned += 1;
        self.counts.copied += u64::from(returned.copied);
        self.counts.fell_back += u64::from(returned.fell_back > 0);
        self.free.push_back(returned.buffer);
        Ok(true)
    }
}

/// Returns a deadline that leaves time for anything that works.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}
