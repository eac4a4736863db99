//! Deadlines of many connections: a heap that is only touched when a deadline comes nearer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

// ANCHOR: timers
/// A heap of deadlines, each with a token.
///
/// A connection moves its deadline with every request, nearly always further away, and
/// nearly always long before it passes. So an entry of the heap is a promise to look at a
/// deadline, not the deadline itself: while the entry is early enough, moving the
/// deadline costs nothing. When its time comes, [`pop`](Self::pop) returns the token, and
/// its owner arms it anew if the deadline has moved. A connection that is busy for an
/// hour with a limit of ten seconds costs the heap one entry every ten seconds, however
/// many requests it makes. The entry of a connection that closes stays until its time.
#[derive(Debug, Default)]
pub struct Timers(BinaryHeap<Reverse<(Instant, u64)>>);

/// The time of the earliest entry of one token, kept beside its deadline.
#[derive(Debug, Default)]
pub struct Armed(Option<Instant>);

impl Timers {
    /// Sees to it that [`pop`](Self::pop) returns `token` once `deadline` has passed, or
    /// earlier.
    pub fn arm(&mut self, token: u64, armed: &mut Armed, deadline: Instant) {
        if armed.0.is_none_or(|entry| deadline < entry) {
            armed.0 = Some(deadline);
            self.0.push(Reverse((deadline, token)));
        }
    }

    /// Removes an entry whose time has come by `now`, and returns it. It is outdated
    /// unless [`Armed::fired`] says that it is the earliest of its token.
    pub fn pop(&mut self, now: Instant) -> Option<(Instant, u64)> {
        let Reverse((at, token)) = *self.0.peek()?;
        (at <= now).then(|| {
            self.0.pop();
            (at, token)
        })
    }
    // ANCHOR_END: timers

    /// Removes the entries of which `is_of_use` says `false`, given their time and token.
    pub fn retain(&mut self, mut is_of_use: impl FnMut(Instant, u64) -> bool) {
        self.0.retain(|Reverse((at, token))| is_of_use(*at, *token));
    }

    /// Returns the time of the next entry.
    pub fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Returns the number of entries, outdated ones included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns `true` if there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Armed {
    /// Returns `true` if the entry of `at` is the earliest of its token.
    pub fn is_at(&self, at: Instant) -> bool {
        self.0 == Some(at)
    }

    /// Returns `true` if the entry of `at` was the earliest of its token, which is not armed from
    /// then on.
    pub fn fired(&mut self, at: Instant) -> bool {
        self.0.take_if(|entry| *entry == at).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_deadline_that_moves_away_costs_no_entry_and_is_never_missed() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let (mut timers, mut armed) = (Timers::default(), Armed::default());
        for request in 0..1000 {
            timers.arm(7, &mut armed, start + request * second);
        }
        assert_eq!((timers.len(), timers.next()), (1, Some(start)));
        assert_eq!(timers.pop(start), Some((start, 7)));
        assert!(armed.fired(start));
        timers.arm(7, &mut armed, start + 999 * second);
        assert_eq!(timers.pop(start + 998 * second), None);
        // A nearer one gets an entry of its own, and outdates the other.
        timers.arm(7, &mut armed, start + 5 * second);
        let late = start + 1000 * second;
        assert_eq!(timers.pop(late), Some((start + 5 * second, 7)));
        assert!(armed.fired(start + 5 * second));
        assert_eq!(timers.pop(late), Some((start + 999 * second, 7)));
        assert!(!armed.fired(start + 999 * second), "outdated");
        assert!(timers.is_empty());
    }
}
