//! Who may come in, and how one waits until all have left: a server's bounded admission and the end
//! of its work.

use std::sync::PoisonError;
use std::time::Instant;
use std::{error, fmt};

#[cfg(loom)]
use loom::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Condvar, Mutex, MutexGuard};

// ANCHOR: gate
/// Lets at most `limit` in at a time, and nobody once it is closed.
///
/// "Is it closed?" and "count me in" are one step under one lock. As two steps they let somebody in
/// behind the back of the one who has closed the gate, seen nobody inside, and gone on to tear
/// everything down: the loom models `sendfile::gate_admits_nobody_after_shutdown` and
/// `sendfile::gate_of_two_atomics_is_broken` show both.
pub struct Gate {
    state: Mutex<State>,
    /// Notified when the last one leaves.
    empty: Condvar,
    limit: usize,
}

struct State {
    /// How many are in: one for each [`Pass`] that exists.
    inside: usize,
    /// Never becomes false again.
    closed: bool,
}
// ANCHOR_END: gate

/// The right to be inside. Dropping it is leaving.
#[must_use = "dropped at once, it admits nobody"]
pub struct Pass<'a>(&'a Gate);

/// Why the gate let nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// As many as may be are inside.
    Full,
    /// The gate is closed for good.
    Closed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "as many connections as this server takes are open",
            Self::Closed => "the server is shutting down",
        })
    }
}

impl error::Error for Refused {}

impl Gate {
    /// An open gate.
    ///
    /// ```
    /// use perf_proved::zero_copy::sendfile::gate::{Gate, Refused};
    ///
    /// let gate = Gate::new(1);
    /// let pass = gate.enter()?;
    /// assert_eq!(gate.enter().err(), Some(Refused::Full));
    /// drop(pass);
    /// gate.close();
    /// assert_eq!(gate.enter().err(), Some(Refused::Closed));
    /// assert_eq!(gate.wait_until_empty(None), 0);
    /// # Ok::<(), Refused>(())
    /// ```
    pub fn new(limit: usize) -> Self {
        Self { state: Mutex::new(State { inside: 0, closed: false }), empty: Condvar::new(), limit }
    }

    // ANCHOR: enter
    /// Goes in, or says why not. Never waits for anybody to leave.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub fn enter(&self) -> Result<Pass<'_>, Refused> {
        let mut state = self.lock();
        if state.closed {
            return Err(Refused::Closed);
        }
        if state.inside == self.limit {
            return Err(Refused::Full);
        }
        state.inside += 1;
        Ok(Pass(self))
    }

    /// Lets nobody in from now on. Those inside stay until they leave.
    pub fn close(&self) {
        self.lock().closed = true;
    }
    // ANCHOR_END: enter

    /// Waits until nobody is inside or the deadline has passed, and returns how many are inside
    /// then. After [`close`](Self::close), a 0 is final.
    pub fn wait_until_empty(&self, deadline: Option<Instant>) -> usize {
        let mut state = self.lock();
        while state.inside > 0 {
            state = match deadline
                .map(|deadline| deadline.saturating_duration_since(Instant::now()))
            {
                None => self.empty.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    self.empty.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        state.inside
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, so the state behind a poisoned one is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.inside -= 1;
        if state.inside == 0 {
            self.0.empty.notify_all();
        }
    }
}
