//! `sendfile` sends exactly the range it was asked for or reports how much it sent, and the file
//! server keeps to its limits and its root.
#![cfg(target_os = "linux")]

mod conformance;
mod connections;
mod heads;
mod naive;
mod paths;
mod processes;
mod responses;
mod sending;
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
