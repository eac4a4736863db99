//! A ring without an engine around it: the calling thread submits and waits itself.

use super::buffer::{Buffer, BufferSet};
use super::completion::Completion;
use super::file::SharedFile;
use super::operation::Operation;
use super::queue::{Reason, Rejected};
use super::ring;
use super::slots::Slots;
use super::step::{Next, Step};
use crate::sys::trying;
use io_uring::{IoUring, squeue};
use std::collections::VecDeque;
use std::fs::File;
use std::hint;
use std::io::{self, ErrorKind};
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A ring of the calling thread. It takes operations as a [`Stream`](super::stream::Stream) does,
/// and costs no wake-up, because no other thread is involved: nothing is submitted before
/// [`next`](Self::next) has to wait.
///
/// The ring owns its operations, and so their buffers and files. Dropping it waits until the kernel
/// has answered the last one. The kernel ties a ring to the thread that submits, so it stays on its
/// thread:
///
/// ```compile_fail
/// fn is_send<T: Send>() {}
/// is_send::<perf_proved::io::async_io::local::LocalRing<u64>>();
/// ```
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use perf_proved::io::async_io::{Operation, SharedFile, local::LocalRing};
/// use std::fs::File;
///
/// let Ok(mut ring) = LocalRing::new(16, 0, 0) else { return Ok(()) }; // no io_uring here
/// let file = SharedFile::from(File::open("/proc/self/exe")?);
/// for block in 0..4 {
///     ring.submit(block, Operation::read_at(&file, vec![0; 512], block * 512))?;
/// }
/// let mut read = 0;
/// while let Some((_block, completion)) = ring.next()? {
///     read += completion.done()?.bytes;
/// }
/// assert_eq!(read, 4 * 512);
/// # Ok(())
/// # }
/// ```
pub struct LocalRing<T> {
    /// Closed before the operations in flight are freed.
    ring: ManuallyDrop<IoUring>,
    /// Freed only if the kernel has answered all of them, and leaked otherwise.
    in_flight: ManuallyDrop<Slots<(T, Operation)>>,
    pending: usize,
    /// Empty, but for its memory.
    results: Vec<(u64, i32)>,
    ended: VecDeque<(T, Completion)>,
    depth: usize,
    buffers: Option<Arc<BufferSet>>,
    not_registered: Option<io::Error>,
    /// The registered files, which keep their descriptors' numbers as long as they are here.
    files: Vec<SharedFile>,
    /// A thread of the kernel looks for requests.
    is_polled: bool,
    stays: PhantomData<*const ()>,
}

impl<T> LocalRing<T> {
    /// Creates a ring for at most `depth` operations in flight, with `buffers` registered buffers
    /// of `length` bytes, or none.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `depth` is 0 or above 1022, or there can be no such buffers; the reason
    /// why there is no ring, or none that reads a file.
    pub fn new(depth: usize, buffers: u16, length: usize) -> io::Result<Self> {
        Self::with(depth, buffers, length, None)
    }

    /// Creates a ring as [`new`](Self::new) does, for which a thread of the kernel looks for
    /// requests (`IORING_SETUP_SQPOLL`). It looks all the time, and takes a core for that, until it
    /// has found none for `idle`. That is rounded down to milliseconds, and 0 stands for a second.
    ///
    /// [`next`](Self::next) looks for results all the time as well, and so makes no call, unless
    /// that thread must be woken. With a single core, this cannot be fast.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn polled(depth: usize, buffers: u16, length: usize, idle: Duration) -> io::Result<Self> {
        Self::with(depth, buffers, length, Some(idle))
    }

    fn with(
        depth: usize,
        buffers: u16,
        length: usize,
        polled: Option<Duration>,
    ) -> io::Result<Self> {
        if !(1..=ring::BATCH - 2).contains(&depth) {
            let what = format!("a local ring has a depth of 1 to {}", ring::BATCH - 2);
            return Err(io::Error::new(ErrorKind::InvalidInput, what));
        }
        let buffers = (buffers > 0).then(|| BufferSet::new(buffers, length)).transpose()?;
        let ring = ring::usable_ring(depth, polled)?;
        let (registered, not_registered) = ring::register(&ring, buffers.clone());
        let buffers = registered.or(buffers);
        Ok(Self {
            ring: ManuallyDrop::new(ring),
            in_flight: ManuallyDrop::new(Slots::new()),
            pending: 0,
            results: vec![],
            ended: VecDeque::new(),
            depth,
            buffers,
            not_registered,
            files: vec![],
            is_polled: polled.is_some(),
            stays: PhantomData,
        })
    }

    /// Registers `files`, once: the kernel then looks none of them up for each request. They stay
    /// open as long as the ring.
    ///
    /// # Errors
    ///
    /// The errors of `io_uring_register(2)`: `EBUSY` if files are registered already. Their
    /// operations work all the same.
    pub fn register_files(&mut self, files: &[SharedFile]) -> io::Result<()> {
        let fds: Vec<i32> = files.iter().map(|file| file.file().as_raw_fd()).collect();
        let what = format_args!("registering {} files", fds.len());
        trying(what, self.ring.submitter().register_files(&fds))?;
        self.files = files.to_vec();
        Ok(())
    }

    /// Returns the number of `file` among the registered ones.
    fn index_of(files: &[SharedFile], file: &File) -> Option<u32> {
        let is_it = |known: &SharedFile| known.file().as_raw_fd() == file.as_raw_fd();
        files.iter().position(is_it).map(|index| index as u32)
    }

    /// Lends a buffer of the ring's set, or returns `None` if all are lent.
    pub fn buffer(&self) -> Option<Buffer> {
        self.buffers.as_ref()?.lend()
    }

    /// Returns the reason why the buffers are not registered, and are ordinary memory.
    pub fn not_registered(&self) -> Option<&io::Error> {
        self.not_registered.as_ref()
    }

    /// Returns the number of operations that are under way or not yet taken.
    pub fn pending(&self) -> usize {
        self.pending + self.ended.len()
    }

    /// Takes an operation, and hands it to the kernel when [`next`](Self::next) has to wait.
    ///
    /// # Errors
    ///
    /// Returns the operation if `depth` operations are under way or not yet taken.
    pub fn submit(&mut self, tag: T, operation: Operation) -> Result<(), Rejected> {
        if self.pending() >= self.depth {
            return Err(Rejected { operation: Box::new(operation), reason: Reason::Full });
        }
        self.advance(tag, operation);
        Ok(())
    }

    /// Waits for the next operation that ends, or returns `None` if none is under way.
    ///
    /// # Errors
    ///
    /// The errors of `io_uring_enter(2)`.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot fail and end")]
    pub fn next(&mut self) -> io::Result<Option<(T, Completion)>> {
        while self.ended.is_empty() && self.pending > 0 {
            self.enter()?;
        }
        Ok(self.ended.pop_front())
    }

    // ANCHOR: enter
    /// Hands in all queued requests, waits for a result, and takes what there are.
    fn enter(&mut self) -> io::Result<()> {
        // A polled ring makes a call only if the kernel's thread is asleep.
        let wanted = if self.is_polled { 0 } else { 1 };
        match self.ring.submit_and_wait(wanted) {
            Ok(_) => {
                let mut turns = 0;
                while self.is_polled && self.ring.completion().is_empty() {
                    spin(&mut turns);
                }
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return trying("io_uring_enter", Err(error)),
        }
        self.take_results();
        Ok(())
    }
    // ANCHOR_END: enter

    /// Gives each result to its operation, and goes on with that.
    fn take_results(&mut self) {
        let mut results = mem::take(&mut self.results);
        results.extend(self.ring.completion().map(|entry| (entry.user_data(), entry.result())));
        for (number, result) in results.drain(..) {
            let Some((tag, mut operation)) = self.in_flight.remove(number) else {
                unreachable!("the kernel answers a request once")
            };
            self.pending -= 1;
            operation.answer(ring::answer(result));
            self.advance(tag, operation);
        }
        self.results = results; // its memory serves again
    }

    /// Queues the next request of an operation, or ends it.
    fn advance(&mut self, tag: T, mut operation: Operation) {
        let registered = self.not_registered.is_none().then_some(self.buffers.as_ref()).flatten();
        let index = registered.and_then(|set| operation.index_in(set));
        let request = loop {
            match operation.next(false) {
                Next::End(outcome) => {
                    return self.ended.push_back((tag, Completion::new(operation, outcome)));
                }
                Next::Step(Step::Call) => operation.call(), // no helper: this thread waits
                Next::Step(step) => {
                    let file = step.file().and_then(|file| Self::index_of(&self.files, file));
                    break ring::request(step, index, file);
                }
            }
        };
        let number = self.in_flight.insert((tag, operation));
        self.pending += 1;
        // SAFETY: the operation owns its buffer and its file, and stays in its slot until the
        // result is here. Moving it moves no byte of its buffer.
        unsafe { self.push(&request.user_data(number)) };
    }

    /// Queues a request for the kernel.
    ///
    /// # Safety
    ///
    /// The memory that the request points to must stay valid until its result has arrived.
    unsafe fn push(&mut self, request: &squeue::Entry) {
        let (mut queue, mut turns) = (self.ring.submission(), 0);
        while self.is_polled && queue.is_full() {
            spin(&mut turns); // a result may come before the kernel's thread has made room
            queue.sync();
        }
        // SAFETY: the caller's promise.
        let pushed = unsafe { queue.push(request) };
        pushed.expect("the queue has room for one request of every operation");
    }
}

/// Waits for the kernel's thread without a call, and after many turns with one: that thread may
/// lack the very core that this one takes.
fn spin(turns: &mut u32) {
    const WITHOUT: u32 = 10_000;
    *turns = turns.saturating_add(1);
    if *turns < WITHOUT { hint::spin_loop() } else { thread::yield_now() }
}

/// Returns `true` for what the kernel says of a moment: a signal, no memory, too many results.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY))
}

impl<T> Drop for LocalRing<T> {
    // ANCHOR: drop
    fn drop(&mut self) {
        // No tag is dropped before the ring is closed: its destructor might panic.
        while self.pending > 0 && self.enter().is_ok() {}
        // SAFETY: dropped here, and not used again.
        unsafe { ManuallyDrop::drop(&mut self.ring) };
        // If any are pending, the kernel may still write to their buffers: never free them.
        if self.pending == 0 {
            // SAFETY: as above.
            unsafe { ManuallyDrop::drop(&mut self.in_flight) };
        }
    }
    // ANCHOR_END: drop
}
