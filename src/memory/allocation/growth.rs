//! Three ways to fill a vector: grown by pushes, sized in advance, and reused.

/// Pushes `0..count` to an empty vector without capacity.
pub fn grown(count: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for number in 0..count {
        numbers.push(number);
    }
    numbers
}

/// Pushes `0..count` to a vector that has the capacity for them.
pub fn sized(count: u64) -> Vec<u64> {
    let mut numbers = Vec::with_capacity(count as usize);
    for number in 0..count {
        numbers.push(number);
    }
    numbers
}

/// Clears `numbers`, then pushes `0..count`.
pub fn refilled(numbers: &mut Vec<u64>, count: u64) {
    numbers.clear(); // keeps the capacity
    for number in 0..count {
        numbers.push(number);
    }
}
