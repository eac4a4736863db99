//! The versions that everyone writes first. `tests/async_io.rs` pins their faults.
//!
//! [`Processor`] is the Go article's: blocking calls by threads, and a channel of results.
//!
//! - As soon as the channel of results is full, the workers stall until it is read.
//! - When it is canceled, it drops the tasks in its queue and the results that find no room.
//! - A task of an unknown kind succeeds, with 0 bytes.
//! - A write that fails reports the size that it was asked for.
//! - Copying a file onto itself empties it.
//! - Nothing is ever synced.
//!
//! [`BorrowingRing`] borrows buffers, as `read(2)` does. The borrow ends when the request has been
//! submitted, and the kernel writes later: over whatever is there by then.

use crate::sys::trying;
use io_uring::{IoUring, opcode, types::Fd};
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The length of the Go article's queues.
pub const QUEUE: usize = 1000;

// ANCHOR: task
/// A task of the Go article. Everything but its kind is optional.
#[derive(Default)]
pub struct Task {
    /// Anything that tells the tasks apart.
    pub id: String,
    /// `read`, `write` or `copy`.
    pub kind: String,
    /// The file to be read or copied.
    pub source: PathBuf,
    /// The file to be written, or the copy.
    pub target: PathBuf,
    /// The bytes to be written.
    pub data: Vec<u8>,
    /// Called with the result before that goes to the channel.
    pub callback: Option<Callback>,
}
// ANCHOR_END: task

/// The callback of a [`Task`].
pub type Callback = Box<dyn FnOnce(&TaskResult) + Send>;

/// The result of a [`Task`].
#[derive(Debug, Default)]
pub struct TaskResult {
    /// The task's.
    pub id: String,
    /// The bytes that were read.
    pub data: Vec<u8>,
    /// The error, if there was one.
    pub error: Option<io::Error>,
    /// The number of bytes that were read, were to be written, or were copied.
    pub size: u64,
}

/// The Go article's `AsyncIOProcessor`.
pub struct Processor {
    tasks: SyncSender<Task>,
    results: Receiver<TaskResult>,
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Receiver<Task>>,
    results: SyncSender<TaskResult>,
    canceled: AtomicBool,
}

impl Processor {
    /// Starts `workers` threads, with queues of `length` tasks and results. The Go article's are
    /// [`QUEUE`] long.
    ///
    /// # Errors
    ///
    /// The system's error if a thread cannot be started.
    pub fn start(workers: usize, length: usize) -> io::Result<Self> {
        let (tasks, queue) = sync_channel(length);
        let (deliver, results) = sync_channel(length);
        let canceled = AtomicBool::new(false);
        let shared = Arc::new(Shared { queue: Mutex::new(queue), results: deliver, canceled });
        let worker = |_| {
            let shared = shared.clone();
            thread::Builder::new().spawn(move || shared.work())
        };
        let workers = (0..workers).map(worker).collect::<io::Result<_>>();
        Ok(Self { tasks, results, workers: trying("starting the workers", workers)?, shared })
    }

    /// Queues a task, or returns `false` and drops it if there is no room, as the Go article's
    /// batches do.
    pub fn try_submit(&self, task: Task) -> bool {
        self.tasks.try_send(task).is_ok()
    }

    /// Returns the next result, or `None` if there is none within `timeout`.
    pub fn result(&self, timeout: Duration) -> Option<TaskResult> {
        self.results.recv_timeout(timeout).ok()
    }

    /// Cancels the processor: a worker stops after the task that it is at. The Go article's does no
    /// more than this.
    pub fn cancel(&self) {
        self.shared.canceled.store(true, Ordering::Relaxed); // a flag alone: pairs with nothing
    }

    /// Cancels the processor, waits for the workers, and returns the numbers of tasks that are left
    /// in the queue and of results in the channel.
    pub fn end(self) -> (usize, usize) {
        self.cancel();
        for worker in self.workers {
            let _ = worker.join(); // a worker that panicked has ended, too
        }
        let queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        (queue.try_iter().count(), self.results.try_iter().count())
    }
}

impl Shared {
    fn work(&self) {
        while !self.canceled.load(Ordering::Relaxed) {
            let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let task = queue.recv_timeout(Duration::from_millis(1));
            drop(queue);
            match task {
                Ok(task) => self.process(task),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    // ANCHOR: work
    fn process(&self, mut task: Task) {
        let callback = task.callback.take();
        let mut result = process(task);
        if let Some(callback) = callback {
            callback(&result);
        }
        while let Err(TrySendError::Full(back)) = self.results.try_send(result) {
            if self.canceled.load(Ordering::Relaxed) {
                return; // and drops the result
            }
            result = back;
            thread::sleep(Duration::from_micros(100));
        }
    }
    // ANCHOR_END: work
}

// ANCHOR: process
fn process(task: Task) -> TaskResult {
    let mut result = TaskResult { id: task.id, ..TaskResult::default() };
    match task.kind.as_str() {
        "read" => match fs::read(task.source) {
            Ok(data) => (result.size, result.data) = (data.len() as u64, data),
            Err(error) => result.error = Some(error),
        },
        "write" => {
            result.error = fs::write(task.target, &task.data).err();
            result.size = task.data.len() as u64;
        }
        "copy" => {
            let copied = File::open(task.source).and_then(|mut source| {
                let mut target = File::create(task.target)?;
                io::copy(&mut source, &mut target)
            });
            match copied {
                Ok(size) => result.size = size,
                Err(error) => result.error = Some(error),
            }
        }
        _ => {}
    }
    result
}
// ANCHOR_END: process

/// A ring that borrows the buffers that it is given.
pub struct BorrowingRing(IoUring);

impl BorrowingRing {
    /// Creates a ring.
    ///
    /// # Errors
    ///
    /// The errors of `io_uring_setup(2)`.
    pub fn new() -> io::Result<Self> {
        trying("io_uring_setup", IoUring::new(8)).map(Self)
    }

    // ANCHOR: borrow
    /// Submits a read into `buffer`, and returns before it is done.
    ///
    /// # Errors
    ///
    /// The errors of `io_uring_enter(2)`.
    pub fn read(&mut self, file: impl AsFd, buffer: &mut [u8]) -> io::Result<()> {
        let fd = Fd(file.as_fd().as_raw_fd());
        let request = opcode::Read::new(fd, buffer.as_mut_ptr(), buffer.len() as u32).build();
        // SAFETY: none. The pointer is valid here, and nothing keeps it valid until the
        // kernel uses it: the borrow of `buffer` ends when this function returns.
        unsafe { self.0.submission().push(&request) }.map_err(io::Error::other)?;
        self.0.submit().map(drop)
    }
    // ANCHOR_END: borrow

    /// Waits for a result, and returns the number of bytes that were read.
    ///
    /// # Errors
    ///
    /// The errors of `io_uring_enter(2)` and of the read.
    pub fn wait(&mut self) -> io::Result<usize> {
        self.0.submit_and_wait(1)?;
        let entry = self.0.completion().next().ok_or(io::ErrorKind::WouldBlock)?;
        usize::try_from(entry.result()).map_err(|_| io::Error::from_raw_os_error(-entry.result()))
    }
}
