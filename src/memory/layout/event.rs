//! The event that the layouts hold.

/// An event with its fields in the order of [`COrder`](super::records::COrder), which the compiler
/// may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// The kind of event.
    pub kind: u8,
    /// The time, in nanoseconds.
    pub at: u64,
    /// The amount.
    pub amount: u32,
}
