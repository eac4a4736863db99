//! The least that writes batches: a channel, and a thread that takes what is there.

use super::gather;
use crate::sys::trying;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::{iter, panic, thread};

/// Writes items in batches, on a thread of its own, without a delay and without an answer to each.
///
/// A batch is what has arrived while the one before was written. An error ends the thread:
/// [`push`](Self::push) fails from then on, and [`close`](Self::close) returns the error, but not
/// the items that were not written.
///
/// ```
/// use perf_proved::io::batching::channel::ChannelWriter;
///
/// let writer = ChannelWriter::start(vec![], 64, 1024)?;
/// writer.push(b"one, ".to_vec())?;
/// writer.push(b"two".to_vec())?;
/// assert_eq!(writer.close()?, b"one, two");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct ChannelWriter<W> {
    messages: SyncSender<Message>,
    thread: thread::JoinHandle<io::Result<W>>,
}

#[derive(Debug)]
enum Message {
    Item(Vec<u8>),
    /// Everything before this is to be written, and then the sender told.
    Flush(Sender<()>),
}

impl<W: Write + Send + 'static> ChannelWriter<W> {
    /// Starts the thread, which writes at most `most` items at once, or one if that is 0. As many
    /// as `capacity` may wait.
    ///
    /// # Errors
    ///
    /// The system's error if the thread cannot be started. The writer is dropped then.
    pub fn start(writer: W, most: usize, capacity: usize) -> io::Result<Self> {
        let (messages, received) = sync_channel(capacity);
        let thread = thread::Builder::new().name("channel".to_owned());
        let thread = thread.spawn(move || run(writer, &received, most));
        Ok(Self { messages, thread: trying("starting the thread that writes", thread)? })
    }
}

impl<W> ChannelWriter<W> {
    /// Accepts an item, and waits for room if necessary. Returns before it is written.
    ///
    /// # Errors
    ///
    /// If the thread has failed. [`close`](Self::close) says why.
    pub fn push(&self, item: Vec<u8>) -> io::Result<()> {
        self.messages.send(Message::Item(item)).map_err(|_| ended())
    }

    /// Waits until all items that were accepted so far are written.
    ///
    /// # Errors
    ///
    /// If the thread has failed. [`close`](Self::close) says why.
    pub fn flush(&self) -> io::Result<()> {
        let (done, wait) = channel();
        self.messages.send(Message::Flush(done)).map_err(|_| ended())?;
        wait.recv().map_err(|_| ended())
    }

    /// Writes what is left, ends the thread, and returns the writer.
    ///
    /// # Errors
    ///
    /// The error that ended the thread.
    pub fn close(self) -> io::Result<W> {
        drop(self.messages);
        self.thread.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    }
}

fn ended() -> io::Error {
    io::Error::other("the thread that writes has failed")
}

// ANCHOR: run
fn run<W: Write>(mut writer: W, queue: &Receiver<Message>, most: usize) -> io::Result<W> {
    let (mut batch, mut flushes) = (vec![], vec![]);
    while let Ok(first) = queue.recv() {
        for message in iter::once(first).chain(queue.try_iter()).take(most.max(1)) {
            match message {
                Message::Item(item) => batch.push(item),
                Message::Flush(done) => flushes.push(done),
            }
        }
        gather::write_all(&mut writer, &batch, &mut 0)?;
        batch.clear();
        flushes.drain(..).for_each(|done| _ = done.send(()));
    }
    Ok(writer)
}
// ANCHOR_END: run
