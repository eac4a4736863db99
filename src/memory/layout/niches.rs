//! Niches: bit patterns that no value of a type has, so that `Option` can use one for `None`.
//!
//! [`Option`'s documentation](https://doc.rust-lang.org/std/option/index.html#representation)
//! guarantees the niches of boxes, references and the `NonZero` numbers. The others are what this
//! compiler does.

use static_assertions::{assert_eq_size, const_assert_eq};
use std::num::NonZeroU32;

// ANCHOR: free
// None is a pattern that no value has: null, zero, 2 and 3 in a byte that holds 0 or 1, a
// number above every character.
assert_eq_size!(Option<Box<u64>>, Box<u64>);
assert_eq_size!(Option<NonZeroU32>, u32);
assert_eq_size!(Option<Option<bool>>, bool);
assert_eq_size!(Option<char>, char);
assert_eq_size!(Option<Vec<u64>>, Vec<u64>); // in its capacity
// ANCHOR_END: free

// ANCHOR: paid
// Every pattern is a value, so the option adds a flag and the padding for it.
#[cfg(target_pointer_width = "64")]
const _: () = {
    const_assert_eq!(size_of::<Option<u64>>(), 16);
    const_assert_eq!(size_of::<Option<u32>>(), 8);
    const_assert_eq!(size_of::<Option<Option<u64>>>(), 16); // the flag has niches itself
    const_assert_eq!(size_of::<Option<Option<Box<u64>>>>(), 16); // null is taken
};
// ANCHOR_END: paid

// ANCHOR: enums
/// An enum with two variants without data, for which the capacity of the third has spare
/// values.
pub enum Message {
    /// Asks the peer to answer.
    Ping,
    /// Answers a ping.
    Pong,
    /// Carries a text.
    Text(String),
}

assert_eq_size!(Message, String);
assert_eq_size!(Option<Message>, String);
// ANCHOR_END: enums
