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

mod ring_buffer {
    use loom::model::Builder;
    use loom::sync::Arc;
    use loom::thread;
    use perf_proved::concurrency::ring_buffer::shared::{Padded, Shared};
    use perf_proved::concurrency::ring_buffer::{AcquireRelease, Orderings, blocking, mpmc, spsc};
    use std::sync::atomic::Ordering::{self, AcqRel, Relaxed};
    use std::sync::mpsc::TryRecvError::{Disconnected, Empty};
    use std::sync::mpsc::TrySendError::Full;

    /// Every interleaving in which threads lose their core at most so many times against their will. A loop that waits for another
    /// thread gives it away by itself.
    fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
        let mut builder = Builder::new();
        builder.preemption_bound = Some(preemptions);
        builder.check(model);
    }

    /// Orderings of which one is weaker than it has to be.
    macro_rules! weakened {
        ($($name:ident: $field:ident = $ordering:expr;)*) => {
            $(
                struct $name;
                // SAFETY: none. These are the models that must fail, and loom ends them before anything is read.
                unsafe impl Orderings for $name {
                    const $field: Ordering = $ordering;
                }
            )*
        };
    }
    weakened! {
        WrittenStore: WRITTEN_STORE = Relaxed;
        WrittenLoad: WRITTEN_LOAD = Relaxed;
        TakenStore: TAKEN_STORE = Relaxed;
        TakenLoad: TAKEN_LOAD = Relaxed;
        GoneStore: GONE_STORE = Relaxed;
        GoneLoad: GONE_LOAD = Relaxed;
        SleepFence: SLEEP_FENCE = AcqRel;
    }

    /// Three items through a ring of two, whose counters wrap around meanwhile: all arrive, once each, in order. Boxed, so that
    /// one that is lost is a leak, which loom reports too.
    fn spsc_stream<O: Orderings + 'static>() {
        explore(3, || {
            let (mut producer, mut consumer) = spsc::ring_from::<_, O>(2, usize::MAX - 1);
            let pushing = thread::spawn(move || {
                for item in 0..3 {
                    let mut item = loom::alloc::Track::new(item);
                    while let Err(Full(back)) = producer.push(item) {
                        item = back;
                        thread::yield_now();
                    }
                }
            });
            let mut next = 0;
            loop {
                match consumer.pop() {
                    Ok(item) => {
                        assert_eq!(item.into_inner(), next, "out of order");
                        next += 1;
                    }
                    Err(Empty) => thread::yield_now(),
                    Err(Disconnected) => break,
                }
            }
            assert_eq!(next, 3, "the last items are lost");
            pushing.join().unwrap();
        });
    }

    #[test]
    fn spsc_loses_nothing() {
        spsc_stream::<AcquireRelease>();
    }
}
