//! Models of `sendfile`'s gate, which admits requests and waits for those inside.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use loom::thread;
use perf_proved::zero_copy::sendfile::gate::{Gate, Refused};

/// What a server needs of a gate, so that one model judges the right one and the broken one.
trait Admission: Send + Sync + 'static {
    /// Runs `inside` if it is let in.
    fn visit(&self, inside: impl FnOnce());
    /// Lets nobody in from now on, and returns when all have left.
    fn shut_down(&self);
}

impl Admission for Gate {
    fn visit(&self, inside: impl FnOnce()) {
        if let Ok(_pass) = self.enter() {
            inside();
        }
    }

    fn shut_down(&self) {
        self.close();
        assert_eq!(self.wait_until_empty(None), 0);
        assert_eq!(self.enter().err(), Some(Refused::Closed));
    }
}

/// The gate that one writes first: each field is atomic, the pair is not.
struct TwoAtomics {
    closed: AtomicBool,
    inside: AtomicUsize,
}

impl Admission for TwoAtomics {
    fn visit(&self, inside: impl FnOnce()) {
        if !self.closed.load(SeqCst) {
            // Here the gate may close, and `shut_down` see nobody inside.
            self.inside.fetch_add(1, SeqCst);
            inside();
            self.inside.fetch_sub(1, SeqCst);
        }
    }

    fn shut_down(&self) {
        self.closed.store(true, SeqCst);
        while self.inside.load(SeqCst) > 0 {
            thread::yield_now();
        }
    }
}

/// Two visitors and a shutdown. What they visit is torn down as soon as `shut_down` returns.
fn explore<G: Admission>(gate: fn() -> G) {
    loom::model(move || {
        let gate = Arc::new(gate());
        let torn_down = Arc::new(AtomicBool::new(false));
        let visitors = [(); 2].map(|()| {
            let (gate, torn_down) = (gate.clone(), torn_down.clone());
            thread::spawn(move || {
                gate.visit(|| assert!(!torn_down.load(SeqCst), "inside after shutdown"))
            })
        });
        gate.shut_down();
        torn_down.store(true, SeqCst);
        visitors.into_iter().for_each(|visitor| visitor.join().unwrap());
    });
}

#[test]
fn gate_admits_nobody_after_shutdown() {
    explore(|| Gate::new(2));
}

#[test]
#[should_panic(expected = "inside after shutdown")]
fn gate_of_two_atomics_is_broken() {
    explore(|| TwoAtomics { closed: AtomicBool::new(false), inside: AtomicUsize::new(0) });
}

#[test]
fn gate_keeps_to_its_limit() {
    loom::model(|| {
        let gate = Arc::new(Gate::new(1));
        let inside = Arc::new(AtomicUsize::new(0));
        let visit = |gate: &Gate, inside: &AtomicUsize| {
            gate.visit(|| {
                assert_eq!(inside.fetch_add(1, SeqCst), 0);
                inside.fetch_sub(1, SeqCst);
            });
        };
        let (their_gate, their_inside) = (gate.clone(), inside.clone());
        let visitor = thread::spawn(move || visit(&their_gate, &their_inside));
        visit(&gate, &inside);
        visitor.join().unwrap();
        gate.shut_down();
    });
}
