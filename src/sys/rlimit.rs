//! Resource limits of the process.

use super::error::cvt;
use std::io;

/// The type of `RLIMIT_NOFILE` and its like.
#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

fn get(resource: Resource) -> io::Result<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a live, writable `rlimit`.
    cvt(unsafe { libc::getrlimit(resource, &raw mut limit) })?;
    Ok(limit)
}

fn set(resource: Resource, limit: libc::rlimit) -> io::Result<()> {
    // SAFETY: `limit` is a live `rlimit`, which the call reads.
    cvt(unsafe { libc::setrlimit(resource, &raw const limit) }).map(drop)
}

/// Lets a file that would grow beyond `RLIMIT_FSIZE` fail with `EFBIG`, where `SIGXFSZ` would end
/// the process.
pub fn ignore_sigxfsz() {
    // SAFETY: ignoring a signal runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Runs `work` while no file of this process may grow beyond `bytes`: a write past that is short,
/// and the next one fails with `EFBIG`. `SIGXFSZ`, which would end the process, stays ignored
/// afterwards.
///
/// # Errors
///
/// The errors of `getrlimit(2)` and `setrlimit(2)`.
pub fn file_size<T>(bytes: u64, work: impl FnOnce() -> T) -> io::Result<T> {
    ignore_sigxfsz();
    let before = get(libc::RLIMIT_FSIZE)?;
    set(libc::RLIMIT_FSIZE, libc::rlimit { rlim_cur: bytes, ..before })?;
    let result = work();
    set(libc::RLIMIT_FSIZE, before).map(|()| result)
}

/// Returns the number of bytes that all processes of this user together may pin or lock
/// (`RLIMIT_MEMLOCK`), or `None` if there is no limit. A process with `CAP_IPC_LOCK` is bound by
/// none, whatever this returns.
///
/// # Errors
///
/// The errors of `getrlimit(2)`.
pub fn locked_memory() -> io::Result<Option<u64>> {
    let limit = get(libc::RLIMIT_MEMLOCK)?;
    Ok((limit.rlim_cur != libc::RLIM_INFINITY).then_some(limit.rlim_cur))
}

/// Returns the number of descriptors that this process may have open (`RLIMIT_NOFILE`). Every
/// descriptor is less than this.
///
/// # Errors
///
/// The errors of `getrlimit(2)`.
pub fn open_files() -> io::Result<u64> {
    Ok(get(libc::RLIMIT_NOFILE)?.rlim_cur)
}

/// Raises the number of descriptors that this process may have open as far as an ordinary user may
/// (`RLIMIT_NOFILE`), and returns it.
///
/// # Errors
///
/// The errors of `getrlimit(2)` and `setrlimit(2)`.
pub fn raise_open_files() -> io::Result<u64> {
    let limit = get(libc::RLIMIT_NOFILE)?;
    set(libc::RLIMIT_NOFILE, libc::rlimit { rlim_cur: limit.rlim_max, ..limit })?;
    Ok(limit.rlim_max)
}
