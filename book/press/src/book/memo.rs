//! A memory of what was computed from the measurements: as long as they stay the same, so do
//! verdicts, figures and numbers.

use crate::model::{Claim, Estimate, Judgement};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

/// The answers so far, each by its question.
#[derive(Debug, Default)]
pub struct Memo {
    judged: Mutex<HashMap<String, (Vec<Judgement>, Judgement)>>,
    printed: Mutex<HashMap<String, String>>,
    null_controls: Mutex<HashMap<String, Option<Estimate>>>,
}

impl Memo {
    /// Returns the judgements of a claim on the recorded machines and the reader's, and judges it
    /// by `judge` the first time. They depend on its proof and its condition, and not on its
    /// sentence or its place, which edits change.
    pub(super) fn judged(
        &self,
        claim: &Claim,
        judge: impl FnOnce() -> (Vec<Judgement>, Judgement),
    ) -> (Vec<Judgement>, Judgement) {
        answer(&self.judged, format!("{:?} {:?}", claim.proof, claim.condition), judge)
    }

    /// Returns the null control that `question` and the measurements alone name, and looks for it
    /// by `find` the first time.
    pub(super) fn null_control(
        &self,
        question: impl Debug,
        find: impl FnOnce() -> Option<Estimate>,
    ) -> Option<Estimate> {
        answer(&self.null_controls, format!("{question:?}"), find)
    }

    /// Returns a piece of a page that depends on `question` and the measurements alone, and prints
    /// it by `print` the first time.
    pub fn printed(&self, question: impl Debug, print: impl FnOnce() -> String) -> String {
        answer(&self.printed, format!("{question:?}"), print)
    }
}

fn answer<T: Clone>(
    known: &Mutex<HashMap<String, T>>,
    question: String,
    answer: impl FnOnce() -> T,
) -> T {
    let known = || known.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known().get(&question) {
        return known.clone();
    }
    let new = answer();
    known().insert(question, new.clone());
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_answered_once() {
        let memo = Memo::default();
        assert_eq!(memo.printed("a", || "one".to_owned()), "one");
        assert_eq!(memo.printed("a", || "two".to_owned()), "one");
        assert_eq!(memo.printed(("a", 1), || "two".to_owned()), "two");
    }
}
