//! Buffers into which a ring receives, and buffers from which it sends.

use super::queue::Queue;
use crate::sys::region::{Pages, Region, page_size};
use crate::sys::trying;
use io_uring::types::BufRingEntry;
use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

/// The number under which the kernel knows the buffers.
pub(super) const GROUP: u16 = 0;
/// The number of buffers, a power of two.
const BUFFERS: u16 = 128;
/// The size of each, in bytes: most requests fit.
pub(super) const BUFFER: usize = 4 << 10;

/// Buffers that are lent to the kernel, which takes one when bytes have arrived: a connection that
/// waits for a request has none.
///
/// The kernel and this program share a ring of entries, each the address of a buffer. The program
/// appends one for each buffer that it gives back; the kernel takes the oldest.
pub(super) struct Provided {
    /// The entries, and the buffers behind them. The kernel writes to the buffers that it has, so
    /// they are never borrowed as slices meanwhile.
    region: Region,
    /// The offset of the first buffer in `region`.
    first: usize,
    /// The number of buffers that were ever given to the kernel.
    tail: u16,
}

impl Provided {
    /// Makes the buffers, lends all of them to the kernel, and registers their ring.
    ///
    /// # Safety
    ///
    /// They must not be dropped while an operation of `queue` that may take one is in flight.
    pub(super) unsafe fn new(queue: &Queue) -> io::Result<Self> {
        let first =
            (size_of::<BufRingEntry>() * usize::from(BUFFERS)).next_multiple_of(page_size());
        let region = Region::untouched(first + BUFFER * usize::from(BUFFERS), Pages::Small)?;
        let mut provided = Self { region, first, tail: 0 };
        (0..BUFFERS).for_each(|number| provided.give_back(number));
        let entries = provided.region.start() as u64;
        // SAFETY: whole pages for `BUFFERS` entries, and the caller keeps them.
        let registered = unsafe {
            let submitter = queue.ring().submitter();
            submitter.register_buf_ring_with_flags(entries, BUFFERS, GROUP, 0)
        };
        trying("registering buffers to receive into", registered)?;
        Ok(provided)
    }

    /// Lends a buffer to the kernel again.
    pub(super) fn give_back(&mut self, number: u16) {
        let entries = self.region.start().cast::<BufRingEntry>();
        let buffer = self.start_of(number) as u64;
        // SAFETY: inside the region. The kernel reads an entry once the tail is behind it.
        let entry = unsafe { &mut *entries.add(usize::from(self.tail % BUFFERS)) };
        entry.set_addr(buffer);
        entry.set_len(BUFFER as u32);
        entry.set_bid(number);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the tail lies in an unused part of the first entry, aligned. The kernel only
        // reads it.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(entries).cast_mut()) };
        tail.store(self.tail, Ordering::Release); // pairs with the kernel's Acquire load
    }

    /// Returns the first `count` bytes of a buffer that the kernel has filled and not got back.
    pub(super) fn filled(&self, number: u16, count: usize) -> &[u8] {
        assert!(count <= BUFFER, "the kernel fills no more than there is");
        // SAFETY: inside the region, and zeroed at first. The kernel does not write to it before it
        // is given back, which takes `&mut self`.
        unsafe { std::slice::from_raw_parts(self.start_of(number), count) }
    }

    fn start_of(&self, number: u16) -> *mut u8 {
        assert!(number < BUFFERS, "the kernel names buffers that it was lent");
        self.region.start().wrapping_add(self.first + BUFFER * usize::from(number))
    }
}

/// The size of a body that is read and leaves together with its head, in bytes. A larger one leaves
/// by `sendfile`, which does not copy it.
pub(super) const SMALL: usize = 16 << 10;
/// The bytes of a head that one operation sends at most.
pub(super) const HEAD: usize = 4 << 10;
/// The buffers that are kept for the next response. Clients that read slowly need more of them.
const KEPT: usize = 64;

/// Buffers to send from.
#[derive(Default)]
pub(super) struct Pool(Vec<Vec<u8>>);

impl Pool {
    /// Returns a buffer for a head and a small body, with whatever its last use has left there.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_else(|| vec![0; HEAD + SMALL])
    }

    pub(super) fn give_back(&mut self, buffer: Vec<u8>) {
        if self.0.len() < KEPT {
            self.0.push(buffer);
        }
    }
}
