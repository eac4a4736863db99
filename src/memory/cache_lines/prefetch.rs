//! The prefetch instruction.

use std::io;

/// Requests the cache line of `word` without waiting for it. Does nothing where [`can_prefetch`]
/// returns an error.
#[inline]
pub fn prefetch(word: &u64) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the hint has no effect on memory, and the address is a live reference's.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(word).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = word;
}

/// Checks that [`prefetch`] has an instruction to use.
///
/// # Errors
///
/// `Unsupported` on every architecture but x86-64.
pub fn can_prefetch() -> io::Result<()> {
    if cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    Err(crate::sys::unsupported("stable Rust has a prefetch instruction for x86-64 only"))
}
