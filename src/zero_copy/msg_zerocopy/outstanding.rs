//! Which buffers the kernel still reads: its numbers on one side, the buffers on the other. Nothing here calls the kernel.

use std::collections::VecDeque;

// ANCHOR: completed
/// The kernel has let go of the sends `first` to `last`, both included. The numbers wrap around at 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The number of the first send.
    pub first: u32,
    /// The number of the last one; below `first` where the numbers have wrapped around.
    pub last: u32,
    /// Whether the kernel has copied the bytes of at least one of them after all.
    pub copied: bool,
}

impl Completion {
    /// How many sends it reports.
    pub const fn sends(self) -> u32 {
        self.last.wrapping_sub(self.first).wrapping_add(1)
    }
}

static_assertions::const_assert_eq!(Completion { first: 7, last: 7, copied: true }.sends(), 1);
static_assertions::const_assert_eq!(Completion { first: u32::MAX - 1, last: 1, copied: true }.sends(), 4);
// ANCHOR_END: completed

/// A buffer that has come back.
#[derive(Debug, PartialEq, Eq)]
pub struct Returned {
    /// As it was given.
    pub buffer: Vec<u8>,
    /// How many of its bytes the kernel took: all, unless the send ended with an error.
    pub sent: usize,
    /// Whether the kernel says that it has copied bytes of it after all.
    pub copied: bool,
}

/// The buffers that the kernel still reads, oldest first.
#[derive(Debug, Default)]
pub struct Outstanding {
    /// The number of the next send.
    next: u32,
    kept: VecDeque<Kept>,
}

#[derive(Debug)]
struct Kept {
    what: Returned,
    /// The number of its first send, and how many there were. They follow one another.
    first: u32,
    sends: u32,
    /// How many of them have no completion yet.
    open: u32,
}

impl Outstanding {
    /// None yet, on a socket whose next send has the number `next`: 0 on a new one.
    pub fn new(next: u32) -> Self {
        Self { next, kept: VecDeque::new() }
    }

    /// Keeps a buffer of which `sent` bytes left in `sends` sends, at least one.
    pub fn keep(&mut self, buffer: Vec<u8>, sent: usize, sends: u32) {
        let what = Returned { buffer, sent, copied: false };
        self.kept.push_back(Kept { what, first: self.next, sends, open: sends });
        self.next = self.next.wrapping_add(sends);
    }

    // ANCHOR: complete
    /// Enters what the kernel reports, which may come in any order and in pieces, and hands out what is the program's again.
    pub fn complete(&mut self, completion: Completion, mut give: impl FnMut(Returned)) {
        let Some(oldest) = self.kept.front().map(|kept| kept.first) else { return };
        // Distances from the oldest one, which do not wrap around: fewer than 2³¹ sends are under way.
        let end = completion.last.wrapping_sub(oldest).wrapping_add(1) as i32;
        let start = end - completion.sends() as i32;
        for kept in &mut self.kept {
            let first = kept.first.wrapping_sub(oldest) as i32;
            let shared = end.min(first + kept.sends as i32) - start.max(first);
            if shared > 0 {
                kept.open = kept.open.saturating_sub(shared as u32);
                kept.what.copied |= completion.copied;
            }
        }
        for kept in std::mem::take(&mut self.kept) {
            if kept.open == 0 { give(kept.what) } else { self.kept.push_back(kept) }
        }
    }
    // ANCHOR_END: complete

    /// How many buffers the kernel has.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether all have come back.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

impl Drop for Outstanding {
    /// Nobody will hear of these any more, so the allocator must never hand their memory to anybody else: what is written there
    /// would be sent. They are leaked.
    // ANCHOR: drop
    fn drop(&mut self) {
        self.kept.drain(..).for_each(|kept| std::mem::forget(kept.what.buffer));
    }
    // ANCHOR_END: drop
}
