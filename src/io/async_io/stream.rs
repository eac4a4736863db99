//! Completions as a stream, in the order in which the operations end.

use super::AsyncIo;
use super::completion::Completion;
use super::operation::Operation;
use super::queue::{Reason, Rejected};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Operations whose completions come one by one, each with the tag under which the operation was
/// submitted.
///
/// Completions that no one takes would pile up. So the stream has a bound of its own: once it has
/// that many operations that are under way or not yet taken, it refuses another.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use perf_proved::io::async_io::{AsyncIo, Operation, Settings, SharedFile, stream::Stream};
/// use std::fs::File;
///
/// let io = AsyncIo::start(&Settings::default())?;
/// let file = SharedFile::from(File::open("/proc/self/exe")?);
/// let mut stream = Stream::new(&io, 16);
/// for block in 0..4 {
///     stream.submit(block, Operation::read_at(&file, vec![0; 512], block * 512))?;
/// }
/// let mut read = 0;
/// for (_block, completion) in &mut stream {
///     read += completion.done()?.bytes;
/// }
/// assert_eq!(read, 4 * 512);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Stream<'io, T> {
    io: &'io AsyncIo,
    deliver: Sender<(T, Completion)>,
    delivered: Receiver<(T, Completion)>,
    /// Operations that are under way, and completions that have not been taken.
    pending: usize,
    bound: usize,
}

impl<'io, T: Send + 'static> Stream<'io, T> {
    /// Creates a stream of at most `bound` operations that are under way or not yet taken.
    pub fn new(io: &'io AsyncIo, bound: usize) -> Self {
        let (deliver, delivered) = channel();
        Self { io, deliver, delivered, pending: 0, bound }
    }

    /// Submits an operation. Waits for room in the engine, but not in the stream: only
    /// [`next`](Iterator::next) could make it.
    ///
    /// # Errors
    ///
    /// Returns the operation if the stream is full, or for the reasons of [`AsyncIo::submit`].
    pub fn submit(&mut self, tag: T, operation: Operation) -> Result<(), Rejected> {
        if self.pending >= self.bound {
            return Err(Rejected { operation: Box::new(operation), reason: Reason::Full });
        }
        let deliver = self.deliver.clone();
        // A stream that is gone abandons the result, as a dropped handle does.
        self.io.submit_then(operation, move |end| drop(deliver.send((tag, end))))?;
        self.pending += 1;
        Ok(())
    }

    /// Returns the number of operations that are under way or not yet taken.
    pub fn pending(&self) -> usize {
        self.pending
    }
}

impl<T> Iterator for Stream<'_, T> {
    type Item = (T, Completion);

    /// Waits for the next operation that ends, or returns `None` if none is pending. After that,
    /// more may be submitted.
    fn next(&mut self) -> Option<Self::Item> {
        self.pending = self.pending.checked_sub(1)?;
        // The stream itself keeps the channel open, and each operation ends exactly once.
        self.delivered.recv().ok()
    }
}
