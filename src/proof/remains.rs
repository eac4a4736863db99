//! Whether bytes still lie in the memory of this process, whoever could reach them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

const WORD: usize = size_of::<u64>();

/// How many bytes this word still takes in memory that the process can write and that is no file's,
/// at addresses divisible by 8. The main thread's stack is left out: a copy may lie there that
/// somebody computed with.
///
/// ```
/// use perf_proved::proof::remains;
///
/// let word = 0x0123_4567_89ab_cdef ^ u64::from(std::process::id()); // not in the program's file
/// let secrets = vec![word; 1000];
/// assert_eq!(remains::of(word)?, 8000);
/// drop(secrets);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// What reading `/proc/self/maps` or `/proc/self/mem` reports.
pub fn of(word: u64) -> io::Result<u64> {
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

/// The bounds of a mapping that can be read and written, is no file's and no stack.
fn private(line: &str) -> Option<(u64, u64)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [range, access, _, _, inode, name @ ..] = &fields[..] else { return None };
    if !access.starts_with("rw") || *inode != "0" || name == ["[stack]"] {
        return None;
    }
    let (start, end) = range.split_once('-')?;
    Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
}
