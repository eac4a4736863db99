//! Models of the permits that bound `sendfile`'s server and let it wait for its connections.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use loom::thread;
use perf_proved::zero_copy::sendfile::permits::{Permits, Refused};

/// The operations that a server needs of its permits, so that one model judges the right version
/// and the broken one.
trait Admission: Send + Sync + 'static {
    /// Runs `work` if it gets a permit.
    fn admit(&self, work: impl FnOnce());
    /// Hands out no further permits, and returns once all are back.
    fn shut_down(&self);
}

impl Admission for Permits {
    fn admit(&self, work: impl FnOnce()) {
        if let Ok(_permit) = self.try_acquire() {
            work();
        }
    }

    fn shut_down(&self) {
        self.close();
        assert_eq!(self.drain(None), 0);
        assert_eq!(self.try_acquire().err(), Some(Refused::Closed));
    }
}

/// The version that everyone writes first: each field is atomic, the pair is not.
struct TwoAtomics {
    closed: AtomicBool,
    held: AtomicUsize,
}

impl Admission for TwoAtomics {
    fn admit(&self, work: impl FnOnce()) {
        if !self.closed.load(SeqCst) {
            // Here `shut_down` may set `closed` and read a count of 0.
            self.held.fetch_add(1, SeqCst);
            work();
            self.held.fetch_sub(1, SeqCst);
        }
    }

    fn shut_down(&self) {
        self.closed.store(true, SeqCst);
        while self.held.load(SeqCst) > 0 {
            thread::yield_now();
        }
    }
}

/// Runs two connections and a shutdown. Whatever they use is torn down once `shut_down` returns.
fn explore<A: Admission>(admission: fn() -> A) {
    loom::model(move || {
        let admission = Arc::new(admission());
        let torn_down = Arc::new(AtomicBool::new(false));
        let connections = [(); 2].map(|()| {
            let (admission, torn_down) = (admission.clone(), torn_down.clone());
            thread::spawn(move || {
                admission.admit(|| assert!(!torn_down.load(SeqCst), "a permit after shutdown"))
            })
        });
        admission.shut_down();
        torn_down.store(true, SeqCst);
        connections.into_iter().for_each(|connection| connection.join().unwrap());
    });
}

#[test]
fn no_permit_after_shutdown() {
    explore(|| Permits::new(2));
}

#[test]
#[should_panic(expected = "a permit after shutdown")]
fn two_atomics_grant_a_permit_after_shutdown() {
    explore(|| TwoAtomics { closed: AtomicBool::new(false), held: AtomicUsize::new(0) });
}

#[test]
fn permits_keep_to_their_limit() {
    loom::model(|| {
        let permits = Arc::new(Permits::new(1));
        let held = Arc::new(AtomicUsize::new(0));
        let work = |permits: &Permits, held: &AtomicUsize| {
            permits.admit(|| {
                assert_eq!(held.fetch_add(1, SeqCst), 0);
                held.fetch_sub(1, SeqCst);
            });
        };
        let connection = {
            let (permits, held) = (permits.clone(), held.clone());
            thread::spawn(move || work(&permits, &held))
        };
        work(&permits, &held);
        connection.join().unwrap();
        permits.shut_down();
    });
}
