//! Log lines of a program that must outlive its log.

use std::fmt;
use std::io::{self, Write};

/// Writes one line to standard error, in one `write(2)` if it is short.
///
/// A line that cannot be written is lost: standard error may be closed, or a file on a full disk,
/// and there is nowhere left to report that. `eprintln!` panics instead, and takes the thread with
/// it.
///
/// ```
/// perf_proved::sys::log::line(format_args!("listening on {}", "127.0.0.1:8080"));
/// ```
pub fn line(args: fmt::Arguments<'_>) {
    write(&mut io::stderr(), args);
}

fn write(to: &mut impl Write, args: fmt::Arguments<'_>) {
    // Formatted first: standard error is unbuffered, and would write each piece on its own.
    let _ = to.write_all(format!("{args}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    #[test]
    fn a_line_is_written_whole_or_lost() {
        let mut log = vec![];
        write(&mut log, format_args!("{} of {}", 1, 2));
        assert_eq!(log, b"1 of 2\n");
        write(&mut Full, format_args!("lost"));
    }
}
