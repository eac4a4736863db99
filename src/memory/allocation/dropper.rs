//! A thread that drops large values, so that no request waits for it.

use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, JoinHandle};

/// A thread that drops the values it receives. Dropping this waits until it has dropped them all.
pub struct Dropper<T> {
    /// `None` only during drop.
    queue: Option<SyncSender<T>>,
    thread: Option<JoinHandle<()>>,
}

// ANCHOR: dropper
impl<T: Send + 'static> Dropper<T> {
    /// Starts the thread, with a queue of at most `waiting` values, still allocated.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn start(waiting: usize) -> io::Result<Self> {
        let (queue, values) = sync_channel(waiting);
        let drop_all = move || values.iter().for_each(drop);
        let thread = Builder::new().name("dropper".to_owned()).spawn(drop_all)?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands over `value` without waiting.
    ///
    /// # Errors
    ///
    /// Returns the value if the queue is full or a drop has panicked: drop it here then.
    pub fn hand_over(&self, value: T) -> Result<(), T> {
        let Some(queue) = &self.queue else { return Err(value) };
        queue.try_send(value).map_err(|error| match error {
            TrySendError::Full(value) | TrySendError::Disconnected(value) => value,
        })
    }
}
// ANCHOR_END: dropper

impl<T> Drop for Dropper<T> {
    fn drop(&mut self) {
        drop(self.queue.take()); // ends the loop of the thread
        if let Some(thread) = self.thread.take() {
            // A panic in a value's `Drop` was reported when it happened.
            let _ = thread.join();
        }
    }
}
