//! Clients of an HTTP server over loopback, in a closed loop: each connection asks, reads the whole
//! answer, and asks again.
//!
//! All of them share the calling thread, so a server can have the other cores to itself, and the
//! CPU time of the clients is that of one thread.

use crate::sys::epoll::{Epoll, Events};
use crate::sys::socket::set_nodelay;
use crate::sys::trying;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The time to wait for any answer, so that a server that has stopped does not hang the experiment.
const PATIENCE: Duration = Duration::from_secs(60);

/// The size of the buffer of all clients, in bytes. As in [`loopback`](super::loopback), it fits a
/// core's own caches.
const BUFFER: usize = 64 << 10;

/// The number of events to take in one call.
const EVENTS: usize = 256;

/// Connections that ask the same question again and again.
pub struct Clients {
    epoll: Epoll,
    events: Events,
    connections: Vec<Client>,
    question: Vec<u8>,
    /// The length of each answer, head included.
    length: usize,
    buffer: Vec<u8>,
}

struct Client {
    stream: TcpStream,
    /// The bytes of the current answer that are still missing.
    missing: usize,
}

impl Clients {
    /// Connects `count` times and asks `question` once on each connection. Every answer must end
    /// with `body`, and all must have the same length.
    ///
    /// # Errors
    ///
    /// The errors of the sockets; `InvalidData` for an answer that is not as it must be.
    pub fn new(
        address: SocketAddr,
        count: usize,
        question: &[u8],
        body: &[u8],
    ) -> io::Result<Self> {
        let (epoll, events) = (Epoll::new()?, Events::with_capacity(EVENTS));
        let mut connections = Vec::with_capacity(count);
        let mut length = 0;
        for token in 0..count as u64 {
            let mut stream = trying("connecting", TcpStream::connect(address))?;
            set_nodelay(&stream, true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let answer = ask(&mut stream, question, body)?;
            if token > 0 && answer != length {
                return Err(invalid(&format!("an answer of {answer} bytes after {length}")));
            }
            length = answer;
            stream.set_nonblocking(true)?;
            epoll.add(&stream, libc::EPOLLIN as u32, token)?;
            connections.push(Client { stream, missing: 0 });
        }
        let (question, buffer) = (question.to_vec(), vec![0; BUFFER]);
        Ok(Self { epoll, events, connections, question, length, buffer })
    }

    /// Asks `questions` times, on all connections at once, and reads all answers.
    ///
    /// # Errors
    ///
    /// The errors of the sockets; `TimedOut` if nothing arrives for a minute; `UnexpectedEof` if
    /// the server closes a connection.
    pub fn run(&mut self, questions: u64) -> io::Result<()> {
        let Self { epoll, events, connections, question, length, buffer } = self;
        let (mut asked, mut answered) = (0, 0);
        let at_once = connections.len().min(usize::try_from(questions).unwrap_or(usize::MAX));
        for client in &mut connections[..at_once] {
            client.ask(question, *length)?;
            asked += 1;
        }
        while answered < questions {
            let mut is_idle = true;
            for (token, _) in epoll.wait(events, Some(Instant::now() + PATIENCE))? {
                is_idle = false;
                let client = &mut connections[token as usize];
                if client.hear(buffer)? {
                    answered += 1;
                    if asked < questions {
                        client.ask(question, *length)?;
                        asked += 1;
                    }
                }
            }
            if is_idle {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer for a minute"));
            }
        }
        Ok(())
    }
}

impl Client {
    fn ask(&mut self, question: &[u8], length: usize) -> io::Result<()> {
        self.missing = length;
        // There is room: it is small, and the one before has been answered.
        self.stream.write_all(question)
    }

    /// Reads a part of the answer. Returns `true` at its end.
    fn hear(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let room = self.missing.min(buffer.len());
        if room == 0 {
            return Err(invalid(
                "bytes beyond the answer, or the server has closed the connection",
            ));
        }
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                self.missing -= count;
                Ok(self.missing == 0)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Asks `question` on a connection that blocks and reads the answer, which must end with `body`.
/// Returns its length, head included.
///
/// # Errors
///
/// The errors of the socket; `InvalidData` for another answer.
pub fn ask(stream: &mut TcpStream, question: &[u8], body: &[u8]) -> io::Result<usize> {
    const END: &[u8] = b"\r\n\r\n";
    trying("asking (send)", stream.write_all(question))?;
    let (mut answer, mut arrived) = (vec![0; 4 << 10], 0);
    let head = loop {
        match trying("reading an answer (recv)", stream.read(&mut answer[arrived..]))? {
            0 => return Err(invalid("an answer without an end of its head")),
            count => arrived += count,
        }
        if let Some(end) = answer[..arrived].windows(END.len()).position(|part| part == END) {
            break end + END.len();
        }
    };
    let length = head + body.len();
    if arrived > length {
        return Err(invalid("an answer that is too long"));
    }
    answer.resize(length, 0);
    trying("reading an answer (recv)", stream.read_exact(&mut answer[arrived..]))?;
    if answer[head..] != *body {
        return Err(invalid("an answer with another body"));
    }
    Ok(length)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
