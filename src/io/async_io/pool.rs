//! The engine that exists everywhere: threads that make blocking calls with positions.

use super::queue::{Queue, Task};
use super::step::{Next, Step, SyncKind};
use crate::sys::trying;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Starts `threads` threads that work for `queue` until it is closed and empty.
///
/// # Errors
///
/// The system's error if a thread cannot be started. Those that were started have ended then.
pub(super) fn start(queue: &Arc<Queue>, threads: usize) -> io::Result<Vec<JoinHandle<()>>> {
    let mut started = Vec::with_capacity(threads);
    for number in 1..=threads {
        let shared = queue.clone();
        let thread =
            thread::Builder::new().name("file-io".to_owned()).spawn(move || serve(&shared));
        match trying(format_args!("starting thread {number} of {threads}"), thread) {
            Ok(thread) => started.push(thread),
            Err(error) => {
                queue.close();
                started.into_iter().for_each(|thread| drop(thread.join()));
                return Err(error);
            }
        }
    }
    Ok(started)
}

fn serve(queue: &Queue) {
    queue.serve();
    while let Some(mut task) = queue.wait() {
        let outcome = loop {
            match task.next() {
                Next::Step(step) => {
                    let result = carry_out(step);
                    answer(&mut task, result);
                }
                Next::End(outcome) => break outcome,
            }
        };
        queue.finish(task, outcome);
    }
}

// ANCHOR: carry_out
/// Carries out a step by blocking calls. Returns `None` for one that only the operation
/// can make.
fn carry_out(step: Step<'_>) -> Option<io::Result<usize>> {
    Some(match step {
        // pread(2) and pwrite(2): no two operations share the position of a descriptor.
        Step::Read { file, into, at } => file.read_at(into, at),
        Step::Write { file, from, at } => file.write_at(from, at),
        Step::Sync { file, kind: SyncKind::Data } => file.sync_data().map(|()| 0),
        Step::Sync { file, kind: SyncKind::All } => file.sync_all().map(|()| 0),
        Step::Call => return None,
    })
}
// ANCHOR_END: carry_out

fn answer(task: &mut Task, result: Option<io::Result<usize>>) {
    match result {
        Some(result) => task.operation.answer(result),
        None => task.operation.call(),
    }
}
