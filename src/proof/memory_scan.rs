//! Scans the memory of this process for a word, reachable or not.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

const WORD: usize = size_of::<u64>();

/// Counts the bytes that copies of `word` occupy in the process's writable anonymous memory, at
/// addresses divisible by 8. It skips the main thread's stack, where a copy may be left over from
/// computing `word`.
///
/// ```
/// use perf_proved::proof::memory_scan;
///
/// let word = 0x0123_4567_89ab_cdef ^ u64::from(std::process::id()); // not in the program's file
/// let secrets = vec![word; 1000];
/// assert_eq!(memory_scan::count(word)?, 8000);
/// drop(secrets);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The errors of reading `/proc/self/maps` and `/proc/self/mem`.
pub fn count(word: u64) -> io::Result<u64> {
    let memory = File::open("/proc/self/mem")?;
    let mut piece = vec![0; 64 << 10];
    let own = piece.as_ptr_range();
    let own = own.start as u64..own.end as u64;
    let mut found = 0;
    for line in fs::read_to_string("/proc/self/maps")?.lines() {
        let Some((mut at, end)) = private(line) else { continue };
        while at < end {
            let length = piece.len().min((end - at) as usize);
            memory.read_exact_at(&mut piece[..length], at)?;
            let words = piece[..length].chunks_exact(WORD).zip((at..).step_by(WORD));
            found += words
                .filter(|(bytes, at)| *bytes == word.to_ne_bytes() && !own.contains(at))
                .count();
            at += length as u64;
        }
    }
    Ok((found * WORD) as u64)
}

/// Returns the bounds of a mapping that is readable, writable, anonymous, and not the stack.
fn private(line: &str) -> Option<(u64, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [range, access, _, _, inode, name @ ..] = &fields[..] else { return None };
    if !access.starts_with("rw") || *inode != "0" || name == ["[stack]"] {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}
