//! The bounds of a batch, and of what may wait for one.

use std::io::{self, ErrorKind};
use std::time::Duration;

/// Configuration of a [`BatchWriter`](super::BatchWriter).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The number of items that is written at once. More are never in one batch.
    pub items: usize,
    /// The number of bytes that is written at once. A batch has no more, unless it is a single
    /// item.
    pub bytes: usize,
    /// The longest time that an item waits for company. It starts when that item is pushed, and no
    /// later item prolongs it.
    pub delay: Duration,
    /// The largest number of items that are accepted and not yet answered.
    pub capacity: usize,
    /// The largest number of their bytes. A larger item is accepted if it is alone.
    pub capacity_bytes: usize,
}

impl Default for Settings {
    /// Returns batches of 64 items or 64 KiB, a delay of 1 ms, and room for 1,024 items or 1 MiB.
    fn default() -> Self {
        Self {
            items: 64,
            bytes: 64 << 10,
            delay: Duration::from_millis(1),
            capacity: 1024,
            capacity_bytes: 1 << 20,
        }
    }
}

impl Settings {
    pub(super) fn check(&self) -> io::Result<()> {
        let Self { items, bytes, capacity, capacity_bytes, .. } = self;
        let names = ["items", "bytes", "capacity", "capacity_bytes"];
        for (name, value) in names.iter().zip([items, bytes, capacity, capacity_bytes]) {
            if *value == 0 {
                let what = format!("a batch writer with {name} = 0 would write nothing");
                return Err(io::Error::new(ErrorKind::InvalidInput, what));
            }
        }
        Ok(())
    }
}
