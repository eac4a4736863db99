//! The answer to one item, for the thread that wants it.

use super::queue::Answer;
use super::shared::Shared;
use crate::concurrency::sync::Arc;
use std::fmt;

/// The handle of an item. It outlives the batch writer, and needs no memory for each item: it is
/// a number. Dropping it abandons the answer, not the item.
pub struct Handle {
    pub(super) number: u64,
    pub(super) shared: Arc<Shared>,
}

impl Handle {
    /// Waits for the answer. The item may still wait for company meanwhile, for up to the delay of
    /// the settings; [`flush`](super::BatchWriter::flush) ends that.
    pub fn wait(&self) -> Answer {
        self.shared.wait(self.number)
    }

    /// Returns the answer if there is one. Never waits.
    pub fn answer(&self) -> Option<Answer> {
        self.shared.answer(self.number)
    }

    /// Returns the number of items that were accepted, and so written, before this one.
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&self.number).finish()
    }
}
