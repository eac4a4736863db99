//! A server, its clients, and the cores that they run on.

use super::nginx::Nginx;
use super::peers::Peer;
use hdrhistogram::Histogram;
use perf_proved::harness::clients::Clients;
use perf_proved::harness::scratch::pattern;
use perf_proved::harness::shuffle::Random;
use perf_proved::io::event_loop::Settings;
use perf_proved::io::event_loop::experiment::{self, Holder};
use perf_proved::io::event_loop::variants::Variant;
use perf_proved::proof::cpu;
use perf_proved::sys::cores;
use perf_proved::sys::rlimit::raise_open_files;
use perf_proved::zero_copy::sendfile::server::Limits;
use perf_proved_benches::{Taken, size};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, io};

/// The environment variable that makes this program a process of idle clients: an address and a
/// number.
pub const HOLD: &str = "PERF_PROVED_HOLD";

/// Longer than a benchmark takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// The cores of a server and of its clients, and the questions of these.
#[derive(Clone)]
pub struct Setting<'a> {
    pub root: &'a Path,
    /// The length of the file, whose name it is.
    pub length: usize,
    /// The connections that ask.
    pub connections: usize,
    /// The connections that do not.
    pub idle: usize,
    pub serving: Vec<usize>,
    pub asking: Vec<usize>,
}

impl<'a> Setting<'a> {
    /// Returns a setting of one connection and files of 4 KiB.
    pub fn new(
        root: &'a Path,
        serving: impl Into<Vec<usize>>,
        asking: impl Into<Vec<usize>>,
    ) -> Self {
        let (serving, asking) = (serving.into(), asking.into());
        Self { root, length: 4 << 10, connections: 1, idle: 0, serving, asking }
    }
}

/// A server and its clients.
pub struct Line {
    clients: Clients,
    random: Random,
    _idle: Option<Holder>,
    /// Ends after the clients, when the line is dropped.
    server: Server,
}

impl Line {
    /// Starts the server called `variant`, and connects its clients.
    pub fn new(variant: &str, setting: &Setting<'_>) -> io::Result<Self> {
        let Setting { root, length, connections, idle, .. } = *setting;
        descriptors(connections, idle)?;
        // The threads that the server starts inherit its cores.
        cores::confine(&setting.serving)?;
        let server = Server::start(variant, root, connections + idle)?;
        cores::confine(&setting.asking)?;
        let address = server.address();
        let idle = (idle > 0).then(|| holder(address, idle)).transpose()?;
        let question = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", size(length));
        let clients = Clients::new(address, connections, question.as_bytes(), &pattern(length))?;
        Ok(Self { clients, random: Random(1), _idle: idle, server })
    }

    /// Asks `requests` times in a closed loop, and returns the time on the wall and the CPU time of
    /// the server.
    pub fn run(&mut self, requests: u64) -> io::Result<Taken> {
        let (start, cpu) = (Instant::now(), self.server.cpu()?);
        self.clients.run(requests)?;
        let cpu = self.server.cpu()?.saturating_sub(cpu);
        Ok(Taken { wall: start.elapsed(), cpu: Some(cpu) })
    }

    /// Asks `requests` times in an open loop, `rate` times a second, and returns the latencies of
    /// the answers and the lateness of the questions, in ns.
    pub fn run_open(&mut self, rate: f64, requests: u64) -> io::Result<[Nanoseconds; 2]> {
        let longest = PATIENCE.as_secs() * 1_000_000_000;
        let times = || Nanoseconds::new_with_max(longest, 3).map_err(io::Error::other);
        let [mut latencies, mut lateness] = [times()?, times()?];
        let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.clients.run_open(rate, requests, &mut self.random, |answered| {
            latencies.saturating_record(ns(answered.latency));
            lateness.saturating_record(ns(answered.late));
        })?;
        Ok([latencies, lateness])
    }
}

/// The distribution of a number of times.
pub type Nanoseconds = Histogram<u64>;

enum Server {
    Ours(Variant),
    Peer(Peer),
    Nginx(Nginx),
}

impl Server {
    /// Starts the server called `variant`. The end of the name asks for two loops or workers, or
    /// for a reader.
    fn start(variant: &str, root: &Path, connections: usize) -> io::Result<Self> {
        let (name, loops, readers) = if let Some(name) = variant.strip_suffix("_two") {
            (name, 2, 0)
        } else if let Some(name) = variant.strip_suffix("_readers") {
            (name, 1, 1)
        } else {
            (variant, 1, 0)
        };
        Ok(if name == "nginx" {
            Self::Nginx(Nginx::start(root, loops)?)
        } else if Peer::NAMES.contains(&name) {
            Self::Peer(Peer::start(name, root)?)
        } else {
            // Nothing times out.
            let (idle, head, body_per_mib) = (PATIENCE, PATIENCE, PATIENCE);
            let limits = Limits { connections, idle, head, body_per_mib, ..Limits::default() };
            let settings = Settings { limits, loops, readers, ..Settings::default() };
            Self::Ours(Variant::start(name, root, settings, |_, _| {})?)
        })
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Ours(server) => server.address(),
            Self::Peer(server) => server.address(),
            Self::Nginx(server) => server.address(),
        }
    }

    /// Returns the CPU time that the server has used so far: that of its own processes, or of all
    /// threads of this one but the calling one, which is the clients'.
    fn cpu(&self) -> io::Result<Duration> {
        match self {
            Self::Nginx(server) => server.cpu(),
            _ => Ok(cpu::process()?.saturating_sub(cpu::thread()?)),
        }
    }
}

/// Returns an error unless this process may have the descriptors that the connections take: both
/// ends of those that ask, and one end of the idle ones. A server keeps a quarter for files.
fn descriptors(connections: usize, idle: usize) -> io::Result<()> {
    let (wanted, limit) = ((2 * connections + idle + 100) as u64, raise_open_files()?);
    if wanted > limit / 4 * 3 {
        let connections = connections + idle;
        let says = format!("RLIMIT_NOFILE is {limit}, which is too little for {connections}");
        return Err(io::Error::other(format!("{says} connections")));
    }
    Ok(())
}

/// Starts a process of `count` idle clients.
fn holder(address: SocketAddr, count: usize) -> io::Result<Holder> {
    Holder::start(Command::new(env::current_exe()?).env(HOLD, format!("{address} {count}")))
}

/// Is the process of idle clients.
pub fn hold(held: &str) -> io::Result<()> {
    let wrong = || io::Error::new(io::ErrorKind::InvalidInput, format!("{HOLD}={held}"));
    let (address, count) = held.split_once(' ').ok_or_else(wrong)?;
    experiment::hold(address, count.parse().map_err(|_| wrong())?)
}
