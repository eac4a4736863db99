//! Waking an engine that waits for work.

use crate::sys::{cvt, trying};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::{Arc, Condvar};

/// The way in which an engine waits.
pub(super) enum Wake {
    /// Its threads wait for a condition variable.
    Threads(Condvar),
    /// Its thread waits in the kernel, for this descriptor among others.
    Event(Arc<Event>),
}

impl Wake {
    pub(super) fn one(&self) {
        match self {
            Self::Threads(work) => work.notify_one(),
            Self::Event(event) => event.set(),
        }
    }

    pub(super) fn all(&self) {
        match self {
            Self::Threads(work) => work.notify_all(),
            Self::Event(event) => event.set(),
        }
    }
}

/// A counter in the kernel that can be waited for like a file: an `eventfd(2)`.
pub(super) struct Event(File);

impl Event {
    pub(super) fn new() -> io::Result<Self> {
        // SAFETY: takes no pointer.
        let fd = trying("eventfd", cvt(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }))?;
        // SAFETY: a new descriptor, which no one else owns.
        Ok(Self(File::from(unsafe { OwnedFd::from_raw_fd(fd) })))
    }

    /// Makes the descriptor readable.
    pub(super) fn set(&self) {
        // The only failure is a counter that is full. Then it is readable anyway.
        let _ = (&self.0).write(&1_u64.to_ne_bytes());
    }

    pub(super) fn file(&self) -> &File {
        &self.0
    }
}
