//! Counts of values whose cache line another thread writes, with their addresses as the witness.

use crate::harness::report::Report;
use crate::sys::cores;
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Barrier;
use std::thread;

/// The size of a line that the counts assume, in bytes.
pub const LINE: usize = 64;

// ANCHOR: contested
/// Counts the values that share a line with a value of another thread. `values` holds the
/// address of each value and the thread that writes it.
pub fn contested(values: &[(usize, usize)]) -> usize {
    let mut writers: HashMap<usize, HashSet<usize>> = HashMap::new();
    for (address, thread) in values {
        writers.entry(address / LINE).or_default().insert(*thread);
    }
    values.iter().filter(|(address, _)| writers[&(address / LINE)].len() > 1).count()
}
// ANCHOR_END: contested

/// Sets the columns `values` and `contested` in the row `variant`, and returns the latter.
pub fn report_contested(report: &mut Report, variant: &str, values: &[(usize, usize)]) -> usize {
    let contested = contested(values);
    report.set(variant, "values", values.len() as u64);
    report.set(variant, "contested", contested as u64);
    contested
}

/// Returns the address of `value`.
pub fn address<T>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

/// Assigns the addresses of `values` to `threads` threads in turn.
pub fn in_turn<'a, T: 'a>(
    values: impl IntoIterator<Item = &'a T>,
    threads: usize,
) -> Vec<(usize, usize)> {
    let values = values.into_iter().enumerate();
    values.map(|(index, value)| (address(value), index % threads)).collect()
}

/// Has two threads that run at the same time allocate 500 boxes each, and returns the addresses
/// with their threads. Each allocates for itself, as the threads that use the boxes should.
///
/// # Errors
///
/// If a thread cannot be started.
pub fn boxes_of_two_threads<T: Default + Send>() -> io::Result<Vec<(usize, usize)>> {
    let both = Barrier::new(2);
    let allocate = || {
        both.wait();
        let boxes: Vec<Box<T>> = (0..500).map(|_| Box::default()).collect();
        both.wait();
        boxes
    };
    let boxes = thread::scope(|scope| {
        let other = cores::spawn(scope, allocate)?;
        let own = allocate();
        Ok::<_, io::Error>([own, other.join().expect("allocating does not panic")])
    })?;
    let addresses = boxes.iter().enumerate();
    let of = |(thread, boxes): (usize, &Vec<Box<T>>)| -> Vec<_> {
        boxes.iter().map(|value| (address(value.as_ref()), thread)).collect()
    };
    Ok(addresses.flat_map(of).collect())
}
