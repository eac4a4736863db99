//! The event loop keeps what the sendfile chapter's server promises, and what a loop owes besides:
//! fairness, deadlines, bounded memory. The naive loops do not.
#![cfg(target_os = "linux")]

#[path = "sendfile/conformance.rs"]
mod conformance;
#[path = "sendfile/connections.rs"]
mod connections;
#[path = "event_loop/loops.rs"]
mod loops;
#[path = "event_loop/naive.rs"]
mod naive;
#[path = "sendfile/paths.rs"]
mod paths;
#[path = "sendfile/processes.rs"]
mod processes;
#[path = "sendfile/responses.rs"]
mod responses;
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
        Server::start(root, address, Settings { limits, loops: 2, ..Settings::default() }, report)
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
