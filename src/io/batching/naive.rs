//! The versions that everyone writes first. `tests/batching.rs` pins their faults.
//!
//! - [`BatchProcessor`], the Go article's, hands its batches to a processor that is never started,
//!   drops what finds no room in its queue, and never looks at its timeout.
//! - [`WaitsForCompany`] writes full batches only. A lone item waits until others come, and what
//!   waits at the end is lost.
//! - [`write_once`] takes one gathered write for all of it.
//!
//! The fourth one is the standard library's: dropping a [`BufWriter`](std::io::BufWriter) writes
//! what it holds, and drops the error.

use super::gather;
use std::io::{self, IoSlice, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The length of the queue in the Go article.
pub const QUEUE: usize = 1000;

// ANCHOR: processor
/// The Go article's `BatchIOProcessor`.
pub struct BatchProcessor<T> {
    batch_size: usize,
    #[expect(dead_code, reason = "the Go article never reads it, either")]
    flush_timeout: Duration,
    buffer: Mutex<Vec<T>>,
    queue: SyncSender<T>,
    processor: Receiver<T>, // never started
}

impl<T> BatchProcessor<T> {
    /// Takes a task, and hands a full batch to the processor.
    pub fn add_task(&self, task: T) {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.push(task);
        if buffer.len() >= self.batch_size {
            for task in buffer.drain(..) {
                let _dropped_if_full = self.queue.try_send(task);
            }
        }
    }
}
// ANCHOR_END: processor

impl<T> BatchProcessor<T> {
    /// Creates a processor of batches.
    pub fn new(batch_size: usize, flush_timeout: Duration) -> Self {
        let (queue, processor) = sync_channel(QUEUE);
        Self { batch_size, flush_timeout, buffer: Mutex::new(vec![]), queue, processor }
    }

    /// Returns the number of tasks that wait for a full batch, and of those in the queue. Those are
    /// all that are left. The Go article has no such method.
    pub fn end(self) -> (usize, usize) {
        let buffer = self.buffer.into_inner().unwrap_or_else(PoisonError::into_inner);
        (buffer.len(), self.processor.try_iter().count())
    }
}

// ANCHOR: company
/// Writes a batch as soon as it is full, and never before.
pub struct WaitsForCompany<W> {
    writer: W,
    batch: usize,
    items: Vec<Vec<u8>>,
}

impl<W: Write> WaitsForCompany<W> {
    /// Takes an item, and writes the batch if that fills it.
    ///
    /// # Errors
    ///
    /// The errors of the writer.
    pub fn push(&mut self, item: Vec<u8>) -> io::Result<()> {
        self.items.push(item);
        if self.items.len() < self.batch {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.items);
        gather::write_all(&mut self.writer, &batch, &mut 0)
    }
}
// ANCHOR_END: company

impl<W> WaitsForCompany<W> {
    /// Creates a writer of batches of `batch` items.
    pub fn new(writer: W, batch: usize) -> Self {
        Self { writer, batch, items: vec![] }
    }

    /// Returns the writer and the number of items that still wait.
    pub fn end(self) -> (W, usize) {
        (self.writer, self.items.len())
    }
}

// ANCHOR: once
/// Writes all `items` by one gathered write, as its name promises.
///
/// # Errors
///
/// The errors of the writer. That it took less is no error.
pub fn write_once(writer: &mut impl Write, items: &[Vec<u8>]) -> io::Result<()> {
    let slices: Vec<IoSlice<'_>> = items.iter().map(|item| IoSlice::new(item)).collect();
    writer.write_vectored(&slices).map(|_bytes| ())
}
// ANCHOR_END: once
