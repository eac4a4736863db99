//! Counting heap allocations, with the allocator as the witness.
//!
//! A program that wants to count installs [`Counting`] as its global allocator; [`count`] then
//! reports what one piece of code allocated on the calling thread. Other threads keep their own
//! counts, so nothing needs to stand still.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

/// The system's allocator, counting what passes through it.
///
/// ```
/// use perf_proved::proof::allocations::{Counting, count};
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting;
///
/// let (text, made) = count(|| String::from("a") + "b");
/// assert_eq!(text, "ab");
/// assert_eq!(made.calls, 2); // one for "a", one to grow it
/// ```
pub struct Counting;

/// What a piece of code asked the allocator for, and gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Calls that could return new memory: `alloc`, `alloc_zeroed` and `realloc`.
    pub calls: u64,
    /// Bytes asked for by those calls; a `realloc` counts with its whole new size.
    pub bytes: u64,
    /// Blocks given back; a `realloc` is none.
    pub frees: u64,
    /// The most bytes that this thread held at once, beyond what it held before. What another
    /// thread frees for it, it still seems to hold.
    pub peak: u64,
    /// Bytes that this thread holds now beyond what it held before; below zero if it has freed more
    /// than it allocated.
    pub held: i64,
}

/// One thread's counts so far.
#[derive(Clone, Copy)]
struct Tally {
    calls: u64,
    bytes: u64,
    frees: u64,
    /// Bytes held: below zero in a thread that frees what others have allocated.
    held: i64,
    /// The most that `held` has been since [`count`] last began.
    peak: i64,
}

thread_local! {
    // Constant and without a destructor: touching it never allocates, also not while a thread ends.
    static TALLY: Cell<Tally> = const { Cell::new(Tally { calls: 0, bytes: 0, frees: 0, held: 0, peak: 0 }) };
}

fn tally(change: impl FnOnce(&mut Tally)) {
    let mut tally = TALLY.get();
    change(&mut tally);
    tally.peak = tally.peak.max(tally.held);
    TALLY.set(tally);
}

/// A block of `new` bytes takes the place of one of `old`.
fn record(old: usize, new: usize) {
    tally(|tally| {
        tally.calls += 1;
        tally.bytes += new as u64;
        tally.held += new as i64 - old as i64;
    });
}

// SAFETY: every method hands its arguments to `System` unchanged, and counting neither allocates
// nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        record(0, layout.size());
        // SAFETY: the caller keeps `GlobalAlloc::alloc`'s contract, which is `System`'s too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        record(0, layout.size());
        // SAFETY: as in `alloc`. Forwarded, not left to the default, so that large zeroed blocks
        // stay lazily zeroed.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        record(layout.size(), new_size);
        // SAFETY: as in `alloc`; `block` came from `System` through this type.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        tally(|tally| {
            tally.frees += 1;
            tally.held -= layout.size() as i64;
        });
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Runs `work` and returns what it allocated on this thread.
///
/// # Panics
///
/// If [`Counting`] is not the program's global allocator: a count of zero would then mean nothing.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Allocations) {
    let start = TALLY.get();
    drop(black_box(Box::new(0_u8)));
    assert!(
        TALLY.get().calls > start.calls,
        "`perf_proved::proof::allocations::Counting` is not this program's global allocator"
    );

    let before = TALLY.get();
    TALLY.set(Tally { peak: before.held, ..before });
    let result = work();
    let after = TALLY.get();
    // For a count around this one.
    TALLY.set(Tally { peak: after.peak.max(before.peak), ..after });
    let made = Allocations {
        calls: after.calls - before.calls,
        bytes: after.bytes - before.bytes,
        frees: after.frees - before.frees,
        peak: (after.peak - before.held) as u64,
        held: after.held - before.held,
    };
    (result, made)
}
