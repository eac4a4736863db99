//! Parts of the example, bench and tests.

pub mod contested;
pub mod gather;
pub mod walks;
pub mod words;
