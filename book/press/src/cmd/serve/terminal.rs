//! The server's messages. A server outlives its terminal, so it goes on even if nothing can be
//! printed, where `println!` would panic.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints a line to standard output.
pub(super) fn print(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line to standard error.
pub(super) fn print_error(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
