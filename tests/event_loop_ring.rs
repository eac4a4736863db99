//! The event loop on io_uring keeps what the sendfile chapter's server promises, and says so where
//! there is no ring to be had. There, the tests that every server passes run on `epoll`.
#![cfg(target_os = "linux")]

#[path = "sendfile/conformance.rs"]
mod conformance;
#[path = "sendfile/connections.rs"]
mod connections;
#[path = "sendfile/paths.rs"]
mod paths;
#[path = "sendfile/processes.rs"]
mod processes;
#[path = "sendfile/responses.rs"]
mod responses;
#[path = "event_loop_ring/ring.rs"]
mod ring;
#[path = "sendfile/site.rs"]
mod site;

/// The server for the tests of the sendfile chapter.
mod engine {
    pub use perf_proved::io::event_loop::Server;
    use perf_proved::io::event_loop::Settings;
    use perf_proved::zero_copy::sendfile::server::Limits;
    use std::io;
    use std::net::SocketAddr;
    use std::path::Path;

    pub fn start(
        root: &Path,
        address: &str,
        limits: Limits,
        report: impl Fn(Option<SocketAddr>, &io::Error) + Send + Sync + 'static,
    ) -> io::Result<Server> {
        let settings = Settings { limits, loops: 2, engine: None, ..Settings::default() };
        let server = Server::start(root, address, settings, report)?;
        if let Some(reason) = server.no_ring() {
            eprintln!("not possible here, and run on epoll: {reason}");
        }
        Ok(server)
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
