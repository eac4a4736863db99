//! Refusing a client for whom there is no room.

use crate::sys::socket::send;
use crate::zero_copy::sendfile::http::head::head;
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::time::SystemTime;

/// Answers 503 and closes, without ever waiting. Bytes that the client sends later may reset the
/// connection before it reads this.
pub(crate) fn turn_away(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let fields = [("Content-Length", "0"), ("Retry-After", "1"), ("Connection", "close")];
    let fields = fields.map(|(name, value)| (name, value.to_owned()));
    send(stream, head(503, SystemTime::now(), &fields).as_bytes(), 0)?;
    stream.shutdown(Shutdown::Write)?;
    match stream.read(&mut [0; 4096]) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}
