//! Which values an `Option` finds for its `None`.
//!
//! A niche is a bit pattern that no value of a type has. Of these, [`Option`'s
//! documentation](https://doc.rust-lang.org/std/option/index.html#representation) guarantees boxes,
//! references and the `NonZero` numbers; the others are what this compiler does.

use static_assertions::{assert_eq_size, const_assert_eq};
use std::num::NonZeroU32;

// ANCHOR: free
// None is the pattern that no value has: null, zero, 2 and 3 of a byte that is 0 or 1, a number
// above all characters.
assert_eq_size!(Option<Box<u64>>, Box<u64>);
assert_eq_size!(Option<NonZeroU32>, u32);
assert_eq_size!(Option<Option<bool>>, bool);
assert_eq_size!(Option<char>, char);
assert_eq_size!(Option<Vec<u64>>, Vec<u64>); // in its capacity
// ANCHOR_END: free

// ANCHOR: paid
// All patterns are values, so a flag is added, and its padding.
#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(size_of::<Option<u64>>(), 16);
    const_assert_eq!(size_of::<Option<u32>>(), 8);
    const_assert_eq!(size_of::<Option<Option<u64>>>(), 16); // the flag has niches of its own
    const_assert_eq!(size_of::<Option<Option<Box<u64>>>>(), 16); // null is taken
};
// ANCHOR_END: paid

// ANCHOR: enums
/// Two variants without data, and one whose capacity has values to spare for both.
pub enum Message {
    /// Are you there?
    Ping,
    /// I am.
    Pong,
    /// What somebody wrote.
    Text(String),
}

assert_eq_size!(Message, String);
assert_eq_size!(Option<Message>, String);
// ANCHOR_END: enums
