//! The items that wait, the moment to write them, and their answers: no thread, no lock, no clock.
//!
//! Items are written in the order in which they were accepted, and nothing is written after the
//! first error. So the number of an item, the number of items written and that error tell what
//! became of it, and no item needs a channel of its own.

use super::settings::Settings;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// The answer to one item.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The writer has taken all of its bytes. For a file, they are in the page cache: they
    /// survive the end of the process, and not a power cut.
    Written,
    /// The writer failed when it came to this item, and took only its first `bytes` bytes.
    Failed {
        /// The error of the writer.
        error: Arc<io::Error>,
        /// The bytes of the item that are written all the same.
        bytes: usize,
    },
    /// No byte of it was written, because an item before it failed with this error.
    NotAttempted(Arc<io::Error>),
}

impl Answer {
    /// Returns the error, if the item was not written.
    pub fn error(&self) -> Option<&Arc<io::Error>> {
        match self {
            Self::Written => None,
            Self::Failed { error, .. } | Self::NotAttempted(error) => Some(error),
        }
    }
}

/// The next thing to do for the thread that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It takes a batch.
    Write,
    /// It waits until this time, or without an end, unless it is woken.
    Wait(Option<Instant>),
    /// It ends.
    End,
}

/// The error that ended the writing.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) error: Arc<io::Error>,
    /// The bytes of the first item without an answer that were written.
    pub(super) bytes: usize,
}

/// The queue of a batch writer.
pub(super) struct Queue {
    settings: Settings,
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    /// Items and bytes of the batch that is being written.
    taken: (usize, usize),
    /// The number of items accepted so far, which is the number of the next one.
    accepted: u64,
    /// The number of items written so far, which is the number of the next one to be written.
    written: u64,
    /// The items before this one are to be written without delay.
    hurried: u64,
    /// Threads wait for room, and have not been woken.
    pub(super) wants_room: bool,
    closed: bool,
    failure: Option<Failure>,
    /// Items of a batch that failed.
    unwritten: Vec<Vec<u8>>,
}

struct Waiting {
    item: Vec<u8>,
    since: Instant,
}

impl Queue {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            taken: (0, 0),
            accepted: 0,
            written: 0,
            hurried: 0,
            wants_room: false,
            closed: false,
            failure: None,
            unwritten: vec![],
        }
    }

    // ANCHOR: has_room
    /// Returns `true` if an item of `length` bytes may be accepted.
    pub(super) fn has_room(&self, length: usize) -> bool {
        let items = self.waiting.len() + self.taken.0;
        let bytes = self.waiting_bytes + self.taken.1;
        let fits = bytes.saturating_add(length) <= self.settings.capacity_bytes;
        items == 0 || (items < self.settings.capacity && fits)
    }
    // ANCHOR_END: has_room

    /// Accepts an item, and returns its number.
    pub(super) fn push(&mut self, item: Vec<u8>, now: Instant) -> u64 {
        self.waiting_bytes += item.len();
        self.waiting.push_back(Waiting { item, since: now });
        self.accepted += 1;
        self.accepted - 1
    }

    // ANCHOR: next
    /// Decides what the thread that writes does next.
    pub(super) fn next(&self, now: Instant) -> Next {
        let Some(oldest) = self.waiting.front().filter(|_| self.failure.is_none()) else {
            let ends = self.closed || self.failure.is_some();
            return if ends { Next::End } else { Next::Wait(None) };
        };
        let (waiting, limits) = (self.waiting.len(), &self.settings);
        let is_full = waiting >= limits.items || self.waiting_bytes >= limits.bytes;
        // No more can come while threads wait for room, or once the writer is closed.
        let no_more = self.wants_room || self.closed;
        let is_hurried = self.accepted - (waiting as u64) < self.hurried;
        match oldest.since.checked_add(limits.delay) {
            _ if is_full || no_more || is_hurried => Next::Write,
            Some(due) if due <= now => Next::Write,
            due => Next::Wait(due),
        }
    }
    // ANCHOR_END: next

    /// Returns `true` if the oldest item is the only one, and so the thread that writes does not
    /// know yet until when to wait.
    pub(super) fn is_first(&self) -> bool {
        self.waiting.len() == 1
    }

    /// Moves the items of the next batch into `batch`, which is empty.
    pub(super) fn take(&mut self, batch: &mut Vec<Vec<u8>>) {
        let mut bytes = 0;
        while let Some(Waiting { item, .. }) = self.waiting.front() {
            let fits = batch.len() < self.settings.items
                && item.len().saturating_add(bytes) <= self.settings.bytes;
            if !fits && !batch.is_empty() {
                break;
            }
            bytes += item.len();
            batch.extend(self.waiting.pop_front().map(|waiting| waiting.item));
        }
        self.waiting_bytes -= bytes;
        self.taken = (batch.len(), bytes);
    }

    /// Notes that the first `bytes` bytes of `batch` were written, and the error that ended
    /// it. Leaves the written items in `batch`, to be freed without the lock.
    pub(super) fn settle(
        &mut self,
        batch: &mut Vec<Vec<u8>>,
        mut bytes: usize,
        result: io::Result<()>,
    ) {
        let is_whole = |item: &&Vec<u8>| match bytes.checked_sub(item.len()) {
            Some(rest) => {
                bytes = rest;
                true
            }
            None => false,
        };
        let whole = batch.iter().take_while(is_whole).count();
        self.written += whole as u64;
        self.taken = (0, 0);
        if let Err(error) = result {
            self.failure = Some(Failure { error: Arc::new(error), bytes });
            self.unwritten.extend(batch.drain(whole..));
        }
    }

    // ANCHOR: answer_to
    /// Returns the answer to the item of this number, or `None` as long as there is none.
    pub(super) fn answer(&self, number: u64) -> Option<Answer> {
        if number < self.written {
            return Some(Answer::Written);
        }
        let Failure { error, bytes } = self.failure.clone()?;
        Some(match number == self.written {
            true => Answer::Failed { error, bytes },
            false => Answer::NotAttempted(error),
        })
    }
    // ANCHOR_END: answer_to

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// Has all items accepted so far written without delay.
    pub(super) fn hurry(&mut self) {
        self.hurried = self.accepted;
    }

    /// Has all items written without delay, and then the thread end.
    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    /// Removes the items that were not written, the one that failed first.
    pub(super) fn take_unwritten(&mut self) -> Vec<Vec<u8>> {
        let mut items = std::mem::take(&mut self.unwritten);
        items.extend(self.waiting.drain(..).map(|waiting| waiting.item));
        self.waiting_bytes = 0;
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DELAY: Duration = Duration::from_millis(10);

    fn queue(items: usize, bytes: usize) -> (Queue, Instant) {
        let settings = Settings { items, bytes, delay: DELAY, capacity: 8, capacity_bytes: 1000 };
        (Queue::new(settings), Instant::now())
    }

    fn taken(queue: &mut Queue) -> Vec<usize> {
        let mut batch = vec![];
        queue.take(&mut batch);
        batch.iter().map(Vec::len).collect()
    }

    fn failed() -> io::Result<()> {
        Err(io::ErrorKind::StorageFull.into())
    }

    #[test]
    fn the_timer_is_that_of_the_oldest_item() {
        let (mut queue, start) = queue(3, 1000);
        assert_eq!(queue.next(start), Next::Wait(None), "nothing waits");
        queue.push(vec![0; 1], start);
        assert!(queue.is_first());
        let later = start + DELAY * 9 / 10;
        assert_eq!(queue.next(later), Next::Wait(Some(start + DELAY)));
        queue.push(vec![0; 1], later);
        assert!(!queue.is_first());
        assert_eq!(queue.next(later), Next::Wait(Some(start + DELAY)), "the second adds nothing");
        assert_eq!(queue.next(start + DELAY), Next::Write);
        queue.push(vec![0; 1], later);
        assert_eq!(queue.next(later), Next::Write, "there are enough");
        queue.push(vec![0; 1], later);
        assert_eq!(taken(&mut queue).len(), 3);
        let due = Next::Wait(Some(later + DELAY));
        assert_eq!(queue.next(start + DELAY), due, "the fourth has its own timer");
    }

    #[test]
    fn a_delay_without_an_end_is_none() {
        let (mut queue, start) = queue(2, 1000);
        queue.settings.delay = Duration::MAX;
        queue.push(vec![0; 1], start);
        assert_eq!(queue.next(start), Next::Wait(None));
    }

    #[test]
    fn a_batch_has_no_more_bytes_than_it_may_unless_it_is_one_item() {
        let (mut queue, now) = queue(8, 100);
        [60, 30, 30, 250, 1].into_iter().for_each(|length| _ = queue.push(vec![0; length], now));
        assert_eq!(taken(&mut queue), [60, 30]);
        assert_eq!(queue.next(now), Next::Write, "there are enough bytes");
        assert_eq!(taken(&mut queue), [30]);
        assert_eq!(taken(&mut queue), [250]);
        assert_eq!(taken(&mut queue), [1]);
        assert_eq!((queue.waiting_bytes, queue.waiting.len()), (0, 0));
    }

    #[test]
    fn what_is_being_written_takes_room() {
        let (mut queue, now) = queue(8, 1000);
        (0..8).for_each(|_| _ = queue.push(vec![0; 10], now));
        assert!(!queue.has_room(0), "eight items");
        let mut batch = vec![];
        queue.take(&mut batch);
        assert!(!queue.has_room(0), "as before");
        queue.settle(&mut batch, 80, Ok(()));
        assert!(queue.has_room(2000), "a large item, alone");
        queue.push(vec![0; 900], now);
        assert!(queue.has_room(100) && !queue.has_room(101));
        batch.clear();
        queue.take(&mut batch);
        assert!(queue.has_room(100) && !queue.has_room(101), "as before");
    }

    #[test]
    fn a_batch_is_written_at_once_if_no_more_can_come() {
        let (mut queue, now) = queue(8, 1000);
        queue.push(vec![0; 900], now);
        queue.wants_room = true;
        assert_eq!(queue.next(now), Next::Write);
        queue.wants_room = false;
        queue.hurry();
        assert_eq!(queue.next(now), Next::Write);
        let mut batch = vec![];
        queue.take(&mut batch);
        queue.push(vec![0; 1], now);
        queue.settle(&mut batch, 900, Ok(()));
        assert_eq!(queue.next(now), Next::Wait(Some(now + DELAY)), "a later item is in no hurry");
        queue.close();
        assert_eq!(queue.next(now), Next::Write);
        taken(&mut queue);
        assert_eq!(queue.next(now), Next::End);
    }

    #[test]
    fn each_item_has_its_answer() {
        let (mut queue, now) = queue(4, 1000);
        [10, 0, 10, 0, 10, 10].into_iter().for_each(|length| _ = queue.push(vec![7; length], now));
        assert!(queue.answer(0).is_none(), "none yet");
        let mut batch = vec![];
        queue.take(&mut batch);
        queue.settle(&mut batch, 15, failed());
        assert_eq!(batch.len(), 2, "the written ones");
        for number in 0..6 {
            match (number, queue.answer(number).unwrap()) {
                (0 | 1, Answer::Written)
                | (2, Answer::Failed { bytes: 5, .. })
                | (3.., Answer::NotAttempted(_)) => {}
                (number, answer) => panic!("{number}: {answer:?}"),
            }
        }
        assert_eq!(queue.next(now), Next::End, "whatever waits");
        let lengths: Vec<_> = queue.take_unwritten().iter().map(Vec::len).collect();
        assert_eq!(lengths, [10, 0, 10, 10], "in their order");
    }
}
