//! Errors: from `errno` to an [`io::Error`] that says what was tried.

use std::{error, fmt, io};

/// Turns the `-1` of a system call into the error in `errno`.
#[cfg(unix)]
pub(crate) fn cvt(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Turns the result of a call that moves bytes into their number, or into the error in `errno`.
#[cfg(target_os = "linux")]
pub(crate) fn moved(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Returns the error of a facility that this platform lacks. `what` is a sentence without its final
/// period.
#[allow(dead_code, reason = "Linux has every facility and never calls it")]
pub(crate) fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// Adds what was tried, and on what, to the error of `result`: `splice: Operation not permitted`.
///
/// The kind stays, and [`raw_code`] still finds the kernel's number.
///
/// ```
/// use perf_proved::sys::{raw_code, trying};
/// use std::fs;
///
/// let error = trying("reading the list", fs::read("/nonexistent/list")).unwrap_err();
/// assert!(error.to_string().starts_with("reading the list: "));
/// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
/// assert!(raw_code(&error).is_some());
/// ```
///
/// # Errors
///
/// The error of `result`, with `what` in front of it.
pub fn trying<T>(what: impl fmt::Display, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|cause| io::Error::new(cause.kind(), Tried { what: what.to_string(), cause }))
}

/// Returns the kernel's number for `error`, even if [`trying`] has wrapped it.
pub fn raw_code(error: &io::Error) -> Option<i32> {
    let tried = || error.get_ref()?.downcast_ref::<Tried>();
    error.raw_os_error().or_else(|| raw_code(&tried()?.cause))
}

/// An error and what was tried when it came.
#[derive(Debug)]
struct Tried {
    what: String,
    cause: io::Error,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cause)
    }
}

impl error::Error for Tried {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        Some(&self.cause)
    }
}
