//! A value that shares its cache lines with no other.

use std::borrow::Borrow;
use std::ops::{Deref, DerefMut};

/// A value that shares its cache lines with no other: it starts at the start of a line and ends at
/// the end of one.
///
/// The alignment is 128 bytes where lines of 64 bytes may be fetched in pairs (Intel's optimization
/// manual, "spatial prefetcher") and where lines have 128 bytes (Apple's arm64, powerpc64); 256 on
/// s390x; 64 elsewhere. Source of the numbers: `crossbeam_utils::CachePadded`.
///
/// ```
/// use perf_proved::memory::cache_lines::CachePadded;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let counters: [CachePadded<AtomicU64>; 2] = Default::default();
/// counters[1].fetch_add(1, Ordering::Relaxed);
/// assert_eq!(counters[1].load(Ordering::Relaxed), 1);
/// ```
// ANCHOR: padded
#[cfg_attr(
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "powerpc64"),
    repr(align(128))
)]
#[cfg_attr(target_arch = "s390x", repr(align(256)))]
#[cfg_attr(
    not(any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "powerpc64",
        target_arch = "s390x"
    )),
    repr(align(64))
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CachePadded<T>(pub T);
// ANCHOR_END: padded

// ANCHOR: sizes
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod sizes {
    use super::CachePadded;
    use static_assertions::const_assert_eq;

    const_assert_eq!(align_of::<CachePadded<u8>>(), 128);
    const_assert_eq!(size_of::<CachePadded<u8>>(), 128);
    const_assert_eq!(size_of::<[CachePadded<u64>; 2]>(), 256);
    // One byte in a second pair of lines.
    const_assert_eq!(size_of::<CachePadded<[u8; 129]>>(), 256);
}
// ANCHOR_END: sizes

impl<T> Deref for CachePadded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for CachePadded<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Borrow<T> for CachePadded<T> {
    fn borrow(&self) -> &T {
        &self.0
    }
}
