//! The measurements of a process that prints the book more than once.

use super::memo::Memo;
use crate::machine::Machine;
use crate::model::Error;
use crate::project::Project;
use crate::stamp::stamp;
use std::sync::{Arc, Mutex, PoisonError};

/// The machines as they were last read. To read them takes longer than to print a page.
#[derive(Debug, Default)]
pub struct Measured {
    last: Mutex<Option<Last>>,
}

#[derive(Clone, Debug)]
struct Last {
    stamp: u64,
    machines: Vec<Machine>,
    here: Machine,
    memo: Arc<Memo>,
}

impl Measured {
    /// Returns the recorded machines, the reader's, and what was computed from them. Reads them if
    /// a file of theirs has changed.
    ///
    /// # Errors
    ///
    /// As [`Machine::all`] and [`Machine::here`].
    pub(super) fn machines(
        &self,
        project: &Project,
    ) -> Result<(Vec<Machine>, Machine, Arc<Memo>), Error> {
        let files = [
            project.machines(),
            project.criterion().to_owned(),
            project.checked(),
            project.ran(),
            project.book().join("book.toml"),
        ];
        let stamp = stamp(&files);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = last.as_ref().filter(|last| last.stamp == stamp) {
            return Ok((last.machines.clone(), last.here.clone(), Arc::clone(&last.memo)));
        }
        let (machines, here) = (Machine::all(project)?, Machine::here(project)?);
        let memo = Arc::default();
        *last = Some(Last {
            stamp,
            machines: machines.clone(),
            here: here.clone(),
            memo: Arc::clone(&memo),
        });
        Ok((machines, here, memo))
    }
}
