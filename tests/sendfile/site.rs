//! A site to serve, a server that remembers its errors, and a client.

use super::MIB;
use super::engine::{self, Server};
use perf_proved::harness::scratch::Scratch;
use perf_proved::zero_copy::sendfile::server::Limits;
use perf_proved_tests::{PATIENCE, soon};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub const SECRET: &str = "what lies outside of the root";

/// A root, and a secret beside it.
pub struct Place(pub Scratch);

impl Place {
    pub fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }
}

/// Makes a root with files, links and other entries of every kind.
pub fn site() -> Place {
    let place = Place(Scratch::new().unwrap());
    let root = place.root();
    for directory in ["directory", "with index", "index/index.html"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(place.0.path().join("secret"), SECRET).unwrap();
    fs::create_dir(place.0.path().join("beside")).unwrap();
    fs::write(place.0.path().join("beside/secret"), SECRET).unwrap();
    fs::write(root.join("index.html"), "start").unwrap();
    fs::write(root.join("with index/index.html"), "inner").unwrap();
    fs::write(root.join("ten"), "0123456789").unwrap();
    fs::write(root.join("empty"), "").unwrap();
    fs::write(root.join("a b%.txt"), "odd").unwrap();
    fs::write(root.join("back\\slash"), "odd").unwrap();
    place.0.file("root/large", 3 * MIB + 1).unwrap();
    File::create(root.join("huge")).unwrap().set_len(64 << 20).unwrap();
    symlink("ten", root.join("inside")).unwrap();
    symlink("../ten", root.join("directory/inside")).unwrap();
    symlink("../secret", root.join("out")).unwrap();
    symlink("../beside", root.join("outdirectory")).unwrap();
    symlink(place.0.path().join("secret"), root.join("absolute")).unwrap();
    symlink(root.join("ten"), root.join("absolute-inside")).unwrap();
    symlink("/proc/self/root", root.join("magic")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    let fifo = std::ffi::CString::new(root.join("fifo").to_str().unwrap()).unwrap();
    // SAFETY: a path that ends in NUL.
    assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o644) }, 0);
    drop(UnixListener::bind(root.join("socket")).unwrap());
    place
}

/// The errors that a server has reported: kind and message.
pub type Troubles = Arc<Mutex<Vec<(ErrorKind, String)>>>;

pub fn start(root: &Path, limits: Limits) -> (Server, Troubles) {
    start_at("127.0.0.1:0", root, limits)
}

pub fn start_at(address: &str, root: &Path, limits: Limits) -> (Server, Troubles) {
    let troubles = Troubles::default();
    let theirs = troubles.clone();
    let report = move |_: Option<SocketAddr>, error: &io::Error| {
        theirs.lock().unwrap().push((error.kind(), error.to_string()));
    };
    (engine::start(root, address, limits, report).unwrap(), troubles)
}

/// Waits until the server has reported an error of `kind`.
pub fn reported(troubles: &Troubles, kind: ErrorKind) {
    let deadline = soon();
    while !troubles.lock().unwrap().iter().any(|(other, _)| *other == kind) {
        assert!(Instant::now() < deadline, "no {kind:?} among {:?}", troubles.lock().unwrap());
        thread::sleep(Duration::from_millis(5));
    }
}

pub struct Client(pub TcpStream);

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl Client {
    pub fn new(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.0.write_all(bytes.as_ref()).unwrap();
        self
    }

    pub fn get(&mut self, path: &str) -> Reply {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n")).reply(false).unwrap()
    }

    pub fn head(&mut self) -> io::Result<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        Ok(String::from_utf8(head).unwrap())
    }

    pub fn reply(&mut self, head_only: bool) -> io::Result<Reply> {
        let head = self.head()?;
        let mut reply = Reply { status: head[9..12].parse().unwrap(), head, body: vec![] };
        if !head_only && let Some(length) = reply.field("Content-Length") {
            reply.body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut reply.body)?;
        }
        Ok(reply)
    }

    /// Returns `true` if the server has closed the connection without a reset.
    pub fn closed(&mut self) -> bool {
        self.0.read(&mut [0]).unwrap() == 0
    }
}

/// Sends one request on a new connection, and returns everything up to its end.
pub fn exchange(server: &Server, request: impl AsRef<[u8]>) -> Vec<u8> {
    let mut client = Client::new(server);
    client.send(request);
    client.0.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.0.read_to_end(&mut answer).unwrap();
    answer
}

pub fn status(answer: &[u8]) -> u16 {
    str::from_utf8(&answer[9..12]).unwrap().parse().unwrap()
}

pub fn calm() -> Limits {
    Limits { idle: PATIENCE, head: PATIENCE, body_per_mib: PATIENCE, ..Limits::default() }
}

/// Asks for `/ten` until the server has a free connection, and returns the body.
pub fn first_200(server: &Server) -> Vec<u8> {
    let deadline = soon();
    loop {
        let mut client = Client::new(server);
        let reply = client
            .0
            .write_all(b"GET /ten HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .and_then(|()| client.reply(false));
        match reply {
            Ok(reply) if reply.status == 200 => return reply.body,
            reply => assert!(Instant::now() < deadline, "{reply:?}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}
