//! Counts of heap allocations, with the allocator as the witness.
//!
//! A program installs [`Counting`] as its global allocator, and [`count`] then returns the
//! allocations of a piece of code on the calling thread. Each thread has counts of its own, so
//! other threads may run meanwhile.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

/// The system's allocator with counts.
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

/// The allocations and frees of a piece of code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// Calls that could return new memory: `alloc`, `alloc_zeroed` and `realloc`.
    pub calls: u64,
    /// Bytes that those calls requested; a `realloc` counts with its whole new size.
    pub bytes: u64,
    /// Blocks that were freed, not counting `realloc`.
    pub frees: u64,
    /// The peak of bytes that this thread held beyond those it held before. A block that another
    /// thread frees still counts as held.
    pub peak: u64,
    /// The bytes that this thread holds now beyond those it held before; negative if it has freed
    /// more than it allocated.
    pub held: i64,
}

/// The counts of one thread so far.
#[derive(Clone, Copy)]
struct Tally {
    calls: u64,
    bytes: u64,
    frees: u64,
    /// Bytes held; negative in a thread that frees blocks of other threads.
    held: i64,
    /// The peak of `held` since the last start of [`count`].
    peak: i64,
}

thread_local! {
    // Constant and without a destructor, so access never allocates, even while a thread ends.
    static TALLY: Cell<Tally> = const {
        Cell::new(Tally { calls: 0, bytes: 0, frees: 0, held: 0, peak: 0 })
    };
}

fn tally(change: impl FnOnce(&mut Tally)) {
    let mut tally = TALLY.get();
    change(&mut tally);
    tally.peak = tally.peak.max(tally.held);
    TALLY.set(tally);
}

/// Records that a block of `new` bytes replaces one of `old` bytes.
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
        // SAFETY: the caller upholds the contract of `GlobalAlloc::alloc`, which `System` shares.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        record(0, layout.size());
        // SAFETY: as in `alloc`. The default would zero the block itself; `System` zeroes large
        // blocks lazily.
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

/// Runs `work` and returns its result with its allocations on this thread.
///
/// # Panics
///
/// If [`Counting`] is not the program's global allocator, because a count of zero would mean
/// nothing then.
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
    // Restores the peak of an enclosing count.
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
