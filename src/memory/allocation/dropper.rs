//! Dropping what is large on a thread of its own, so that no request waits for it.

use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

/// A thread that drops what it is given. When this is dropped, it waits until that has happened.
pub struct Dropper<T> {
    /// `None` only while this is dropped.
    queue: Option<SyncSender<T>>,
    thread: Option<JoinHandle<()>>,
}

// ANCHOR: dropper
impl<T: Send + 'static> Dropper<T> {
    /// Starts the thread, which lets so many values wait: they are memory that is not free yet.
    ///
    /// # Errors
    ///
    /// Where no thread can be started.
    pub fn start(waiting: usize) -> io::Result<Self> {
        let (queue, values) = sync_channel(waiting);
        let thread = Builder::new()
            .name("dropper".to_owned())
            .spawn(move || values.iter().for_each(drop))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands `value` over, without waiting.
    ///
    /// # Errors
    ///
    /// Gives the value back if as many wait as may, or if dropping one has panicked: drop it here,
    /// and be slow.
    pub fn hand_over(&self, value: T) -> Result<(), T> {
        let Some(queue) = &self.queue else { return Err(value) };
        queue
            .try_send(value)
            .map_err(|(TrySendError::Full(value) | TrySendError::Disconnected(value))| value)
    }
}
// ANCHOR_END: dropper

impl<T> Drop for Dropper<T> {
    fn drop(&mut self) {
        drop(self.queue.take()); // ends the thread's loop
        if let Some(thread) = self.thread.take() {
            // A panic of one value's `Drop` has been reported when it happened.
            let _ = thread.join();
        }
    }
}
