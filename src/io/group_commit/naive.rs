//! Logs that break their word, one way each. `tests/group_commit.rs` pins their faults.
