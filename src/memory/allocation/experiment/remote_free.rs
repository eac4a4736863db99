//! Remote frees: one thread allocates blocks, another one uses them, and either frees them.

use super::super::variants::Variant;
use super::block::Block;
use crate::sys::cores;
use std::alloc::GlobalAlloc;
use std::hint::spin_loop;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The number of blocks in a batch.
pub const BATCH: usize = 64;
/// The number of batches in flight.
const BATCHES: usize = 8;
/// The size of a block in bytes.
pub const BYTES: usize = 256;

/// Hands over `batches` batches from the first core to the second, and returns the time until the
/// last block was freed or recycled.
///
/// Every variant passes the same vectors back and forth.
///
/// # Errors
///
/// See [`cores::together`].
///
/// # Panics
///
/// If the allocator has no memory, or a block does not arrive as it was sent.
pub fn hand_over<A: GlobalAlloc + Sync>(
    allocator: &A,
    cores: [usize; 2],
    batches: u64,
    variant: Variant,
) -> io::Result<Duration> {
    let (to_user, from_maker) = sync_channel(BATCHES);
    let (to_maker, from_user) = sync_channel(BATCHES);
    (0..BATCHES)
        .for_each(|_| to_maker.send(Vec::with_capacity(BATCH)).expect("both ends are here"));
    // Each side owns its ends, so the other side sees it if one panics.
    let ends = Mutex::new([Some((to_user, from_user)), Some((to_maker, from_maker))]);
    cores::together(&cores, |index| {
        let mine = ends.lock().unwrap_or_else(PoisonError::into_inner)[index]
            .take()
            .expect("each index once");
        if index == 0 {
            make(allocator, batches, variant, mine)
        } else {
            consume(batches, variant, mine)
        }
    })
}

type Batch<'a, A> = Vec<Block<'a, A>>;
/// The channel to which a thread sends batches, and the one from which it receives them.
type Ends<'a, A> = (SyncSender<Batch<'a, A>>, Receiver<Batch<'a, A>>);

fn make<'a, A: GlobalAlloc>(
    allocator: &'a A,
    batches: u64,
    variant: Variant,
    (to_user, from_user): Ends<'a, A>,
) {
    for mark in 0..batches {
        let mut batch = receive(&from_user);
        if variant == Variant::FreedByMaker {
            batch.clear();
        }
        batch.iter_mut().for_each(|block| block.set_mark(mark)); // only recycled blocks
        batch.resize_with(BATCH, || Block::new(allocator, BYTES, mark).expect("a few blocks"));
        to_user.send(batch).expect("the user is there");
    }
    (0..BATCHES).for_each(|_| drop(receive(&from_user)));
}

fn consume<'a, A: GlobalAlloc>(
    batches: u64,
    variant: Variant,
    (to_maker, from_maker): Ends<'a, A>,
) {
    for mark in 0..batches {
        let mut batch = receive(&from_maker);
        assert!(
            batch.len() == BATCH && batch.iter().all(|block| block.mark() == mark),
            "batch {mark}"
        );
        if variant == Variant::FreedByUser {
            batch.clear();
        }
        to_maker.send(batch).expect("the maker is there");
    }
}

/// Receives by spinning, since waking a sleeping thread costs more than a batch. Yields now and
/// then, in case there are more threads than cores.
fn receive<T>(from: &Receiver<T>) -> T {
    for attempt in 0_u64.. {
        match from.try_recv() {
            Ok(value) => return value,
            Err(TryRecvError::Empty) if attempt % 1024 == 1023 => thread::yield_now(),
            Err(TryRecvError::Empty) => spin_loop(),
            Err(TryRecvError::Disconnected) => break,
        }
    }
    panic!("the other side has given up");
}
