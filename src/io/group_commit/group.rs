//! Groups of records, and the threads that wait for them. The loom models explore this.
//!
//! One group gathers while another is committed. The thread that finds no leader becomes it: it
//! takes the group, commits it without the lock, and then wakes the group's threads, and one thread
//! of the next group, which leads that.

use super::error::AppendError;
use super::settings::Durability;
use crate::concurrency::sync::{Condvar, Mutex, MutexGuard};
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// Records that are committed together.
#[derive(Debug)]
pub struct Group {
    /// Their bytes.
    pub bytes: Vec<u8>,
    /// The sequence number of the first.
    pub first: u64,
    /// The number of records.
    pub records: u64,
    /// The strictest promise that one of them waits for.
    pub durability: Durability,
}

/// Groups of records, one after the other.
pub struct Groups {
    state: Mutex<State>,
    /// The threads of even groups, and those of odd ones. All threads of a group are woken before
    /// one of the group after next can come, so a thread waits with its own group only.
    done: [Condvar; 2],
    /// The time for which a leader waits for company.
    delay: Duration,
}

struct State {
    /// The group that gathers.
    gathering: Group,
    /// Its number, from 0.
    number: u64,
    /// A thread waits for company, or commits a group.
    is_led: bool,
    /// The number of groups that were committed.
    committed: u64,
    /// The first error. There is no second: nothing is committed after it.
    failure: Option<Arc<io::Error>>,
    /// The memory of an earlier group.
    spare: Vec<u8>,
}

impl Groups {
    /// Begins with the sequence number `next`.
    pub fn new(next: u64, delay: Duration) -> Self {
        let state = State {
            gathering: Group::starting_at(next, vec![]),
            number: 0,
            is_led: false,
            committed: 0,
            failure: None,
            spare: vec![],
        };
        Self { state: Mutex::new(state), done: [Condvar::new(), Condvar::new()], delay }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the error of the commit that failed, if one did.
    pub fn failure(&self) -> Option<Arc<io::Error>> {
        self.lock().failure.clone()
    }

    /// Has `push` add a record to the group that gathers, and returns its sequence number once the
    /// group is committed. If no thread leads, this one does, and calls `commit`.
    ///
    /// # Errors
    ///
    /// The error of the commit, which is that of every later append, too; [`AppendError::Full`].
    pub fn append(
        &self,
        durability: Durability,
        push: impl FnOnce(&mut Vec<u8>, u64),
        commit: impl FnOnce(&mut Group) -> io::Result<()>,
    ) -> Result<u64, AppendError> {
        // ANCHOR: append
        let mut state = self.lock();
        if let Some(error) = &state.failure {
            return Err(AppendError::Poisoned(error.clone()));
        }
        let number = state.number;
        let sequence = state.gathering.add(durability, push)?;
        while state.is_led && !state.is_decided(number) {
            let done = &self.done[(number % 2) as usize];
            state = done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.is_decided(number) {
            state = self.lead(state, commit);
        }
        state.outcome(number).map(|()| sequence)
        // ANCHOR_END: append
    }

    /// Commits the group that gathers.
    fn lead<'s>(
        &'s self,
        mut state: MutexGuard<'s, State>,
        commit: impl FnOnce(&mut Group) -> io::Result<()>,
    ) -> MutexGuard<'s, State> {
        state.is_led = true;
        if !self.delay.is_zero() {
            drop(state);
            std::thread::sleep(self.delay);
            state = self.lock();
        }
        // ANCHOR: lead
        let (number, mut group) = state.take();
        drop(state); // the next group gathers during the write and the sync
        let result = catch_unwind(AssertUnwindSafe(|| commit(&mut group)));
        let result = result.unwrap_or_else(|_| Err(io::Error::other("the storage panicked")));
        state = self.lock();
        state.is_led = false;
        match result {
            Ok(()) => state.committed += 1,
            Err(error) => state.failure = Some(Arc::new(error)),
        }
        self.done[(number % 2) as usize].notify_all();
        let next = &self.done[((number + 1) % 2) as usize];
        if state.failure.is_some() {
            next.notify_all(); // there will be no leader
        } else if state.gathering.records > 0 {
            next.notify_one(); // to lead
        }
        // ANCHOR_END: lead
        group.bytes.clear();
        state.spare = group.bytes;
        state
    }
}

impl State {
    /// Takes the group that gathers, with its number, and begins the next one.
    fn take(&mut self) -> (u64, Group) {
        let number = self.number;
        self.number += 1;
        let next = self.gathering.first + self.gathering.records;
        let next = Group::starting_at(next, mem::take(&mut self.spare));
        (number, mem::replace(&mut self.gathering, next))
    }

    fn is_decided(&self, number: u64) -> bool {
        number < self.committed || self.failure.is_some()
    }

    /// Returns the outcome of a group that is decided. The first that was not committed failed.
    fn outcome(&self, number: u64) -> Result<(), AppendError> {
        match &self.failure {
            _ if number < self.committed => Ok(()),
            Some(error) if number == self.committed => Err(AppendError::Failed(error.clone())),
            Some(error) => Err(AppendError::Poisoned(error.clone())),
            None => unreachable!("the group is not decided"),
        }
    }
}

impl Group {
    fn starting_at(first: u64, bytes: Vec<u8>) -> Self {
        Self { bytes, first, records: 0, durability: Durability::Written }
    }

    fn add(
        &mut self,
        durability: Durability,
        push: impl FnOnce(&mut Vec<u8>, u64),
    ) -> Result<u64, AppendError> {
        let sequence = self.first + self.records;
        // The last number is for no record, because none could follow.
        if sequence == u64::MAX {
            return Err(AppendError::Full);
        }
        push(&mut self.bytes, sequence);
        self.records += 1;
        self.durability = self.durability.max(durability);
        Ok(sequence)
    }
}
