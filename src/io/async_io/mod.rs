//! File operations that are submitted now and end later: reads, writes, syncs, copies and atomic
//! replacements, carried out by a thread pool or by io_uring.
//!
//! An [`Operation`] owns its buffer and its files until the kernel has answered. [`AsyncIo`]
//! accepts operations, a bounded number at a time, and each of them ends in exactly one
//! [`Completion`], whatever is dropped, canceled or shut down meanwhile. Operations in flight have
//! no order: to write and then read, or write and then sync, wait in between.
//!
//! | module | provides |
//! | --- | --- |
//! | [`operation`] | operations, as sequences of steps |
//! | [`step`] | the steps, which any engine can carry out |
//! | [`buffer`] | memory that moves into an operation and comes back |
//! | [`mod@file`] | files that remember the first error of their data |
//! | [`completion`] | the end of an operation, with its bytes and its buffer |
//! | [`handle`] | handles, which block or are awaited, and cancellation |
//! | [`stream`] | completions one by one, as they come |
//! | [`local`] | a ring of the calling thread, without an engine |
//! | [`direct`] | direct I/O, with the alignment that a file asks for |
//! | [`cached`] | reads that take what the page cache has |
//! | [`naive`] | the versions that everyone writes first |
//! | [`queue`] | the bound, backpressure, and the counts |
//! | [`variants`], [`experiment`] | what the chapter compares, and how |
//!
//! The book's chapter: [async_io](../../../../io/async-io.html).
#![cfg(target_os = "linux")]

pub mod buffer;
pub mod cached;
pub mod completion;
mod copy;
pub mod direct;
pub mod experiment;
pub mod file;
pub mod handle;
pub mod local;
pub mod naive;
mod open;
pub mod operation;
mod pool;
pub mod queue;
mod replace;
mod ring;
mod slots;
pub mod step;
pub mod stream;
pub mod variants;
mod wake;

pub use crate::zero_copy::copy_file_range::Durability;
pub use buffer::Buffer;
pub use completion::Completion;
pub use file::SharedFile;
pub use handle::{Canceler, Cancellation, Handle, Submission};
pub use operation::Operation;
pub use queue::{Counts, Reason, Rejected};
pub use step::{Outcome, SyncKind};

use buffer::BufferSet;
use completion::Delivery;
use queue::{IfFull, Queue};
use ring::Started;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use wake::{Event, Wake};

/// The engine that carries out the operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Threads that make blocking calls.
    Pool,
    /// io_uring.
    Ring,
}

/// Configuration of an [`AsyncIo`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The engine. `None` takes the ring if it can read a file here, and the pool if not.
    pub engine: Option<Engine>,
    /// The largest number of operations in flight: accepted, and not ended. Beyond it,
    /// [`submit`](AsyncIo::submit) waits.
    pub depth: usize,
    /// The number of threads of the pool. A ring needs two, whatever this is.
    pub threads: usize,
    /// The number of buffers that [`buffer`](AsyncIo::buffer) lends. A ring registers them.
    pub buffers: u16,
    /// The length of each of them in bytes, rounded up to whole pages.
    pub buffer_length: usize,
}

impl Default for Settings {
    /// Returns the engine that works here, 128 operations in flight, 8 threads, which wait for a
    /// disk and not for a core, and no buffers.
    fn default() -> Self {
        Self { engine: None, depth: 128, threads: 8, buffers: 0, buffer_length: 64 << 10 }
    }
}

impl Settings {
    fn check(&self) -> io::Result<()> {
        for (name, value) in [("depth", self.depth), ("threads", self.threads)] {
            if value == 0 {
                let what = format!("file operations with {name} = 0 would never end");
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
        }
        Ok(())
    }

    fn set_of_buffers(&self) -> io::Result<Option<Arc<BufferSet>>> {
        let set = || BufferSet::new(self.buffers, self.buffer_length);
        (self.buffers > 0).then(set).transpose()
    }
}

/// The number of times that a pool ran in place of a ring.
static FALLBACKS: AtomicU64 = AtomicU64::new(0);

/// Carries out file operations. Dropping it is [`shutdown`](Self::shutdown).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use perf_proved::io::async_io::{AsyncIo, Operation, Settings, SharedFile};
/// use std::fs::File;
///
/// let io = AsyncIo::start(&Settings::default())?;
/// let file = SharedFile::from(File::open("/proc/self/exe")?);
/// let handle = io.submit(Operation::read_at(&file, vec![0; 4], 0))?;
/// // … the program does something else, and then:
/// let read = handle.wait().done()?;
/// assert_eq!(&read.buffer.unwrap()[..], b"\x7fELF");
/// # Ok(())
/// # }
/// ```
pub struct AsyncIo {
    queue: Arc<Queue>,
    engine: Engine,
    no_ring: Option<io::Error>,
    buffers: Option<Arc<BufferSet>>,
    not_registered: Option<io::Error>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl AsyncIo {
    /// Starts the engine.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for settings with which nothing could run; the system's error if a thread
    /// cannot be started; the reason why there is no ring, if the settings insist on one.
    // ANCHOR: start
    pub fn start(settings: &Settings) -> io::Result<Self> {
        settings.check()?;
        let buffers = settings.set_of_buffers()?;
        match settings.engine {
            Some(Engine::Pool) => Self::on_pool(settings, buffers, None),
            Some(Engine::Ring) => Self::on_ring(settings, buffers),
            None => Self::on_ring(settings, buffers.clone()).or_else(|reason| {
                FALLBACKS.fetch_add(1, Ordering::Relaxed); // a count alone
                Self::on_pool(settings, buffers, Some(reason))
            }),
        }
    }
    // ANCHOR_END: start

    fn on_pool(
        settings: &Settings,
        buffers: Option<Arc<BufferSet>>,
        no_ring: Option<io::Error>,
    ) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(settings.depth, Wake::Threads(Condvar::new())));
        let threads = Mutex::new(pool::start(&queue, settings.threads)?);
        let (engine, not_registered) = (Engine::Pool, None);
        Ok(Self { queue, engine, no_ring, buffers, not_registered, threads })
    }

    fn on_ring(settings: &Settings, buffers: Option<Arc<BufferSet>>) -> io::Result<Self> {
        let event = Arc::new(Event::new()?);
        let queue = Arc::new(Queue::new(settings.depth, Wake::Event(event.clone())));
        let Started { threads, not_registered } =
            ring::start(&queue, &event, settings.depth, buffers.as_ref())?;
        let (engine, no_ring, threads) = (Engine::Ring, None, Mutex::new(threads));
        Ok(Self { queue, engine, no_ring, buffers, not_registered, threads })
    }

    /// Returns the engine that runs.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Returns the reason why the pool runs, if the settings left the choice.
    pub fn no_ring(&self) -> Option<&io::Error> {
        self.no_ring.as_ref()
    }

    /// Lends a buffer of the settings' set, with the bytes of its last use, or returns `None` if
    /// all are lent. Dropping it returns it.
    pub fn buffer(&self) -> Option<Buffer> {
        self.buffers.as_ref()?.lend()
    }

    /// Returns the reason why the ring could not register the settings' buffers, and uses them as
    /// ordinary memory: usually `RLIMIT_MEMLOCK`.
    pub fn not_registered(&self) -> Option<&io::Error> {
        self.not_registered.as_ref()
    }

    /// Returns the number of times that this process wanted a ring, and got a pool.
    pub fn fallbacks() -> u64 {
        FALLBACKS.load(Ordering::Relaxed) // a count alone
    }

    /// Submits an operation. Waits for room while as many as allowed are in flight.
    ///
    /// # Errors
    ///
    /// Returns the operation if the engine is shut down. In a callback, which runs on a thread of
    /// the engine, returns it if there is no room, too: waiting there would stop what makes room.
    pub fn submit(&self, operation: Operation) -> Result<Handle, Rejected> {
        let ticket = self.queue.submit(operation, Delivery::Handle, IfFull::Wait)?;
        Ok(Handle::new(ticket, self.queue.clone()))
    }

    /// Submits an operation if there is room. Never waits.
    ///
    /// # Errors
    ///
    /// Returns the operation if there is no room, or the engine is shut down.
    pub fn try_submit(&self, operation: Operation) -> Result<Handle, Rejected> {
        let ticket = self.queue.submit(operation, Delivery::Handle, IfFull::Refuse)?;
        Ok(Handle::new(ticket, self.queue.clone()))
    }

    /// Submits an operation, as a future that is ready once there was room for it: an executor's
    /// thread must not wait. Nothing is submitted before it is polled. If it is dropped before it
    /// is ready, the operation is dropped with it.
    ///
    /// The future fails, and returns the operation, if the engine is shut down.
    pub fn submission(&self, operation: Operation) -> Submission {
        Submission::new(operation, self.queue.clone())
    }

    /// Submits an operation as [`submit`](Self::submit) does. At its end, `callback` runs on a
    /// thread of the engine, or on the one that cancels the operation in the queue. While it runs,
    /// that thread carries out nothing else.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit). The callback is dropped then.
    pub fn submit_then(
        &self,
        operation: Operation,
        callback: impl FnOnce(Completion) + Send + 'static,
    ) -> Result<Canceler, Rejected> {
        let delivery = Delivery::Callback(Box::new(callback));
        let ticket = self.queue.submit(operation, delivery, IfFull::Wait)?;
        Ok(Canceler { ticket, queue: self.queue.clone() })
    }

    /// Returns the numbers of operations so far.
    pub fn counts(&self) -> Counts {
        self.queue.counts()
    }

    /// Accepts no more operations, and waits until all accepted ones have ended and been delivered:
    /// none is lost. Every thread of the engine has ended then.
    ///
    /// Every call waits, even one that comes while another waits, or after it.
    ///
    /// In a callback, which runs on one of these threads, it does not wait. The rest ends and is
    /// delivered all the same.
    pub fn shutdown(&self) {
        self.queue.close();
        if self.queue.is_served_here() {
            return; // another call may hold the lock, and wait for this very thread
        }
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for thread in threads.drain(..) {
            let _ = thread.join(); // a panic has been reported by the panic hook
        }
    }
}

impl Drop for AsyncIo {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl fmt::Debug for AsyncIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (engine, counts) = (self.engine, self.counts());
        let mut it = f.debug_struct("AsyncIo");
        it.field("engine", &engine).field("counts", &counts).finish_non_exhaustive()
    }
}
