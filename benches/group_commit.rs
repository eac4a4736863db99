//! Times durable appends to a log.

fn main() {}
