//! The buffers that the kernel still reads, and the numbers of the sends that each took. Makes no
//! system call.

use std::collections::VecDeque;

// ANCHOR: completed
/// A completion: the kernel has released the sends `first` to `last`, inclusive. The numbers
/// wrap around at 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The number of the first send.
    pub first: u32,
    /// The number of the last send; below `first` if the numbers have wrapped around.
    pub last: u32,
    /// `true` if the kernel reports that it copied bytes of these sends after all. If it has
    /// merged completions, this is what the first of them reports.
    pub copied: bool,
}

impl Completion {
    /// Returns the number of sends that it reports.
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

/// A buffer that the kernel has released.
#[derive(Debug, PartialEq, Eq)]
pub struct Returned<B = Vec<u8>> {
    /// The buffer as it was sent.
    pub buffer: B,
    /// The number of its bytes that the kernel took: all of them, unless the send ended in an
    /// error.
    pub sent: usize,
    /// `true` if the kernel reports that it copied some of its bytes after all.
    pub copied: bool,
    /// The number of its bytes that were sent with a copy, because the kernel refused to pin more
    /// pages. No completion reports them.
    pub fell_back: usize,
}

impl<B> Returned<B> {
    /// Wraps a buffer of which nothing has been sent yet.
    pub(super) fn unsent(buffer: B) -> Self {
        Self { buffer, sent: 0, copied: false, fell_back: 0 }
    }

    /// Converts the buffer.
    #[cfg(target_os = "linux")]
    pub(super) fn into<C: From<B>>(self) -> Returned<C> {
        let Self { buffer, sent, copied, fell_back } = self;
        Returned { buffer: buffer.into(), sent, copied, fell_back }
    }
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
    /// The number of its first send, and the number of sends, which are consecutive.
    first: u32,
    sends: u32,
    /// The sends of these that have no completion yet.
    open: u32,
    /// `true` while more sends may follow: the first may complete before the last is made.
    unfinished: bool,
}

impl Outstanding {
    /// Creates an empty record for a socket whose next send has the number `next`: 0 for a new one.
    pub fn new(next: u32) -> Self {
        Self { next, kept: VecDeque::new() }
    }

    // ANCHOR: keep
    /// Keeps a buffer that is about to be sent.
    pub fn begin(&mut self, buffer: Vec<u8>) {
        let what = Returned::unsent(buffer);
        self.kept.push_back(Kept { what, first: self.next, sends: 0, open: 0, unfinished: true });
    }

    /// Returns the part of the newest buffer that has not been sent yet.
    pub fn rest(&self) -> &[u8] {
        self.kept.back().map_or(&[], |kept| &kept.what.buffer[kept.what.sent..])
    }

    /// Records that one more send took the next `bytes` bytes of the newest buffer.
    pub fn sent(&mut self, bytes: usize) {
        if let Some(kept) = self.kept.back_mut() {
            kept.what.sent += bytes;
            (kept.sends, kept.open) = (kept.sends + 1, kept.open + 1);
            self.next = self.next.wrapping_add(1);
        }
    }

    /// Records that no further send of the newest buffer follows.
    pub fn finish(&mut self, give: impl FnMut(Returned)) {
        if let Some(kept) = self.kept.back_mut() {
            kept.unfinished = false;
        }
        self.give_back(give);
    }
    // ANCHOR_END: keep

    /// Records that the next `bytes` bytes of the newest buffer were sent with a copy: a send that
    /// has no number and no completion.
    pub fn fell_back(&mut self, bytes: usize) {
        if let Some(kept) = self.kept.back_mut() {
            kept.what.sent += bytes;
            kept.what.fell_back += bytes;
        }
    }

    // ANCHOR: complete
    /// Records a completion, and passes to `give` each buffer that the kernel has released.
    /// Completions may come in any order and in pieces.
    pub fn complete(&mut self, completion: Completion, give: impl FnMut(Returned)) {
        let Some(oldest) = self.kept.front().map(|kept| kept.first) else { return };
        // Distances from the oldest send do not wrap around, because fewer than 2³¹ sends are
        // outstanding.
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

    /// Returns the number of buffers that the kernel still reads.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Returns `true` if the kernel has released every buffer.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Returns `true` if a send has no completion yet.
    pub fn awaits_completions(&self) -> bool {
        self.kept.iter().any(|kept| kept.open > 0)
    }
}

impl Drop for Outstanding {
    /// Leaks the buffers that the kernel still reads. No completion can report them any more, and
    /// if the allocator reused their memory, whatever is written there would be sent.
    // ANCHOR: drop
    fn drop(&mut self) {
        self.kept.drain(..).for_each(|kept| std::mem::forget(kept.what.buffer));
    }
    // ANCHOR_END: drop
}
