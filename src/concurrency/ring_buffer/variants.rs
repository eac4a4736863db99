//! The queues that the chapter compares, each as two closures: one pushes, one pops. The example,
//! the bench and the tests run the same ones.

use super::capacity::{allocate, expect, slots_for};
use super::mpmc::{self, Retry};
use super::shared::{IndexCell, Shared};
use super::{
    blocking as blocking_ring, blocking_mpmc as blocking_mpmc_ring, naive, spsc as spsc_ring,
};
use crate::concurrency::sync::{AtomicUsize, Slot, drop_each};
use crate::harness;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::sync_channel as std_channel;
use std::sync::{Arc, Mutex, PoisonError};

/// The producing end of a queue: pushes an item, or returns `false` if there is no room.
pub trait Push<T>: FnMut(T) -> bool + Send {}
impl<T, F: FnMut(T) -> bool + Send> Push<T> for F {}

/// The consuming end of a queue: pops an item, if there is one.
pub trait Pop<T>: FnMut() -> Option<T> + Send {}
impl<T, F: FnMut() -> Option<T> + Send> Pop<T> for F {}

/// A queue that the example puts to the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// [`naive::AtomicRing`].
    Naive,
    /// The ring for one producer and one consumer.
    Spsc,
    /// The ring for any number of producers and consumers.
    Mpmc,
    /// [`blocking`](super::blocking).
    Blocking,
    /// [`blocking_mpmc`](super::blocking_mpmc).
    BlockingMpmc,
    /// The standard library's bounded channel.
    SyncChannel,
}

impl Variant {
    /// All variants, in the order in which the chapter meets them.
    pub const ALL: [Self; 6] = [
        Self::Naive,
        Self::Spsc,
        Self::Mpmc,
        Self::Blocking,
        Self::BlockingMpmc,
        Self::SyncChannel,
    ];
    /// The names of [`ALL`](Self::ALL).
    pub const NAMES: [&str; 6] =
        ["naive", "spsc", "mpmc", "blocking", "blocking_mpmc", "sync_channel"];

    /// Returns the variant with this name.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if there is none.
    pub fn new(name: &str) -> io::Result<Self> {
        let found = Self::NAMES.iter().position(|known| *known == name);
        found.map(|index| Self::ALL[index]).ok_or_else(|| harness::unknown(name, &Self::NAMES))
    }

    /// Returns the variant's name.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Creates a queue of this kind with room for `capacity` numbers, and returns its two ends.
    pub fn ends(self, capacity: usize) -> (Box<dyn Push<u64>>, Box<dyn Pop<u64>>) {
        fn boxed(
            (push, pop): (impl Push<u64> + 'static, impl Pop<u64> + 'static),
        ) -> (Box<dyn Push<u64>>, Box<dyn Pop<u64>>) {
            (Box::new(push), Box::new(pop))
        }
        match self {
            Self::Naive => {
                let ring = Arc::new(naive::AtomicRing::new(capacity));
                let same = ring.clone();
                boxed((move |item| ring.push(item), move || same.pop()))
            }
            Self::Spsc => boxed(spsc(capacity)),
            Self::Mpmc => boxed(mpmc::<_, mpmc::BackOff>(capacity)),
            Self::Blocking => boxed(blocking(capacity)),
            Self::BlockingMpmc => boxed(blocking_mpmc(capacity)),
            Self::SyncChannel => boxed(sync_channel(capacity)),
        }
    }
}

/// Creates a [`SeqCstRing`].
pub fn seqcst<T: Send>(capacity: usize) -> (impl Push<T>, impl Pop<T>) {
    let ring = Arc::new(SeqCstRing::new(capacity));
    let same = ring.clone();
    // SAFETY: one closure pushes and the other pops, and neither can be called twice at once.
    (move |item| unsafe { ring.push(item) }.is_ok(), move || unsafe { same.pop() })
}

/// Creates a [`Shared`] ring.
pub fn shared<T: Send, I: IndexCell + Send + Sync>(capacity: usize) -> (impl Push<T>, impl Pop<T>) {
    let ring = Arc::new(Shared::<T, I>::new(capacity));
    let same = ring.clone();
    // SAFETY: as in `seqcst`.
    (move |item| unsafe { ring.push(item) }.is_ok(), move || unsafe { same.pop() })
}

/// Creates a ring for one producer and one consumer.
pub fn spsc<T: Send>(capacity: usize) -> (impl Push<T>, impl Pop<T>) {
    let (mut producer, mut consumer) = spsc_ring::ring(capacity);
    (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
}

/// Creates a ring for many, with this kind of retry.
pub fn mpmc<T: Send, R: Retry>(
    capacity: usize,
) -> (impl Push<T> + Sync + Clone, impl Pop<T> + Sync + Clone) {
    let (producer, consumer) = mpmc::ends(expect(mpmc::Ring::<T, R>::new(capacity, 0)));
    (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
}

/// Creates a ring for one producer and one consumer, which sleep.
pub fn blocking<T: Send>(capacity: usize) -> (impl Push<T>, impl Pop<T>) {
    let (mut producer, mut consumer) = blocking_ring::ring(capacity);
    (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
}

/// Creates a ring for many, which sleep.
pub fn blocking_mpmc<T: Send>(
    capacity: usize,
) -> (impl Push<T> + Sync + Clone, impl Pop<T> + Sync + Clone) {
    let (producer, consumer) = blocking_mpmc_ring::ring(capacity);
    (move |item| producer.push(item).is_ok(), move || consumer.pop().ok())
}

/// Creates a bounded channel of the standard library.
pub fn sync_channel<T: Send>(capacity: usize) -> (impl Push<T>, impl Pop<T>) {
    let (sender, receiver) = std_channel(capacity);
    (move |item| sender.send(item).is_ok(), move || receiver.recv().ok())
}

/// Creates a [`VecDeque`] behind a mutex.
pub fn mutex_deque<T: Send>(
    capacity: usize,
) -> (impl Push<T> + Sync + Clone, impl Pop<T> + Sync + Clone) {
    let queue = Arc::new(Mutex::new(VecDeque::with_capacity(capacity)));
    let same = queue.clone();
    let push = move |item| {
        let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = queue.len() < capacity;
        if has_room {
            queue.push_back(item);
        }
        has_room
    };
    (push, move || same.lock().unwrap_or_else(PoisonError::into_inner).pop_front())
}

/// [`Shared`] with unpadded indices and every access sequentially consistent: the orderings that
/// everybody writes first.
pub struct SeqCstRing<T> {
    slots: Box<[Slot<T>]>,
    capacity: usize,
    tail: AtomicUsize,
    head: AtomicUsize,
}

impl<T> SeqCstRing<T> {
    /// Creates an empty ring.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0, or larger than memory has room for.
    pub fn new(capacity: usize) -> Self {
        let slots =
            slots_for(capacity).and_then(|slots| allocate(capacity, slots, |_| Slot::empty()));
        let [tail, head] = [(); 2].map(|()| AtomicUsize::new(0));
        Self { slots: expect(slots), capacity, tail, head }
    }

    /// Pushes `item`, or returns it if the ring is full.
    ///
    /// # Safety
    ///
    /// As for [`Shared::push`].
    pub unsafe fn push(&self, item: T) -> Result<(), T> {
        let tail = self.tail.load(SeqCst);
        if tail.wrapping_sub(self.head.load(SeqCst)) == self.capacity {
            return Err(item);
        }
        // SAFETY: as in `Shared::push`.
        unsafe { self.slot(tail).write(item) };
        self.tail.store(tail.wrapping_add(1), SeqCst);
        Ok(())
    }

    /// Pops the oldest item.
    ///
    /// # Safety
    ///
    /// As for [`Shared::pop`].
    pub unsafe fn pop(&self) -> Option<T> {
        let head = self.head.load(SeqCst);
        if head == self.tail.load(SeqCst) {
            return None;
        }
        // SAFETY: as in `Shared::pop`.
        let item = unsafe { self.slot(head).take() };
        self.head.store(head.wrapping_add(1), SeqCst);
        Some(item)
    }

    fn slot(&self, position: usize) -> &Slot<T> {
        &self.slots[position & (self.slots.len() - 1)]
    }
}

impl<T> Drop for SeqCstRing<T> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`, so there is neither a producer nor another consumer.
        drop_each(|| unsafe { self.pop() });
    }
}

/// Retries at once, and takes the cache line from the thread that was faster.
#[derive(Default)]
pub struct AtOnce;

impl Retry for AtOnce {
    #[inline]
    fn wait(&mut self) {}
}
