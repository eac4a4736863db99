//! `cargo book`: see the README for the commands.

fn main() {}
