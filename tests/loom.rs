//! Every interleaving of the small concurrent pieces, explored by loom. One module a technique.
//!
//!     cargo explore
#![cfg(loom)]

mod sendfile {
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
                thread::spawn(move || gate.visit(|| assert!(!torn_down.load(SeqCst), "inside after shutdown")))
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
}

mod allocation {
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use loom::thread;
    use perf_proved::memory::allocation::budget::Budget;

    const LIMIT: usize = 10;

    /// What an allocator needs of a budget, so that one model judges the right one and the broken ones.
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

    /// Asks first and counts then.
    struct TwoSteps(AtomicUsize);

    impl Counted for TwoSteps {
        fn take(&self, bytes: usize) -> bool {
            let fits = self.0.load(SeqCst) + bytes <= LIMIT;
            if fits {
                // Here another thread may have seen the same.
                self.0.fetch_add(bytes, SeqCst);
            }
            fits
        }

        fn give_back(&self, bytes: usize) {
            self.0.fetch_sub(bytes, SeqCst);
        }
    }

    /// Counts first, and takes it back if it was too much.
    struct BacksOut(AtomicUsize);

    impl Counted for BacksOut {
        fn take(&self, bytes: usize) -> bool {
            let fits = self.0.fetch_add(bytes, SeqCst) + bytes <= LIMIT;
            if !fits {
                // Until here, what nobody has is counted, and may be in the way of another thread.
                self.0.fetch_sub(bytes, SeqCst);
            }
            fits
        }

        fn give_back(&self, bytes: usize) {
            self.0.fetch_sub(bytes, SeqCst);
        }
    }

    /// Two threads that take 6 bytes of 10 and give them back: never are 12 taken, and then all 10 are to be had.
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
            assert!(shared.0.take(LIMIT), "something is still taken");
        });
    }

    /// One thread asks for more than there is, the other for what fits.
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
}
