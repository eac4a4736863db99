//! Which buffers the kernel still reads: its numbers on one side, the buffers on the other. Nothing
//! here calls the kernel.

use std::collections::VecDeque;

// ANCHOR: completed
/// The kernel has let go of the sends `first` to `last`, both included. The numbers wrap around at
/// 32 bits.
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
static_assertions::const_assert_eq!(
    Completion { first: u32::MAX - 1, last: 1, copied: true }.sends(),
    4
);
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
    /// Whether more sends may follow: completions of the first may come before the last is made.
    unfinished: bool,
}

impl Outstanding {
    /// None yet, on a socket whose next send has the number `next`: 0 on a new one.
    pub fn new(next: u32) -> Self {
        Self { next, kept: VecDeque::new() }
    }

    // ANCHOR: keep
    /// Keeps a buffer that is about to be sent.
    pub fn begin(&mut self, buffer: Vec<u8>) {
        let what = Returned { buffer, sent: 0, copied: false };
        self.kept.push_back(Kept { what, first: self.next, sends: 0, open: 0, unfinished: true });
    }

    /// What of the newest buffer has not left yet.
    pub fn rest(&self) -> &[u8] {
        self.kept.back().map_or(&[], |kept| &kept.what.buffer[kept.what.sent..])
    }

    /// One more send has taken so many bytes of the newest buffer.
    pub fn sent(&mut self, bytes: usize) {
        if let Some(kept) = self.kept.back_mut() {
            kept.what.sent += bytes;
            (kept.sends, kept.open) = (kept.sends + 1, kept.open + 1);
            self.next = self.next.wrapping_add(1);
        }
    }

    /// No further send of the newest buffer follows.
    pub fn finish(&mut self, give: impl FnMut(Returned)) {
        if let Some(kept) = self.kept.back_mut() {
            kept.unfinished = false;
        }
        self.give_back(give);
    }
    // ANCHOR_END: keep

    // ANCHOR: complete
    /// Enters what the kernel reports, which may come in any order and in pieces, and hands out
    /// what is the program's again.
    pub fn complete(&mut self, completion: Completion, give: impl FnMut(Returned)) {
        let Some(oldest) = self.kept.front().map(|kept| kept.first) else { return };
        // Distances from the oldest one, which do not wrap around: fewer than 2³¹ sends are under
        // way.
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
        self.give_back(give);
    }
    // ANCHOR_END: complete

    fn give_back(&mut self, mut give: impl FnMut(Returned)) {
        for kept in std::mem::take(&mut self.kept) {
            if kept.open == 0 && !kept.unfinished {
                give(kept.what)
            } else {
                self.kept.push_back(kept)
            }
        }
    }

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
    /// Nobody will hear of these any more, so the allocator must never hand their memory to anybody
    /// else: what is written there would be sent. They are leaked.
    // ANCHOR: drop
    fn drop(&mut self) {
        self.kept.drain(..).for_each(|kept| std::mem::forget(kept.what.buffer));
    }
    // ANCHOR_END: drop
}
