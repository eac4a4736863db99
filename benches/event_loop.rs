//! The time of a request, and the CPU time that it costs the server: a thread for each connection,
//! an event loop, and hyper on tokio, for 1 to 1,024 connections and files of 4 KiB to 1 MiB.
//!
//! All clients share one thread on a core of their own, in a closed loop: each connection asks,
//! reads the whole answer, and asks again. The server has the other core. The groups
//! `event_loop_SIZE` measure the wall clock; `event_loop_SIZE_cpu` is the CPU time of the process
//! without the clients' thread, over the same batches. On loopback it includes a part of receiving.
//!
//! The two peers are one connection to a task on a runtime of one thread. `tower_http` serves the
//! directory with tower-http's `ServeDir`, which opens and reads files on tokio's blocking threads,
//! on the same core. `hyper_read` reads the whole file on the loop and answers with its bytes,
//! without checks of the path and with fewer headers.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::with;
use std::io;

const IDS: [&str; 6] = [
    "event_loop_4KiB",
    "event_loop_4KiB_cpu",
    "event_loop_64KiB",
    "event_loop_64KiB_cpu",
    "event_loop_1MiB",
    "event_loop_1MiB_cpu",
];

fn main() -> io::Result<()> {
    with(two_cores(), &IDS, bench::run)
}

#[cfg(not(target_os = "linux"))]
mod bench {
    pub use perf_proved_benches::not_built as run;
}

#[cfg(target_os = "linux")]
mod bench {
    use super::peers::Peer;
    use criterion::Throughput;
    use perf_proved::harness::clients::Clients;
    use perf_proved::harness::scratch::{Scratch, pattern};
    use perf_proved::io::event_loop::Settings;
    use perf_proved::io::event_loop::variants::Variant;
    use perf_proved::proof::cpu;
    use perf_proved::sys::cores;
    use perf_proved::sys::rlimit::raise_open_files;
    use perf_proved::zero_copy::sendfile::server::Limits;
    use perf_proved_benches::{Clock, Plan, Taken, size};
    use std::io;
    use std::path::Path;
    use std::time::{Duration, Instant};

    const KIB: usize = 1 << 10;
    /// Each size of the file, with the numbers of connections.
    const FIGURES: [(usize, &[usize]); 3] = [
        (4 * KIB, &[1, 8, 32, 256, 1024]),
        (64 * KIB, &[1, 8, 32, 256]),
        (1024 * KIB, &[1, 8, 32, 256]),
    ];
    /// The bytes of a piece of a batch, at least: a piece ends with connections that have no
    /// further question, and should be mostly what comes before that.
    const PIECE: usize = 16 << 20;
    /// Longer than a benchmark takes.
    const PATIENCE: Duration = Duration::from_secs(600);

    pub fn run(cores: [usize; 2]) -> io::Result<()> {
        raise_open_files()?;
        let scratch = Scratch::new()?;
        let root = scratch.path();
        let mut plan = Plan::new();
        for (length, connections) in FIGURES {
            scratch.file(&size(length), length)?;
            let name = format!("event_loop_{}", size(length));
            let group = plan.group(&name);
            group.witnessed(cores).second_clock(Clock::Process, &format!("{name}_cpu"));
            group.throughput(Throughput::Elements(1));
            for &connections in connections {
                group.at_least(connections.max((PIECE / length).min(4 * connections)) as u64);
                for variant in Variant::NAMES.into_iter().chain(Peer::NAMES) {
                    group.made((variant, connections), move || {
                        let mut line = Line::new(variant, root, length, connections, cores)?;
                        Ok(move |requests| line.run(requests))
                    });
                }
            }
            group.again("epoll");
        }
        plan.run()
    }

    /// A server and its clients.
    struct Line {
        clients: Clients,
        /// Ends after the clients, when the line is dropped.
        _server: Server,
    }

    enum Server {
        Ours { _server: Variant },
        Peer { _server: Peer },
    }

    impl Line {
        fn new(
            variant: &str,
            root: &Path,
            length: usize,
            connections: usize,
            [serving, asking]: [usize; 2],
        ) -> io::Result<Self> {
            // The threads of the server inherit the core.
            cores::pin(serving)?;
            let (server, address) = if Peer::NAMES.contains(&variant) {
                let server = Peer::start(variant, root)?;
                let address = server.address();
                (Server::Peer { _server: server }, address)
            } else {
                let server = Variant::start(variant, root, settings(connections), |_, _| {})?;
                let address = server.address();
                (Server::Ours { _server: server }, address)
            };
            cores::pin(asking)?;
            let question = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", size(length));
            let body = pattern(length);
            let clients = Clients::new(address, connections, question.as_bytes(), &body)?;
            Ok(Self { clients, _server: server })
        }

        /// Asks `requests` times, and returns the time on the wall and the CPU time of all threads
        /// but this one.
        fn run(&mut self, requests: u64) -> io::Result<Taken> {
            let (start, process, mine) = (Instant::now(), cpu::process()?, cpu::thread()?);
            self.clients.run(requests)?;
            let mine = cpu::thread()? - mine;
            let others = (cpu::process()? - process).saturating_sub(mine);
            Ok(Taken { wall: start.elapsed(), cpu: Some(others) })
        }
    }

    /// Returns settings of one loop under which nothing times out.
    fn settings(connections: usize) -> Settings {
        let (idle, head, body_per_mib) = (PATIENCE, PATIENCE, PATIENCE);
        let limits = Limits { connections, idle, head, body_per_mib, ..Limits::default() };
        Settings { limits, loops: 1, ..Settings::default() }
    }
}

#[cfg(target_os = "linux")]
mod peers {
    use http_body_util::Full;
    use hyper::body::{Body, Bytes, Incoming};
    use hyper::server::conn::http1;
    use hyper::service::{Service, service_fn};
    use hyper::{Request, Response};
    use hyper_util::rt::TokioIo;
    use hyper_util::service::TowerToHyperService;
    use std::error::Error;
    use std::net::SocketAddr;
    use std::path::Path;
    use std::sync::Arc;
    use std::thread::{self, JoinHandle};
    use std::{fs, future, io};
    use tokio::net::TcpListener;
    use tokio::runtime;
    use tokio::sync::oneshot;
    use tower_http::services::ServeDir;

    /// A server on hyper that is running.
    pub struct Peer {
        address: SocketAddr,
        stop: Option<oneshot::Sender<()>>,
        thread: Option<JoinHandle<io::Result<()>>>,
    }

    impl Peer {
        pub const NAMES: [&str; 2] = ["hyper_read", "tower_http"];

        /// Starts the peer called `name` on a thread, which inherits the core.
        pub fn start(name: &str, root: &Path) -> io::Result<Self> {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            let (stop, stopped) = oneshot::channel();
            let (root, reads) = (root.to_owned(), name == "hyper_read");
            let run = move || {
                let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
                runtime.block_on(async {
                    let listener = TcpListener::from_std(listener)?;
                    let files = TowerToHyperService::new(ServeDir::new(&root));
                    let root: Arc<Path> = root.into();
                    let read = service_fn(move |request: Request<Incoming>| {
                        let path = root.join(request.uri().path().trim_start_matches('/'));
                        future::ready(fs::read(path).map(|file| Response::new(full(file))))
                    });
                    let serving = if reads {
                        tokio::spawn(serve(listener, read))
                    } else {
                        tokio::spawn(serve(listener, files))
                    };
                    let _ = stopped.await; // an error, because the sender is dropped
                    if serving.is_finished() {
                        return serving.await.expect("the peer does not panic");
                    }
                    Ok(())
                })
            };
            let thread = thread::Builder::new().name(name.into()).spawn(run)?;
            Ok(Self { address, stop: Some(stop), thread: Some(thread) })
        }

        pub fn address(&self) -> SocketAddr {
            self.address
        }
    }

    impl Drop for Peer {
        fn drop(&mut self) {
            drop(self.stop.take());
            if let Some(thread) = self.thread.take() {
                let ended = thread.join().expect("the peer does not panic");
                ended.expect("the peer serves until it is stopped");
            }
        }
    }

    fn full(file: Vec<u8>) -> Full<Bytes> {
        Full::new(file.into())
    }

    /// Accepts connections and serves each of them on a task.
    async fn serve<S, B>(listener: TcpListener, service: S) -> io::Result<()>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(async {
                // Ends when the client closes. What fails before that fails the client, too.
                let _ = connection.await;
            });
        }
    }
}
