//! One thread allocates, another one uses the blocks: who frees them?

use super::block::Block;
use crate::sys::cores;
use std::alloc::GlobalAlloc;
use std::hint::spin_loop;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Blocks that are handed over together.
pub const BATCH: usize = 64;
/// Batches that are under way at once.
const BATCHES: usize = 8;
/// Bytes of a block.
pub const BYTES: usize = 256;

/// What becomes of a block that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The thread that used it frees it.
    FreedThere,
    /// It goes back in its batch, and the thread that has allocated it frees it.
    FreedHere,
    /// It goes back in its batch, and is used again.
    Recycled,
}

/// Hands so many batches over from the first core to the second, and returns how long that took,
/// the last block's end included.
///
/// In each way the same vectors go to and fro.
///
/// # Errors
///
/// As [`cores::together`].
///
/// # Panics
///
/// If the allocator has no memory, or a block does not arrive as it was sent.
pub fn hand_over<A: GlobalAlloc + Sync>(
    allocator: &A,
    cores: [usize; 2],
    batches: u64,
    way: Way,
) -> io::Result<Duration> {
    let (to_user, from_maker) = sync_channel(BATCHES);
    let (to_maker, from_user) = sync_channel(BATCHES);
    (0..BATCHES)
        .for_each(|_| to_maker.send(Vec::with_capacity(BATCH)).expect("both ends are here"));
    // Each side takes its ends with it: one that panics lets the other one see it.
    let ends = Mutex::new([Some((to_user, from_user)), Some((to_maker, from_maker))]);
    cores::together(&cores, |place| {
        let mine = ends.lock().unwrap_or_else(PoisonError::into_inner)[place]
            .take()
            .expect("each place once");
        if place == 0 { make(allocator, batches, way, mine) } else { consume(batches, way, mine) }
    })
}

type Batch<'a, A> = Vec<Block<'a, A>>;
/// Where a thread's batches go to, and where they come from.
type Ends<'a, A> = (SyncSender<Batch<'a, A>>, Receiver<Batch<'a, A>>);

fn make<'a, A: GlobalAlloc>(
    allocator: &'a A,
    batches: u64,
    way: Way,
    (to_user, from_user): Ends<'a, A>,
) {
    for mark in 0..batches {
        let mut batch = receive(&from_user);
        if way == Way::FreedHere {
            batch.clear();
        }
        batch.iter_mut().for_each(|block| block.set_mark(mark)); // those that are recycled
        batch.resize_with(BATCH, || Block::new(allocator, BYTES, mark).expect("a few blocks"));
        to_user.send(batch).expect("the user is there");
    }
    (0..BATCHES).for_each(|_| drop(receive(&from_user)));
}

fn consume<'a, A: GlobalAlloc>(batches: u64, way: Way, (to_maker, from_maker): Ends<'a, A>) {
    for mark in 0..batches {
        let mut batch = receive(&from_maker);
        assert!(
            batch.len() == BATCH && batch.iter().all(|block| block.mark() == mark),
            "batch {mark}"
        );
        if way == Way::FreedThere {
            batch.clear();
        }
        to_maker.send(batch).expect("the maker is there");
    }
}

/// Waits by spinning, since a thread that sleeps has to be woken, which costs more than a batch;
/// and lets others run where there are more threads than cores.
fn receive<T>(from: &Receiver<T>) -> T {
    for turn in 0_u64.. {
        match from.try_recv() {
            Ok(value) => return value,
            Err(TryRecvError::Empty) if turn % 1024 == 1023 => thread::yield_now(),
            Err(TryRecvError::Empty) => spin_loop(),
            Err(TryRecvError::Disconnected) => break,
        }
    }
    panic!("the other side has given up");
}
