//! The loop of a TCP proxy: what one connection says, the other hears, both ways, through two pipes and no buffer.

use super::Pipe;
use crate::zero_copy::wait::wait;
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
    /// Bytes that were read from one side and not yet taken for the other. They are lost with the pipes.
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

/// One direction, and where it stands.
struct Direction<'a> {
    from: &'a TcpStream,
    to: &'a TcpStream,
    pipe: &'a mut Pipe,
    moved: u64,
    done: bool,
}

/// How often a direction may fill its pipe before it is the other one's turn.
const TURN: usize = 16;

impl Direction<'_> {
    /// Moves what can be moved now. `Some` says what to wait for; `None` that it is done, or only at the end of its turn.
    fn step(&mut self) -> io::Result<Option<libc::pollfd>> {
        let wants = |socket: &TcpStream, events| libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 };
        for _ in 0..TURN {
            while self.pipe.held() > 0 {
                match self.pipe.drain(self.to, false) {
                    Ok(moved) => self.moved += moved as u64,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Some(wants(self.to, libc::POLLOUT)));
                    }
                    Err(error) => return Err(error),
                }
            }
            // The pipe is empty here, so "would block" can only mean that there is nothing to read.
            match self.pipe.fill(self.from, None, self.pipe.capacity()) {
                Ok(0) => {
                    self.done = true;
                    // The end of the stream travels on, after the last byte. A peer that is gone needs no telling.
                    return match self.to.shutdown(Shutdown::Write) {
                        Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
                        _ => Ok(None),
                    };
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Some(wants(self.from, libc::POLLIN)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Relays between two connections until both have said all. When one side closes its half, so is the other's; the opposite
/// direction goes on. Makes both sockets non-blocking, and ends when nothing has moved for `idle`.
///
/// The pipes are empty afterward, unless it returns an error.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use perf_proved::proof::loopback::pair;
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
    pipes: [&mut Pipe; 2],
    idle: Duration,
) -> Result<Moved, RelayError> {
    let [forward, back] = pipes;
    let mut ways = [
        Direction { from: first, to: second, pipe: forward, moved: 0, done: false },
        Direction { from: second, to: first, pipe: back, moved: 0, done: false },
    ];
    let outcome = run(&mut ways, idle);
    let [forward, back] = &ways;
    let moved = Moved { forward: forward.moved, back: back.moved };
    let held = Moved { forward: forward.pipe.held() as u64, back: back.pipe.held() as u64 };
    outcome.map(|()| moved).map_err(|cause| RelayError { moved, held, cause })
}

fn run(ways: &mut [Direction<'_>; 2], idle: Duration) -> io::Result<()> {
    for way in ways.iter() {
        way.from.set_nonblocking(true)?;
    }
    let mut deadline = Instant::now() + idle;
    loop {
        let before = [ways[0].moved, ways[1].moved];
        let (mut waits, mut busy) = (Vec::with_capacity(2), false);
        for way in ways.iter_mut().filter(|way| !way.done) {
            match way.step()? {
                Some(wanted) => waits.push(wanted),
                None => busy |= !way.done,
            }
        }
        if ways.iter().all(|way| way.done) {
            return Ok(());
        }
        if before != [ways[0].moved, ways[1].moved] {
            deadline = Instant::now() + idle;
        }
        if !busy && !waits.is_empty() {
            wait(&mut waits, deadline)?;
        }
    }
}
