//! Filling a vector in three ways: grown as it goes, sized before, and kept from the last time.

/// Pushes `0..count` into a vector that begins with nothing.
pub fn grown(count: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for number in 0..count {
        numbers.push(number);
    }
    numbers
}

/// Pushes `0..count` into a vector that has room for them.
pub fn sized(count: u64) -> Vec<u64> {
    let mut numbers = Vec::with_capacity(count as usize);
    for number in 0..count {
        numbers.push(number);
    }
    numbers
}

/// Pushes `0..count` into a vector that may have held something before.
pub fn refilled(numbers: &mut Vec<u64>, count: u64) {
    numbers.clear(); // keeps the capacity
    for number in 0..count {
        numbers.push(number);
    }
}
