//! The batch writer: when it writes, what it holds back, and what becomes of each item, whatever
//! fails; and the naive versions fail in the ways that their documentation lists.
#![cfg(target_os = "linux")]

#[path = "batching/answers.rs"]
mod answers;
#[path = "batching/channel.rs"]
mod channel;
#[path = "batching/gather.rs"]
mod gather;
#[path = "batching/moments.rs"]
mod moments;
#[path = "batching/naive.rs"]
mod naive;

use perf_proved::io::batching::Settings;
use perf_proved_tests::Watch;
use std::io::{self, ErrorKind, IoSlice, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Long enough for anything here that works, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Watches the test of this thread.
fn watch() -> Watch {
    Watch::new(DEADLINE, "")
}

/// Batches that are written for no reason but the one that the test is about.
fn patient() -> Settings {
    Settings {
        items: 1000,
        bytes: 1 << 30,
        delay: Duration::MAX,
        capacity: 10_000,
        capacity_bytes: 1 << 30,
    }
}

/// The bytes and calls that a [`Script`] has seen.
#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    /// The number of buffers in each call, failed ones included.
    calls: Vec<usize>,
}

/// A writer that does as it is told, and whose bytes can be looked at meanwhile.
#[derive(Clone, Debug, Default)]
struct Script {
    seen: Arc<Mutex<Seen>>,
    /// The most bytes that one call takes, by turns. No limit if there are none.
    short: Vec<usize>,
    /// Every call of this number, counted from 1, is interrupted.
    interrupted: Option<usize>,
    /// The number of bytes after which it fails.
    fails_after: Option<usize>,
    /// Panics where it would fail.
    panics: bool,
    /// Each call waits for a word first.
    gate: Option<Arc<Mutex<Receiver<()>>>>,
}

impl Script {
    fn bytes(&self) -> Vec<u8> {
        self.seen.lock().unwrap().bytes.clone()
    }

    fn calls(&self) -> Vec<usize> {
        self.seen.lock().unwrap().calls.clone()
    }

    /// Makes each call wait for a word of the sender, or its end.
    fn gated() -> (Self, Sender<()>) {
        let (open, gate) = channel();
        (Self { gate: Some(Arc::new(Mutex::new(gate))), ..Self::default() }, open)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(gate) = &self.gate {
            let _closed = gate.lock().unwrap().recv();
        }
        let mut seen = self.seen.lock().unwrap();
        seen.calls.push(slices.len());
        let call = seen.calls.len();
        if self.interrupted.is_some_and(|every| call.is_multiple_of(every)) {
            return Err(ErrorKind::Interrupted.into());
        }
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let turn = self.short.get(call % self.short.len().max(1)).copied();
        let left = self.fails_after.map_or(usize::MAX, |after| after - seen.bytes.len());
        if left == 0 {
            drop(seen);
            assert!(!self.panics, "a panic that this test wants");
            return Err(ErrorKind::StorageFull.into());
        }
        let taken = all.len().min(turn.unwrap_or(usize::MAX)).min(left);
        seen.bytes.extend_from_slice(&all[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
