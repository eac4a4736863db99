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

use perf_proved::harness::scratch::Scratch;
use std::fs::{File, OpenOptions};

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
