//! The state that the loops of a server share, and the part of each that other threads reach.

use crate::sys::eventfd::EventFd;
use crate::sys::rlimit::open_files;
use crate::sys::trying;
use crate::zero_copy::sendfile::permits::{OwnedPermit, Permits, Refused};
use crate::zero_copy::sendfile::server::{Log, Service, turn_away};
use std::io;
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The part of the descriptors that is kept for files, one in this many. Otherwise, clients that do
/// nothing could use up all of them, and no client could be answered.
const FOR_FILES: u64 = 4;

/// The state that all loops share.
pub(super) struct Shared {
    pub(super) service: Service,
    pub(super) permits: Arc<Permits>,
    pub(super) log: Log,
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) budget: usize,
    /// The first descriptor that is kept for files.
    first_for_files: u64,
    pub(super) loops: Vec<Remote>,
    phase: AtomicU8,
}

/// The phases of a server's life, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Serving,
    /// No further connection, and one more response at most on each.
    Finishing,
    /// The grace period is over.
    Aborting,
}

/// A connection that has been accepted and admitted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddr,
    pub(super) permit: OwnedPermit,
}

/// The part of a loop that other threads reach.
pub(super) struct Remote {
    waker: EventFd,
    /// Connections that other loops have accepted for this one.
    inbox: Mutex<Vec<Accepted>>,
    /// The tokens of connections for which the pool has read.
    read: Mutex<Vec<u64>>,
    /// The number of connections that are on the loop or on their way to it. A hint: by the time it
    /// is used, it may have changed.
    connections: AtomicUsize,
}

impl Shared {
    pub(super) fn new(
        service: Service,
        permits: Permits,
        log: Log,
        budget: usize,
        loops: usize,
    ) -> io::Result<Self> {
        let descriptors = trying("reading RLIMIT_NOFILE", open_files())?;
        let loops: io::Result<_> = (0..loops).map(|_| Remote::new()).collect();
        Ok(Self {
            service,
            permits: Arc::new(permits),
            log,
            accepted: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            budget,
            first_for_files: descriptors - descriptors / FOR_FILES,
            loops: loops?,
            phase: AtomicU8::new(Phase::Serving as u8),
        })
    }

    // ANCHOR: admit
    /// Returns a permit for a connection that has been accepted, unless there are as many
    /// as there may be.
    pub(super) fn admit(&self, stream: &TcpStream) -> Result<OwnedPermit, Refused> {
        // The kernel gives the lowest number that is free, so this many are in use at least.
        if stream.as_raw_fd() as u64 >= self.first_for_files {
            return Err(Refused::Full);
        }
        self.permits.try_acquire_owned()
    }
    // ANCHOR_END: admit

    /// Gives a connection that loop `mine` has accepted to the loop with the fewest, or turns it
    /// away. Returns it if that loop is `mine`.
    pub(super) fn assign(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        mine: usize,
    ) -> Option<Accepted> {
        let fail = |error: io::Error| self.log.error(Some(peer), &error);
        let permit = match self.admit(&stream) {
            Ok(permit) => permit,
            Err(Refused::Closed) => return None,
            Err(Refused::Full) => {
                self.refused.fetch_add(1, Ordering::Relaxed); // a count, which publishes nothing
                turn_away(&stream).unwrap_or_else(fail);
                return None;
            }
        };
        self.accepted.fetch_add(1, Ordering::Relaxed); // a count, which publishes nothing
        let accepted = Accepted { stream, peer, permit };
        let index = self.least_loaded(mine);
        let remote = &self.loops[index];
        remote.expect();
        if index == mine {
            return Some(accepted);
        }
        remote.hand_over(accepted).unwrap_or_else(fail);
        None
    }

    pub(super) fn phase(&self) -> Phase {
        // Pairs with the Release store in `enter`.
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Finishing,
            _ => Phase::Aborting,
        }
    }

    /// Begins a phase, and wakes every loop to see it.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release); // pairs with the Acquire load in `phase`
        for remote in &self.loops {
            remote.wake().unwrap_or_else(|error| self.log.error(None, &error));
        }
    }

    /// Returns the index of the loop with the fewest connections, `mine` if it is one of them.
    fn least_loaded(&self, mine: usize) -> usize {
        let load = |index: usize| self.loops[index].connections.load(Ordering::Relaxed); // a hint
        let least = (0..self.loops.len()).min_by_key(|&index| (load(index), index != mine));
        least.unwrap_or(mine)
    }
}

impl Remote {
    fn new() -> io::Result<Self> {
        Ok(Self {
            waker: trying("making an eventfd", EventFd::new())?,
            inbox: Mutex::new(Vec::new()),
            read: Mutex::new(Vec::new()),
            connections: AtomicUsize::new(0),
        })
    }

    pub(super) fn waker(&self) -> &EventFd {
        &self.waker
    }

    fn wake(&self) -> io::Result<()> {
        trying("waking a loop", self.waker.signal())
    }

    /// Notes that a connection is going to this loop.
    pub(super) fn expect(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed); // a hint, which publishes nothing
    }

    /// Notes that a connection has left this loop.
    pub(super) fn forget(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed); // a hint, which publishes nothing
    }

    /// Hands a connection to this loop, which [`expect`](Self::expect)s it, and wakes it.
    pub(super) fn hand_over(&self, accepted: Accepted) -> io::Result<()> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).push(accepted);
        self.wake() // afterwards, so that the loop finds the connection
    }

    /// Takes the connections that were handed over.
    pub(super) fn collect(&self) -> Vec<Accepted> {
        mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells this loop that the pool has read for a connection, and wakes it.
    pub(super) fn tell_read(&self, token: u64) -> io::Result<()> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).push(token);
        self.wake() // afterwards, so that the loop finds the token
    }

    /// Takes the tokens of the connections for which the pool has read.
    pub(super) fn collect_read(&self) -> Vec<u64> {
        mem::take(&mut *self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the number of connections that are on the loop or on their way to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed) // a hint
    }
}
