//! `sendfile` sends exactly the range it was asked for or reports how much it sent, and the file
//! server keeps to its limits and its root.
#![cfg(target_os = "linux")]

#[path = "sendfile/conformance.rs"]
mod conformance;
#[path = "sendfile/connections.rs"]
mod connections;
#[path = "sendfile/conversation.rs"]
mod conversation;
#[path = "sendfile/heads.rs"]
mod heads;
#[path = "sendfile/naive.rs"]
mod naive;
#[path = "sendfile/paths.rs"]
mod paths;
#[path = "sendfile/processes.rs"]
mod processes;
#[path = "sendfile/responses.rs"]
mod responses;
#[path = "sendfile/sending.rs"]
mod sending;
#[path = "sendfile/site.rs"]
mod site;
#[path = "sendfile/threads.rs"]
mod threads;

use perf_proved::harness::scratch::Scratch;
use std::fs::{File, OpenOptions};

/// The server that the tests of connections, paths and responses run on. `tests/event_loop.rs` and
/// `tests/event_loop_ring.rs` have others for the same tests.
mod engine {
    pub use perf_proved::zero_copy::sendfile::server::FileServer as Server;
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
        Server::start(root, address, limits, report)
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

fn sparse(scratch: &Scratch, name: &str, length: u64) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .open(scratch.path().join(name))
        .unwrap();
    file.set_len(length).unwrap();
    file
}
