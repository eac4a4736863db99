//! Four loops that everyone writes first, kept to show how they fail. `tests/event_loop.rs` pins
//! their faults:
//!
//! - [`busy_poll`] asks each socket in turn if something has arrived. While nothing has, it burns a
//!   core, and each further connection makes all others wait longer.
//! - [`read_once`] is told once that bytes have arrived, and reads once. What did not fit its
//!   buffer stays in the socket, and is not reported again.
//! - [`watch_both`] is told again as long as something is ready, and watches for room to send while
//!   it has nothing to send. There is nearly always room, so it never sleeps.
//! - [`write_until_full`] sends to one client until its socket is full. For a client that reads as
//!   fast as the loop sends, it never is, and all others wait.

use crate::sys::epoll::{Epoll, Events};
use crate::sys::socket::send;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The size of the buffers, in bytes.
pub const BUFFER: usize = 4096;

/// Sends back what arrives on non-blocking `connections`, until every client has closed its own.
///
/// # Errors
///
/// The errors of reading and writing: `WouldBlock` for a client that does not read its answer.
// ANCHOR: busy_poll
pub fn busy_poll(connections: &mut Vec<TcpStream>) -> io::Result<()> {
    let mut buffer = [0; BUFFER];
    let mut index = 0;
    while !connections.is_empty() {
        index %= connections.len();
        match connections[index].read(&mut buffer) {
            Ok(0) => drop(connections.swap_remove(index)),
            Ok(count) => connections[index].write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => index += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
// ANCHOR_END: busy_poll

/// Reads what arrives on non-blocking `connections`, and returns the number of bytes read from each
/// once nothing has been reported for the time `idle`.
///
/// # Errors
///
/// The errors of `epoll(7)` and of reading.
// ANCHOR: read_once
pub fn read_once(connections: &[TcpStream], idle: Duration) -> io::Result<Vec<usize>> {
    let (epoll, mut events) = (Epoll::new()?, Events::with_capacity(64));
    for (token, connection) in (0..).zip(connections) {
        epoll.add(connection, (libc::EPOLLIN | libc::EPOLLET) as u32, token)?;
    }
    let mut read = vec![0; connections.len()];
    loop {
        let mut is_idle = true;
        for (token, _) in epoll.wait(&mut events, Some(Instant::now() + idle))? {
            let index = token as usize;
            read[index] += (&connections[index]).read(&mut [0; BUFFER])?;
            is_idle = false;
        }
        if is_idle {
            return Ok(read);
        }
    }
}
// ANCHOR_END: read_once

/// Sends back what arrives on non-blocking `connections`, until every client has closed its own.
///
/// # Errors
///
/// The errors of `epoll(7)`, of reading and of writing: `WouldBlock` for a client that does not
/// read its answer.
// ANCHOR: watch_both
pub fn watch_both(mut connections: Vec<TcpStream>) -> io::Result<()> {
    let (epoll, mut events) = (Epoll::new()?, Events::with_capacity(64));
    for (token, connection) in (0..).zip(&connections) {
        epoll.add(connection, (libc::EPOLLIN | libc::EPOLLOUT) as u32, token)?;
    }
    let (mut open, mut buffer) = (connections.len(), [0; BUFFER]);
    while open > 0 {
        for (token, ready) in epoll.wait(&mut events, None)? {
            let connection = &mut connections[token as usize];
            if ready & libc::EPOLLIN as u32 == 0 {
                continue; // there is room to send, and nothing to send
            }
            match connection.read(&mut buffer)? {
                0 => {
                    epoll.remove(&*connection)?;
                    open -= 1;
                }
                count => connection.write_all(&buffer[..count])?,
            }
        }
    }
    Ok(())
}
// ANCHOR_END: watch_both

/// Sends `body` to each of the non-blocking `clients`. After each call that sent something, calls
/// `progress` with the index of the client and the number of bytes.
///
/// # Errors
///
/// The errors of `epoll(7)` and of sending.
pub fn write_until_full(
    clients: &[TcpStream],
    body: &[u8],
    mut progress: impl FnMut(usize, usize),
) -> io::Result<()> {
    let (epoll, mut events) = (Epoll::new()?, Events::with_capacity(64));
    for (token, client) in (0..).zip(clients) {
        epoll.add(client, (libc::EPOLLOUT | libc::EPOLLET) as u32, token)?;
    }
    // ANCHOR: write_until_full
    let mut rest = vec![body; clients.len()];
    while rest.iter().any(|rest| !rest.is_empty()) {
        for (token, _) in epoll.wait(&mut events, None)? {
            let index = token as usize;
            while !rest[index].is_empty() {
                match send(&clients[index], rest[index], 0) {
                    Ok(count) => {
                        rest[index] = &rest[index][count..];
                        progress(index, count);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
    }
    // ANCHOR_END: write_until_full
    Ok(())
}
