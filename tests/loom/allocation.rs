//! Models of the budget of a capped allocator.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use loom::thread;
use perf_proved::memory::allocation::budget::Budget;

const LIMIT: usize = 10;

/// The operations that an allocator needs, so that one model judges the correct budget and the
/// broken ones.
trait Counted: Send + Sync + 'static {
    fn take(&self, bytes: usize) -> bool;
    fn give_back(&self, bytes: usize);
}

impl Counted for Budget {
    fn take(&self, bytes: usize) -> bool {
        self.take(bytes)
    }

    fn give_back(&self, bytes: usize) {
        self.give_back(bytes);
    }
}

/// Checks first and counts in a second step.
struct TwoSteps(AtomicUsize);

impl Counted for TwoSteps {
    fn take(&self, bytes: usize) -> bool {
        let fits = self.0.load(SeqCst) + bytes <= LIMIT;
        if fits {
            // Another thread may have seen the same value.
            self.0.fetch_add(bytes, SeqCst);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, SeqCst);
    }
}

/// Counts first, and subtracts again if that was too much.
struct BacksOut(AtomicUsize);

impl Counted for BacksOut {
    fn take(&self, bytes: usize) -> bool {
        let fits = self.0.fetch_add(bytes, SeqCst) + bytes <= LIMIT;
        if !fits {
            // Until here, bytes that no thread has are counted, and may make another thread fail.
            self.0.fetch_sub(bytes, SeqCst);
        }
        fits
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, SeqCst);
    }
}

/// Checks that two threads that take 6 of 10 bytes and return them never hold 12, and that all 10
/// are available afterwards.
fn keeps_its_limit<B: Counted>(budget: fn() -> B) {
    loom::model(move || {
        let shared = Arc::new((budget(), AtomicUsize::new(0)));
        let visit = |shared: &(B, AtomicUsize)| {
            if shared.0.take(6) {
                assert!(shared.1.fetch_add(6, SeqCst) + 6 <= LIMIT, "beyond the limit");
                shared.1.fetch_sub(6, SeqCst);
                shared.0.give_back(6);
            }
        };
        let theirs = shared.clone();
        let other = thread::spawn(move || visit(&theirs));
        visit(&shared);
        other.join().unwrap();
        assert!(shared.0.take(LIMIT), "some bytes are still taken");
    });
}

/// Checks that a request that fits succeeds while another thread asks for too much.
fn serves_what_fits<B: Counted>(budget: fn() -> B) {
    loom::model(move || {
        let budget = Arc::new(budget());
        let theirs = budget.clone();
        let other = thread::spawn(move || assert!(!theirs.take(LIMIT + 1)));
        assert!(budget.take(LIMIT), "refused, and it fits");
        other.join().unwrap();
    });
}

#[test]
fn budget_keeps_its_limit() {
    keeps_its_limit(|| Budget::new(LIMIT));
    serves_what_fits(|| Budget::new(LIMIT));
}

#[test]
#[should_panic(expected = "beyond the limit")]
fn budget_of_two_steps_is_broken() {
    keeps_its_limit(|| TwoSteps(AtomicUsize::new(0)));
}

#[test]
#[should_panic(expected = "refused, and it fits")]
fn budget_that_backs_out_is_broken() {
    serves_what_fits(|| BacksOut(AtomicUsize::new(0)));
}
