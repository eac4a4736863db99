//! The sizes of the processor's caches and of the memory, as the kernel states them.

use super::{trying, unsupported};
use std::fs;
use std::io;

/// Returns the size in bytes of core 0's cache for data at `level`, from 1 on. A cache that cores
/// share counts whole.
///
/// In a virtual machine this is what the host says. It may be a share of a cache that other
/// machines use too.
///
/// # Errors
///
/// `Unsupported` if the kernel names no such cache.
pub fn size(level: u32) -> io::Result<usize> {
    let none = || unsupported(&format!("the kernel names no cache of level {level} for data"));
    all().find(|cache| cache.0 == level).map(|cache| cache.1).ok_or_else(none)
}

/// Returns the size in bytes of core 0's last cache, behind which there is only memory.
///
/// # Errors
///
/// `Unsupported` if the kernel names no cache for data.
pub fn last() -> io::Result<usize> {
    let none = || unsupported("the kernel names no cache for data");
    all().max_by_key(|cache| cache.0).map(|cache| cache.1).ok_or_else(none)
}

/// Returns the number of bytes of memory that programs can take before the system has to reclaim
/// any that is in use.
///
/// # Errors
///
/// `Unsupported` if the kernel does not say, and the errors of reading `/proc/meminfo`.
pub fn available_memory() -> io::Result<usize> {
    let path = "/proc/meminfo";
    let text = trying(format_args!("reading {path}"), fs::read_to_string(path))?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.map(|kib| kib << 10).ok_or_else(|| unsupported("the kernel names no available memory"))
}

/// Iterates over core 0's caches for data: level and size in bytes.
fn all() -> impl Iterator<Item = (u32, usize)> {
    (0..8).filter_map(|index| {
        let folder = format!("/sys/devices/system/cpu/cpu0/cache/index{index}");
        let read = |name| fs::read_to_string(format!("{folder}/{name}")).ok();
        if read("type")?.trim() == "Instruction" {
            return None;
        }
        Some((read("level")?.trim().parse().ok()?, bytes(read("size")?.trim())?))
    })
}

/// Parses a size as the kernel writes it: `48K`.
fn bytes(text: &str) -> Option<usize> {
    let (number, shift) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        _ => (text, 0),
    };
    number.parse::<usize>().ok().map(|number| number << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_kernel_writes_them() {
        assert_eq!(bytes("48K"), Some(48 << 10));
        assert_eq!(bytes("32M"), Some(32 << 20));
        assert_eq!(bytes("512"), Some(512));
        assert_eq!((bytes(""), bytes("K"), bytes("4 potatoes")), (None, None, None));
    }

    #[test]
    fn the_last_cache_is_the_one_of_the_highest_level() {
        let Ok(last) = last() else { return };
        let largest = (1..=4).filter_map(|level| size(level).ok()).next_back();
        assert_eq!(largest, Some(last));
        assert!(size(9).is_err());
    }
}
