//! The laboratory: what the examples and benches count with.
