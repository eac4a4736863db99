//! Readiness of many descriptors: [`epoll(7)`](https://man7.org/linux/man-pages/man7/epoll.7.html).

use super::cvt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// A set of descriptors to watch, in the kernel.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use perf_proved::sys::epoll::{Epoll, Events};
/// use std::io::Write;
///
/// let (reader, mut writer) = std::io::pipe()?;
/// let (epoll, mut events) = (Epoll::new()?, Events::with_capacity(8));
/// epoll.add(&reader, libc::EPOLLIN as u32, 7)?;
/// writer.write_all(b"x")?;
/// let ready: Vec<_> = epoll.wait(&mut events, None)?.collect();
/// assert_eq!(ready, [(7, libc::EPOLLIN as u32)]);
/// # Ok(())
/// # }
/// ```
pub struct Epoll(OwnedFd);

/// The memory into which [`Epoll::wait`] writes.
pub struct Events(Vec<libc::epoll_event>);

impl Events {
    /// Returns room for `capacity` events a call, at least one.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(vec![libc::epoll_event { events: 0, u64: 0 }; capacity.max(1)])
    }

    /// Returns the number of events a call. A call that returns this number may have left some
    /// behind, for the next one.
    pub fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl Epoll {
    /// Makes an empty set.
    ///
    /// # Errors
    ///
    /// The errors of `epoll_create1(2)`.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers.
        let fd = cvt(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: a new descriptor that nothing else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Watches `fd` for `events`, such as `EPOLLIN | EPOLLET`, and reports them with `token`. The
    /// kernel forgets `fd` once it and all its duplicates are closed.
    ///
    /// # Errors
    ///
    /// The errors of `epoll_ctl(2)`: `PermissionDenied` for a regular file, which is always ready.
    pub fn add(&self, fd: impl AsFd, events: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, events, token)
    }

    /// Changes for which events `fd` is watched, and the token with which they are reported.
    ///
    /// # Errors
    ///
    /// The errors of `epoll_ctl(2)`: `InvalidInput` for a descriptor that was added with
    /// `EPOLLEXCLUSIVE`.
    pub fn modify(&self, fd: impl AsFd, events: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, events, token)
    }

    /// Stops watching `fd`.
    ///
    /// # Errors
    ///
    /// The errors of `epoll_ctl(2)`.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    fn control(&self, op: libc::c_int, fd: impl AsFd, events: u32, token: u64) -> io::Result<()> {
        let (epoll, fd) = (self.0.as_raw_fd(), fd.as_fd().as_raw_fd());
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: both descriptors are open, and `event` is live.
        cvt(unsafe { libc::epoll_ctl(epoll, op, fd, &raw mut event) }).map(drop)
    }

    /// Waits until a descriptor is ready or `deadline` has passed, and returns the token and the
    /// events of each that is ready, as many as fit into `events`. With no deadline it waits for
    /// ever; with one that has passed it returns at once. A signal does not end the wait.
    ///
    /// The kernel counts in milliseconds, so the time that is left is rounded up to a whole one.
    ///
    /// # Errors
    ///
    /// The errors of `epoll_wait(2)`.
    pub fn wait<'a>(
        &self,
        events: &'a mut Events,
        deadline: Option<Instant>,
    ) -> io::Result<impl Iterator<Item = (u64, u32)> + use<'a>> {
        let room = events.0.len().min(i32::MAX as usize) as libc::c_int;
        let count = loop {
            let timeout = deadline.map_or(-1, |deadline| {
                let left = deadline.saturating_duration_since(Instant::now());
                // Rounded up: a wait that ends early would find nothing to do, again and again.
                let left = left.saturating_add(Duration::from_nanos(999_999)).as_millis();
                left.min(i32::MAX as u128) as libc::c_int
            });
            let (epoll, buffer) = (self.0.as_raw_fd(), events.0.as_mut_ptr());
            // SAFETY: the set is open, and `buffer` has room for `room` events.
            match cvt(unsafe { libc::epoll_wait(epoll, buffer, room, timeout) }) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        Ok(events.0[..count as usize].iter().map(|event| (event.u64, event.events)))
    }
}
