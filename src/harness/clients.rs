//! Clients of an HTTP server over loopback. In a closed loop, each connection asks, reads the whole
//! answer, and asks again: that finds how many questions a server answers. In an open loop, they
//! ask at times that no answer moves: that finds how long an answer takes.
//!
//! All of them share the calling thread, so a server can have the other cores to itself, and the
//! CPU time of the clients is that of one thread.

use super::shuffle::Random;
use crate::sys::epoll::{Epoll, Events};
use crate::sys::socket::set_nodelay;
use crate::sys::trying;
use std::collections::VecDeque;
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

/// The time that an answer took in an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The time from when the question was due until its answer had arrived.
    pub latency: Duration,
    /// The part of it before the question was asked: the client's own, or because no connection
    /// was free.
    pub late: Duration,
}

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
                return Err(no_answer());
            }
        }
        Ok(())
    }

    /// Asks `questions` times, at random times that are settled beforehand, `rate` times a second
    /// on average, and reports each answer. Meanwhile the thread never sleeps, because a timer
    /// would wake it late.
    ///
    /// A question that is due while no connection is free is asked as soon as one is, and its
    /// latency counts from when it was due. So a server that stops for a moment delays all the
    /// questions of that moment; in a closed loop, it would delay one for each connection.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub fn run_open(
        &mut self,
        rate: f64,
        questions: u64,
        random: &mut Random,
        mut report: impl FnMut(Answered),
    ) -> io::Result<()> {
        let Self { epoll, events, connections, question, length, buffer } = self;
        let mut free: VecDeque<usize> = (0..connections.len()).collect();
        let mut due = Instant::now() + gap(rate, random);
        // For each connection, when its question was due, and how late it was asked.
        let mut asked_at = vec![(due, Duration::ZERO); connections.len()];
        let (mut asked, mut answered, mut last) = (0, 0, due);
        while answered < questions {
            while asked < questions && due <= Instant::now() {
                let Some(index) = free.pop_front() else { break };
                asked_at[index] = (due, due.elapsed());
                connections[index].ask(question, *length)?;
                due += gap(rate, random);
                asked += 1;
            }
            for (token, _) in epoll.wait(events, Some(Instant::now()))? {
                let index = token as usize;
                last = Instant::now();
                if connections[index].hear(buffer)? {
                    let (due, late) = asked_at[index];
                    report(Answered { latency: due.elapsed(), late });
                    free.push_back(index);
                    answered += 1;
                }
            }
            if last.elapsed() > PATIENCE {
                return Err(no_answer());
            }
        }
        Ok(())
    }
}

/// Returns the time until the next of events that happen `rate` times a second, independently of
/// each other: it is distributed exponentially.
fn gap(rate: f64, random: &mut Random) -> Duration {
    const STEPS: usize = 1 << 31;
    let uniform = (random.below(STEPS) + 1) as f64 / STEPS as f64;
    Duration::from_secs_f64(-uniform.ln() / rate)
}

fn no_answer() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer for a minute")
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    #[test]
    fn questions_that_wait_for_a_slow_answer_count_from_when_they_were_due() {
        const STALL: Duration = Duration::from_millis(200);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = [0; 4];
            for number in 0.. {
                if stream.read_exact(&mut question).is_err() {
                    return;
                }
                if number == 10 {
                    thread::sleep(STALL);
                }
                stream.write_all(b"head\r\n\r\nbody").unwrap();
            }
        });
        let mut clients = Clients::new(address, 1, b"ask\n", b"body").unwrap();
        let mut all = vec![];
        clients.run_open(1000.0, 100, &mut Random(1), |answered| all.push(answered)).unwrap();
        drop(clients);
        server.join().unwrap();
        assert_eq!(all.len(), 100);
        // Some hundred milliseconds of questions, of which one takes long once it is asked.
        let slow = |latency: Duration| latency > STALL / 4;
        let delayed = all.iter().filter(|answered| slow(answered.latency)).count();
        let asked_late = all.iter().filter(|answered| slow(answered.late)).count();
        assert!(delayed > 40 && asked_late > 40, "{delayed}, {asked_late}: {all:?}");
        assert!(all.iter().all(|answered| answered.late <= answered.latency));
        assert!(all.iter().any(|answered| slow(answered.latency - answered.late)));
    }

    #[test]
    fn gaps_have_the_mean_and_the_spread_of_random_arrivals() {
        const COUNT: usize = 100_000;
        let mut random = Random(1);
        let gaps = Vec::from_iter((0..COUNT).map(|_| gap(1000.0, &mut random).as_secs_f64()));
        let mean = gaps.iter().sum::<f64>() / COUNT as f64;
        assert!((0.00098..0.00102).contains(&mean), "{mean}");
        // Of an exponential distribution, 1 - 1/e lies below the mean.
        let below = gaps.iter().filter(|gap| **gap < mean).count() as f64 / COUNT as f64;
        assert!((0.62..0.65).contains(&below), "{below}");
    }
}
