//! A counting semaphore that can be closed and drained: how a server bounds its connections, and
//! waits for them when it shuts down.

use std::sync::{Arc, PoisonError};
use std::time::Instant;
use std::{error, fmt};

#[cfg(loom)]
use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Condvar, Mutex, MutexGuard};

// ANCHOR: permits
/// Hands out at most `limit` permits at a time, and none once it is closed.
///
/// One lock covers both the check for `closed` and the count. With two atomics instead, a thread
/// can see "open", and by the time it increments the count another thread has closed the semaphore,
/// seen a count of 0, and torn everything down. The loom models
/// `sendfile::no_permit_after_shutdown` and `sendfile::two_atomics_grant_a_permit_after_shutdown`
/// show both.
pub struct Permits {
    state: Mutex<State>,
    /// Notified when the last permit is returned.
    drained: Condvar,
    limit: usize,
}

struct State {
    /// The number of [`Permit`]s that exist.
    held: usize,
    /// Never becomes `false` again.
    closed: bool,
}
// ANCHOR_END: permits

/// The right to proceed, returned when dropped.
#[must_use = "a permit that is dropped at once bounds nothing"]
pub struct Permit<'a>(&'a Permits);

/// A permit that shares its semaphore, so that it can move to another thread.
#[must_use = "a permit that is dropped at once bounds nothing"]
pub struct OwnedPermit(Arc<Permits>);

/// The reason why no permit was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// All permits are held.
    Full,
    /// The semaphore is closed for good.
    Closed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the server has reached its limit of connections",
            Self::Closed => "the server is shutting down",
        })
    }
}

impl error::Error for Refused {}

impl Permits {
    /// Returns a semaphore with `limit` permits.
    ///
    /// ```
    /// use perf_proved::zero_copy::sendfile::permits::{Permits, Refused};
    ///
    /// let permits = Permits::new(1);
    /// let permit = permits.try_acquire()?;
    /// assert_eq!(permits.try_acquire().err(), Some(Refused::Full));
    /// drop(permit);
    /// permits.close();
    /// assert_eq!(permits.try_acquire().err(), Some(Refused::Closed));
    /// assert_eq!(permits.drain(None), 0);
    /// # Ok::<(), Refused>(())
    /// ```
    pub fn new(limit: usize) -> Self {
        let state = Mutex::new(State { held: 0, closed: false });
        Self { state, drained: Condvar::new(), limit }
    }

    // ANCHOR: acquire
    /// Takes a permit if one is left. Never waits for another to be returned.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the reason.
    pub fn try_acquire(&self) -> Result<Permit<'_>, Refused> {
        self.take().map(|()| Permit(self))
    }

    fn take(&self) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.held == self.limit {
            return Err(Refused::Full);
        }
        state.held += 1;
        Ok(())
    }

    /// Hands out no further permits. Those that are held stay valid.
    pub fn close(&self) {
        self.lock().closed = true;
    }
    // ANCHOR_END: acquire

    /// Takes a permit as [`try_acquire`](Self::try_acquire) does, one that borrows nothing.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the reason.
    pub fn try_acquire_owned(self: &Arc<Self>) -> Result<OwnedPermit, Refused> {
        self.take().map(|()| OwnedPermit(Arc::clone(self)))
    }

    /// Waits until every permit is returned or `deadline` has passed, and returns the number of
    /// permits still held. After [`close`](Self::close), a result of 0 is final.
    pub fn drain(&self, deadline: Option<Instant>) -> usize {
        let mut state = self.lock();
        while state.held > 0 {
            let left = deadline.map(|time| time.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.drained.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    let waited = self.drained.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.held
    }

    fn give_back(&self) {
        let mut state = self.lock();
        state.held -= 1;
        if state.held == 0 {
            self.drained.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, so the state behind a poisoned lock is intact.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl Drop for OwnedPermit {
    fn drop(&mut self) {
        self.0.give_back();
    }
}
