//! Many small items in few writes: a queue with bounds, a thread that writes batches, and an answer
//! to each item.
//!
//! A [`BatchWriter`] writes as soon as it has enough items or enough bytes, or its oldest item has
//! waited long enough. It makes the threads that push wait when it has no room, and writes nothing
//! after an error. Every item that it accepts is written, fails with the error of the writer, or is
//! not attempted, and each handle says which.
//!
//! | module | provides |
//! | --- | --- |
//! | [`gather`] | gathered writes, continued where they were short |
//! | `queue` | the order of the items, the moment to write, the answers: no thread, no clock |
//! | `shared` | the lock, the thread that writes, and the threads that wait |
//! | [`channel`] | the least that does: no delay, no answers |
//! | [`Handle`] | the answer to one item |
//! | [`Rejected`], [`Unwritten`] | items that come back |
//! | [`naive`] | the versions that everyone writes first |
//! | `variants`, `experiment` | what the chapter compares, and how (on Linux) |
//!
//! The book's chapter: [batching](../../../../io/batching.html).

pub mod channel;
#[cfg(target_os = "linux")]
pub mod experiment;
pub mod gather;
mod handle;
pub mod naive;
mod queue;
mod rejected;
mod settings;
mod shared;
#[cfg(target_os = "linux")]
pub mod variants;

pub use handle::Handle;
pub use queue::Answer;
pub use rejected::{Reason, Rejected, Unwritten};
pub use settings::Settings;

use crate::concurrency::sync::{Arc, thread};
use crate::sys::{log, trying};
use queue::Failure;
use shared::{IfFull, Shared};
use std::io::{self, Write};
use std::{fmt, panic, sync};

/// Writes items in batches, on a thread of its own.
///
/// Items are written in the order in which they were accepted, so those of one thread keep theirs.
/// `W` must not buffer: an item counts as written once `W` has taken its bytes.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use perf_proved::io::batching::{Answer, BatchWriter, Settings};
///
/// let batches = BatchWriter::start(vec![], &Settings::default())?;
/// let first = batches.push("one, ")?;
/// batches.push("two, ")?;
/// batches.push("three")?;
/// let bytes = batches.close()?; // writes what is left, and returns the writer
/// assert!(matches!(first.wait(), Answer::Written));
/// assert_eq!(bytes, b"one, two, three");
/// # Ok(())
/// # }
/// ```
///
/// Closing takes it, so no push can come later:
///
/// ```compile_fail,E0382
/// # use perf_proved::io::batching::{BatchWriter, Settings};
/// let batches = BatchWriter::start(vec![], &Settings::default()).unwrap();
/// batches.close().unwrap();
/// batches.push("late").unwrap();
/// ```
///
/// Dropping it writes what is left, too. Items that could not be written then have their answers,
/// and one line on standard error says how many there are: no caller is left to be told.
pub struct BatchWriter<W> {
    shared: Arc<Shared>,
    /// `None` once the thread has ended.
    thread: Option<thread::JoinHandle<W>>,
}

impl<W: Write + Send + 'static> BatchWriter<W> {
    /// Starts the thread that writes to `writer`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for settings with which nothing would be written; the system's error if the
    /// thread cannot be started. The writer is dropped then.
    pub fn start(mut writer: W, settings: &Settings) -> io::Result<Self> {
        settings.check()?;
        let shared = Arc::new(Shared::new(settings.clone()));
        let queue = shared.clone();
        let body = move || {
            queue.run(&mut writer);
            writer
        };
        let thread = thread::Builder::new().name("batches".to_owned()).spawn(body);
        let thread = trying("starting the thread that writes batches", thread)?;
        Ok(Self { shared, thread: Some(thread) })
    }
}

impl<W> BatchWriter<W> {
    /// Accepts an item, and waits for room if necessary. Returns before it is written.
    ///
    /// # Errors
    ///
    /// Returns the item if the writer has failed.
    pub fn push(&self, item: impl Into<Vec<u8>>) -> Result<Handle, Rejected> {
        self.accept(item.into(), IfFull::Wait)
    }

    /// Accepts an item if there is room. Never waits for more than the lock.
    ///
    /// # Errors
    ///
    /// Returns the item if there is no room, or the writer has failed.
    pub fn try_push(&self, item: impl Into<Vec<u8>>) -> Result<Handle, Rejected> {
        self.accept(item.into(), IfFull::Refuse)
    }

    fn accept(&self, item: Vec<u8>, if_full: IfFull) -> Result<Handle, Rejected> {
        let number = self.shared.push(item, if_full)?;
        Ok(Handle { number, shared: self.shared.clone() })
    }

    /// Has all items that were accepted so far written without delay, and waits until they are.
    ///
    /// # Errors
    ///
    /// The error of the writer if one of them was not written.
    pub fn flush(&self) -> Result<(), sync::Arc<io::Error>> {
        match self.shared.flush().as_ref().and_then(Answer::error) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    // ANCHOR: close
    /// Writes what is left, ends the thread, and returns the writer. Since this takes the
    /// batch writer, no push can come later, and none can be under way.
    ///
    /// # Errors
    ///
    /// Returns the items that were not written, with the error and the writer.
    pub fn close(mut self) -> Result<W, Unwritten<W>> {
        let writer = self.end().expect("only closing and dropping end the thread");
        let Some((Failure { error, bytes }, items, _)) = self.shared.unwritten() else {
            return Ok(writer);
        };
        Err(Unwritten { error, bytes, items, writer })
    }

    fn end(&mut self) -> Option<W> {
        let thread = self.thread.take()?;
        self.shared.close();
        // A panic of the writer is caught, and answered as an error.
        Some(thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked)))
    }
    // ANCHOR_END: close
}

impl<W> Drop for BatchWriter<W> {
    // ANCHOR: drop
    /// Writes what is left, and logs what could not be written: an error that no one is
    /// left to return to.
    fn drop(&mut self) {
        if self.end().is_none() {
            return; // closed
        }
        if let Some((failure, items, accepted)) = self.shared.unwritten() {
            log::line(format_args!(
                "a batch writer was dropped with {} of {accepted} items unwritten: {}",
                items.len(),
                failure.error
            ));
        }
    }
    // ANCHOR_END: drop
}

impl<W> fmt::Debug for BatchWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchWriter").finish_non_exhaustive()
    }
}
