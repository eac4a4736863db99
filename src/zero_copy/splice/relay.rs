//! The loop of a TCP proxy: what one connection says, the other hears, both ways, through two
//! pipes, or two buffers.

use super::carrier::Carrier;
use crate::sys::poll::wait;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};
use std::{error, fmt, io};

/// Bytes that went each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// From the first connection to the second.
    pub forward: u64,
    /// From the second to the first.
    pub back: u64,
}

/// A relay that ended before both sides had said all.
#[derive(Debug)]
pub struct RelayError {
    /// Bytes that the kernel had taken for the other side.
    pub moved: Moved,
    /// Bytes that were read from one side and not yet taken for the other. They are lost with the
    /// carriers.
    pub held: Moved,
    /// Why it ended. `TimedOut`: nothing has moved for as long as was allowed.
    pub cause: io::Error,
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moved, held, cause } = self;
        write!(
            f,
            "relayed {} bytes forward and {} back, {} and {} more were under way: {cause}",
            moved.forward, moved.back, held.forward, held.back
        )
    }
}

impl error::Error for RelayError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl From<RelayError> for io::Error {
    fn from(error: RelayError) -> Self {
        Self::new(error.cause.kind(), error)
    }
}

/// One direction, and where it stands.
struct Direction<'a> {
    from: &'a TcpStream,
    to: &'a TcpStream,
    carrier: &'a mut dyn Carrier,
    moved: u64,
    done: bool,
}

/// How often a direction may fill its carrier before it is the other one's turn.
const TURN: usize = 16;

impl Direction<'_> {
    // ANCHOR: step
    /// Moves what can be moved now. `Some` says what to wait for; `None` that it is done, or only
    /// at the end of its turn.
    fn step(&mut self) -> io::Result<Option<libc::pollfd>> {
        let wants = |socket: &TcpStream, events| {
            Ok(Some(libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 }))
        };
        for _ in 0..TURN {
            while self.carrier.held() > 0 {
                match self.carrier.give_to(self.to) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return wants(self.to, libc::POLLOUT);
                    }
                    given => self.moved += given? as u64,
                }
            }
            // The carrier is empty here, so "would block" can only mean that there is nothing to
            // read.
            match self.carrier.take_from(self.from) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return wants(self.from, libc::POLLIN);
                }
                Ok(0) => {
                    self.done = true;
                    return self.pass_on_the_end().map(|()| None);
                }
                taken => drop(taken?),
            }
        }
        Ok(None)
    }
    // ANCHOR_END: step

    /// The end of the stream travels on, after the last byte. A peer that is gone needs no telling.
    fn pass_on_the_end(&self) -> io::Result<()> {
        match self.to.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }
}

/// Relays between two connections until both have said all. When one side closes its half, so is
/// the other's; the opposite direction goes on. Makes both sockets non-blocking, and ends when
/// nothing has moved for `idle`.
///
/// The carriers are empty before, and afterward unless it returns an error.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use perf_proved::harness::loopback::pair;
/// use perf_proved::zero_copy::splice::Pipe;
/// use perf_proved::zero_copy::splice::relay::relay;
/// use std::io::{Read, Write};
/// use std::net::Shutdown;
/// use std::time::Duration;
///
/// let ((mut client, first), (mut server, second)) = (pair()?, pair()?);
/// client.write_all(b"hello")?;
/// client.shutdown(Shutdown::Write)?;
/// server.shutdown(Shutdown::Write)?; // has nothing to say
/// let (mut forward, mut back) = (Pipe::new()?, Pipe::new()?);
/// let moved = relay(&first, &second, [&mut forward, &mut back], Duration::from_secs(1)).expect("both say all");
/// assert_eq!((moved.forward, moved.back), (5, 0));
/// let mut heard = String::new();
/// server.read_to_string(&mut heard)?;
/// assert_eq!(heard, "hello");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`RelayError`], with what had moved by then.
pub fn relay(
    first: &TcpStream,
    second: &TcpStream,
    carriers: [&mut dyn Carrier; 2],
    idle: Duration,
) -> Result<Moved, RelayError> {
    let [forward, back] = carriers;
    let mut ways = [
        Direction { from: first, to: second, carrier: forward, moved: 0, done: false },
        Direction { from: second, to: first, carrier: back, moved: 0, done: false },
    ];
    let outcome = run(&mut ways, idle);
    let [forward, back] = &ways;
    let moved = Moved { forward: forward.moved, back: back.moved };
    let held = Moved { forward: forward.carrier.held() as u64, back: back.carrier.held() as u64 };
    outcome.map(|()| moved).map_err(|cause| RelayError { moved, held, cause })
}

fn run(ways: &mut [Direction<'_>; 2], idle: Duration) -> io::Result<()> {
    for way in ways.iter() {
        way.from.set_nonblocking(true)?;
    }
    let mut deadline = Instant::now() + idle;
    // ANCHOR: run
    loop {
        let before = [ways[0].moved, ways[1].moved];
        let mut waits = [libc::pollfd { fd: -1, events: 0, revents: 0 }; 2]; // of no descriptor: the kernel passes over it
        let mut busy = false;
        for (way, waits) in ways.iter_mut().zip(&mut waits).filter(|(way, _)| !way.done) {
            match way.step()? {
                Some(wanted) => *waits = wanted,
                None => busy |= !way.done,
            }
        }
        if ways.iter().all(|way| way.done) {
            return Ok(());
        }
        if before != [ways[0].moved, ways[1].moved] {
            deadline = Instant::now() + idle;
        }
        if !busy {
            wait(&mut waits, deadline)?;
        }
    }
    // ANCHOR_END: run
}
