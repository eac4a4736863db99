//! Getting a buffer, writing all of it and returning it: from allocators, from pools behind one
//! lock or one queue, and from a pool with magazines. 64 B to 1 MiB.
//!
//! One iteration is one buffer. 64 buffers are taken and written, then all are returned: a loop
//! with a single live block would flatter an allocator. `object_pool` asks for no particular
//! content, so nothing is cleared. `object_pool_zeroed` asks for zeros, which an allocator provides
//! before the use and a pool restores after it. `object_pool_used` writes 4 KiB of a buffer of 1
//! MiB. `object_pool_two` runs two threads at once, each with 64 live buffers. In
//! `object_pool_apart` one thread gets and writes, and another returns; `transport` is the queue
//! between them by itself. Both have 64 B, where the source is most of the work, and 64 KiB, where
//! the writing is.

use perf_proved::measuring::limits::two_cores;
use perf_proved_benches::with;
use std::io;

fn main() -> io::Result<()> {
    let cores = two_cores();
    if let Ok([core, _]) = cores {
        perf_proved::sys::cores::pin(core)?;
    }
    let mut criterion = criterion::Criterion::default().configure_from_args();
    bench::alone(&mut criterion);
    let two = [
        "object_pool_two",
        "object_pool_apart",
        "object_pool_aa/first/two",
        "object_pool_aa/second/two",
    ];
    with(cores, &two, |cores| {
        bench::on_two(&mut criterion, cores);
        Ok(())
    })?;
    criterion.final_summary();
    Ok(())
}

/// The sources of the buffers.
mod sources {
    use crossbeam_queue::ArrayQueue;
    use perf_proved::memory::object_pool::buffers::Buffer;
    use perf_proved::memory::object_pool::local::{Pooled, Sendable};
    use perf_proved::memory::object_pool::{Factory, Limits};
    use std::alloc::{GlobalAlloc, Layout, handle_alloc_error};
    use std::mem;
    use std::ptr::NonNull;
    use std::sync::{Mutex, PoisonError};

    /// More buffers than are ever live at once.
    pub const ENOUGH: usize = 1024;

    /// A buffer of any source.
    pub trait Bytes {
        /// Writes all of it.
        fn fill(&mut self, byte: u8);
        /// Returns its first and its last byte.
        fn ends(&self) -> [u8; 2];
    }

    macro_rules! bytes_of_a_slice {
        ($($guard:ty),*) => {$(
            impl Bytes for $guard {
                fn fill(&mut self, byte: u8) {
                    <[u8]>::fill(self, byte);
                }

                fn ends(&self) -> [u8; 2] {
                    [self[0], self[self.len() - 1]]
                }
            }
        )*};
    }

    bytes_of_a_slice!(Pooled<'_, Boxes>, Sendable<'_, Boxes>, Buffer<'_>);
    bytes_of_a_slice!(object_pool::Reusable<'_, Box<[u8]>>, opool::RefGuard<'_, Boxes, Box<[u8]>>);

    /// An allocator, called like a program's global allocator.
    pub struct Allocator<A> {
        pub allocator: A,
        pub layout: Layout,
        pub zeroed: bool,
    }

    pub struct Allocated<'a, A: GlobalAlloc> {
        block: NonNull<u8>,
        from: &'a Allocator<A>,
    }

    // SAFETY: the value owns the block, and any thread may free it.
    unsafe impl<A: GlobalAlloc + Sync> Send for Allocated<'_, A> {}

    impl<A: GlobalAlloc> Allocator<A> {
        pub fn get(&self) -> Allocated<'_, A> {
            let Self { allocator, layout, zeroed } = self;
            // SAFETY: no buffer of this bench has size 0.
            let block = unsafe {
                if *zeroed { allocator.alloc_zeroed(*layout) } else { allocator.alloc(*layout) }
            };
            let block = NonNull::new(block).unwrap_or_else(|| handle_alloc_error(*layout));
            Allocated { block, from: self }
        }
    }

    impl<A: GlobalAlloc> Bytes for Allocated<'_, A> {
        fn fill(&mut self, byte: u8) {
            // SAFETY: the block has that many bytes, and `self` owns them.
            unsafe { self.block.write_bytes(byte, self.from.layout.size()) };
        }

        fn ends(&self) -> [u8; 2] {
            // SAFETY: both are inside the block, which the caller has filled, or obtained zeroed.
            unsafe { [self.block.read(), self.block.add(self.from.layout.size() - 1).read()] }
        }
    }

    impl<A: GlobalAlloc> Drop for Allocated<'_, A> {
        fn drop(&mut self) {
            // SAFETY: `get` has allocated it with this layout, and it is freed once.
            unsafe { self.from.allocator.dealloc(self.block.as_ptr(), self.from.layout) };
        }
    }

    /// The factory of buffers of one size. With `clear`, a returned buffer is cleared entirely.
    pub struct Boxes {
        pub size: usize,
        pub clear: bool,
    }

    impl Boxes {
        /// Returns limits with the magazines of `BufferPool`.
        pub fn limits(&self) -> Limits {
            let magazine = ((256 << 10) / self.size).clamp(1, 32);
            Limits { largest: usize::MAX, magazine, objects: ENOUGH, bytes: usize::MAX }
        }
    }

    impl Factory for Boxes {
        type Object = Box<[u8]>;

        fn make(&self) -> Box<[u8]> {
            vec![0; self.size].into()
        }

        fn reset(&self, bytes: &mut Box<[u8]>) {
            if self.clear {
                bytes.fill(0);
            }
        }

        fn weigh(&self, bytes: &Box<[u8]>) -> usize {
            bytes.len()
        }
    }

    impl opool::PoolAllocator<Box<[u8]>> for Boxes {
        fn allocate(&self) -> Box<[u8]> {
            self.make()
        }
    }

    /// Free buffers that all threads share.
    pub trait Free {
        fn pop(&self) -> Option<Box<[u8]>>;
        fn push(&self, bytes: Box<[u8]>);
    }

    impl Free for Mutex<Vec<Box<[u8]>>> {
        fn pop(&self) -> Option<Box<[u8]>> {
            self.lock().unwrap_or_else(PoisonError::into_inner).pop()
        }

        fn push(&self, bytes: Box<[u8]>) {
            self.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        }
    }

    impl Free for ArrayQueue<Box<[u8]>> {
        fn pop(&self) -> Option<Box<[u8]>> {
            ArrayQueue::pop(self)
        }

        fn push(&self, bytes: Box<[u8]>) {
            // There is always room: fewer than ENOUGH buffers are live.
            drop(ArrayQueue::push(self, bytes));
        }
    }

    /// A guard that returns its buffer to `free` when it is dropped.
    pub struct Shared<'a, F: Free> {
        bytes: Box<[u8]>,
        free: &'a F,
    }

    impl<'a, F: Free> Shared<'a, F> {
        pub fn get(free: &'a F, size: usize) -> Self {
            Self { bytes: free.pop().unwrap_or_else(|| vec![0; size].into()), free }
        }
    }

    impl<F: Free> Bytes for Shared<'_, F> {
        fn fill(&mut self, byte: u8) {
            self.bytes.fill(byte);
        }

        fn ends(&self) -> [u8; 2] {
            [self.bytes[0], self.bytes[self.bytes.len() - 1]]
        }
    }

    impl<F: Free> Drop for Shared<'_, F> {
        fn drop(&mut self) {
            self.free.push(mem::take(&mut self.bytes));
        }
    }
}

mod bench {
    use super::sources::{Allocator, Boxes, Bytes, ENOUGH, Shared};
    use criterion::measurement::WallTime;
    use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
    use crossbeam_queue::ArrayQueue;
    use mimalloc::MiMalloc;
    use perf_proved::memory::object_pool::Pool;
    use perf_proved::memory::object_pool::buffers::BufferPool;
    use perf_proved::sys::cores;
    use perf_proved_benches::size;
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::hint::{black_box, spin_loop};
    use std::io::Write;
    use std::sync::Mutex;
    use std::time::{Duration, Instant};
    #[cfg(not(target_env = "msvc"))]
    use tikv_jemallocator::Jemalloc;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    /// Number of buffers that are live at once.
    const LIVE: u64 = 64;

    /// Gets and returns a number of buffers on the calling thread, and checks their content if
    /// asked to.
    type Variant = Box<dyn Fn(u64, bool) + Sync>;
    /// Gets a number of buffers on the first core, returns them on the second, and returns the time
    /// taken.
    type Apart = Box<dyn Fn([usize; 2], u64) -> Duration>;

    pub fn alone(criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group("object_pool");
        for bytes in [64, 4 * KIB, 64 * KIB, MIB] {
            group.throughput(perf_proved_benches::bytes(bytes));
            for (name, variant) in
                any_content(bytes).into_iter().filter(|(name, _)| *name != "array_queue")
            {
                on_one(&mut group, name, &size(bytes), &variant);
            }
        }
        group.finish();

        let mut group = criterion.benchmark_group("object_pool_zeroed");
        for bytes in [4 * KIB, MIB] {
            for (name, variant) in zeroed(bytes) {
                on_one(&mut group, name, &size(bytes), &variant);
            }
        }
        group.finish();

        let mut group = criterion.benchmark_group("object_pool_used");
        for (name, variant) in used(4 * KIB, MIB) {
            on_one(&mut group, name, &size(MIB), &variant);
        }
        group.finish();

        let mut group = criterion.benchmark_group("object_pool_aa");
        for function in ["first", "second"] {
            on_one(&mut group, function, "one", &magazines(64));
        }
        group.finish();
    }

    pub fn on_two(criterion: &mut Criterion, cores: [usize; 2]) {
        let mut group = criterion.benchmark_group("object_pool_two");
        for bytes in [64, 64 * KIB] {
            for (name, variant) in any_content(bytes) {
                two_at_once(&mut group, name, bytes, &size(bytes), &variant, cores);
            }
        }
        group.finish();

        let mut group = criterion.benchmark_group("object_pool_apart");
        for bytes in [64, 64 * KIB] {
            // The items of the queue have the same size in both cases.
            for (name, both_ends) in
                apart(bytes).into_iter().filter(|(name, _)| bytes == 64 || *name != "transport")
            {
                group.bench_function(BenchmarkId::new(name, size(bytes)), |bencher| {
                    bencher
                        .iter_custom(|times| often(times, bytes, |times| both_ends(cores, times)));
                });
            }
        }
        group.finish();

        let mut group = criterion.benchmark_group("object_pool_aa");
        for function in ["first", "second"] {
            two_at_once(&mut group, function, 64, "two", &magazines(64), cores);
        }
        group.finish();
    }

    fn on_one(
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: &str,
        parameter: &str,
        variant: &Variant,
    ) {
        variant(2 * LIVE, true);
        group.bench_function(BenchmarkId::new(name, parameter), |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                variant(times, false);
                start.elapsed()
            });
        });
    }

    /// Measures a variant on both cores at once.
    fn two_at_once(
        group: &mut BenchmarkGroup<'_, WallTime>,
        name: &str,
        bytes: usize,
        parameter: &str,
        variant: &Variant,
        cores: [usize; 2],
    ) {
        let both = |times, check| -> Duration {
            cores::together(&cores, |_| variant(times, check))
                .expect("these cores were allowed a moment ago")
        };
        both(2 * LIVE, true);
        group.bench_function(BenchmarkId::new(name, parameter), |bencher| {
            bencher.iter_custom(|times| often(times, bytes, |times| both(times, false)));
        });
    }

    /// Returns the time of `times` buffers, measured with at least 16,384, or with 64 MiB of larger
    /// ones: two threads that start at once need a while to be in step.
    fn often(times: u64, bytes: usize, run: impl Fn(u64) -> Duration) -> Duration {
        let done = times.max((1 << 14).min((64 * MIB / bytes) as u64));
        run(done).mul_f64(times as f64 / done as f64)
    }

    /// Gets and writes [`LIVE`] buffers, then returns them, until `times` buffers have been used.
    fn burst<H>(
        times: u64,
        get: impl Fn() -> H,
        write: impl Fn(&mut H, u8),
        check: impl Fn(&H, u8),
    ) {
        let mut held = Vec::with_capacity(LIVE as usize);
        let mut left = times;
        while left > 0 {
            let now = left.min(LIVE);
            for number in 0..now {
                let mut one = get();
                write(&mut one, number as u8 + 1);
                held.push(black_box(one));
            }
            held.iter().zip(1..).for_each(|(one, number)| check(one, number));
            held.clear();
            left -= now;
        }
    }

    /// Uses buffers with any content. Each keeps what was written to it until it is returned.
    fn dirty<H: Bytes>(times: u64, look: bool, get: impl Fn() -> H) {
        let check =
            |one: &H, number| assert!(!look || one.ends() == [number; 2], "another buffer's bytes");
        burst(times, get, H::fill, check);
    }

    /// Uses buffers that must be zero at first.
    fn clean<H: Bytes>(times: u64, look: bool, get: impl Fn() -> H) {
        let write = |one: &mut H, number| {
            assert!(!look || one.ends() == [0; 2], "not zero");
            one.fill(number);
        };
        let check =
            |one: &H, number| assert!(!look || one.ends() == [number; 2], "another buffer's bytes");
        burst(times, get, write, check);
    }

    fn allocator<A: GlobalAlloc>(allocator: A, bytes: usize, zeroed: bool) -> Allocator<A> {
        let layout = Layout::array::<u8>(bytes).expect("1 MiB at most");
        Allocator { allocator, layout, zeroed }
    }

    fn allocated<A: GlobalAlloc + Sync + 'static>(
        global: A,
        bytes: usize,
        zeroed: bool,
    ) -> Variant {
        let allocator = allocator(global, bytes, zeroed);
        Box::new(move |times, look| {
            if zeroed {
                clean(times, look, || allocator.get())
            } else {
                dirty(times, look, || allocator.get())
            }
        })
    }

    fn allocators(bytes: usize, zeroed: bool) -> Vec<(&'static str, Variant)> {
        vec![
            ("system", allocated(System, bytes, zeroed)),
            #[cfg(not(target_env = "msvc"))]
            ("jemalloc", allocated(Jemalloc, bytes, zeroed)),
            ("mimalloc", allocated(MiMalloc, bytes, zeroed)),
        ]
    }

    fn magazines(bytes: usize) -> Variant {
        let boxes = Boxes { size: bytes, clear: false };
        let limits = boxes.limits();
        let pool = Pool::new(boxes, limits);
        Box::new(move |times, look| {
            let local = pool.local();
            dirty(times, look, || local.get());
        })
    }

    fn any_content(bytes: usize) -> Vec<(&'static str, Variant)> {
        let stack = Mutex::new(Vec::with_capacity(ENOUGH));
        let queue = ArrayQueue::new(ENOUGH);
        let pulled = object_pool::Pool::new(0, Box::default);
        let opool = opool::Pool::new(ENOUGH, Boxes { size: bytes, clear: false });
        let mut variants = allocators(bytes, false);
        variants.push((
            "mutex_vec",
            Box::new(move |times, look| dirty(times, look, || Shared::get(&stack, bytes))),
        ));
        variants.push((
            "array_queue",
            Box::new(move |times, look| dirty(times, look, || Shared::get(&queue, bytes))),
        ));
        let pull = move |times, look| dirty(times, look, || pulled.pull(|| vec![0; bytes].into()));
        variants.push(("crate_object_pool", Box::new(pull)));
        variants
            .push(("crate_opool", Box::new(move |times, look| dirty(times, look, || opool.get()))));
        variants.push(("magazines", magazines(bytes)));
        variants
    }

    fn zeroed(bytes: usize) -> Vec<(&'static str, Variant)> {
        let pool = BufferPool::new(LIVE as usize * 2 * MIB);
        let mut variants = allocators(bytes, true);
        let by_size = move |times, look| {
            let local = pool.local();
            clean(times, look, || local.zeroed(bytes));
        };
        variants.push(("by_size", Box::new(by_size)));
        variants
    }

    /// Writes the first `used` bytes of `capacity`.
    fn used(used: usize, capacity: usize) -> Vec<(&'static str, Variant)> {
        let boxes = Boxes { size: capacity, clear: true };
        let limits = boxes.limits();
        let (whole, by_size) = (Pool::new(boxes, limits), BufferPool::new(LIVE as usize * 2 * MIB));
        let bytes = vec![1; used];
        let same = bytes.clone();
        let clear_all = move |times, look: bool| {
            let local = whole.local();
            let check =
                |one: &_, _| assert!(!look || Bytes::ends(one) == [1, 0], "not what was written");
            burst(times, || local.get(), |one, _| one[..used].copy_from_slice(&bytes), check);
        };
        let clear_used = move |times, look: bool| {
            let local = by_size.local();
            let write = |one: &mut perf_proved::memory::object_pool::buffers::Buffer<'_>, _| {
                one.write_all(&same).expect("there is room");
            };
            let check =
                |one: &_, _| assert!(!look || Bytes::ends(one) == [1, 1], "not what was written");
            burst(times, || local.get(capacity), write, check);
        };
        vec![("clear_all", Box::new(clear_all)), ("clear_used", Box::new(clear_used))]
    }

    /// Measures both ends: one core gets and writes `times` buffers, the other reads and returns
    /// them.
    fn hand_over<H: Bytes + Send>(
        cores: [usize; 2],
        times: u64,
        get: impl Fn() -> H + Sync,
    ) -> Duration {
        ends(cores, |queue, core| match core {
            0 => send(queue, times, || written(get())),
            _ => receive(queue, times, |one| drop(read(one))),
        })
    }

    fn ends<H: Send>(cores: [usize; 2], end: impl Fn(&ArrayQueue<H>, usize) + Sync) -> Duration {
        let queue = ArrayQueue::new(256);
        cores::together(&cores, |core| end(&queue, core))
            .expect("these cores were allowed a moment ago")
    }

    fn send<H>(queue: &ArrayQueue<H>, times: u64, get: impl Fn() -> H) {
        for _ in 0..times {
            let mut one = get();
            while let Err(back) = queue.push(one) {
                one = back;
                spin_loop();
            }
        }
    }

    fn receive<H>(queue: &ArrayQueue<H>, times: u64, put: impl Fn(H)) {
        for _ in 0..times {
            let one = loop {
                match queue.pop() {
                    Some(one) => break one,
                    None => spin_loop(),
                }
            };
            put(one);
        }
    }

    fn written<H: Bytes>(mut one: H) -> H {
        one.fill(1);
        black_box(one)
    }

    /// Reads the first and the last byte, as a part of the work.
    fn read<H: Bytes>(one: H) -> H {
        assert!(one.ends() == [1; 2], "what was written has not arrived");
        one
    }

    fn freed_apart<A: GlobalAlloc + Sync + 'static>(global: A, bytes: usize) -> Apart {
        let allocator = allocator(global, bytes, false);
        Box::new(move |cores, times| hand_over(cores, times, || allocator.get()))
    }

    fn apart(bytes: usize) -> Vec<(&'static str, Apart)> {
        let stack = Mutex::new(Vec::with_capacity(ENOUGH));
        let queue = ArrayQueue::new(ENOUGH);
        let pulled = object_pool::Pool::new(0, Box::default);
        let opool = opool::Pool::new(ENOUGH, Boxes { size: bytes, clear: false });
        let pool = |boxes: Boxes| {
            let limits = boxes.limits();
            Pool::new(boxes, limits)
        };
        let [dropping, taking] = [(); 2].map(|()| pool(Boxes { size: bytes, clear: false }));
        let dropped = move |cores, times| {
            ends(cores, |queue, core| match core {
                0 => {
                    let local = dropping.local();
                    send(queue, times, || written(local.get_sendable()));
                }
                _ => receive(queue, times, |one| drop(read(one))),
            })
        };
        let taken_back = move |cores, times| {
            ends(cores, |queue, core| {
                let local = taking.local();
                match core {
                    0 => send(queue, times, || written(local.get_sendable())),
                    _ => receive(queue, times, |one| local.take_back(read(one))),
                }
            })
        };
        let transport = move |cores, times| {
            ends(cores, |queue, core| match core {
                0 => send(queue, times, || black_box([1_u8; 16])),
                _ => receive(queue, times, |one| {
                    black_box(one);
                }),
            })
        };
        vec![
            ("transport", Box::new(transport) as Apart),
            ("system", freed_apart(System, bytes)),
            #[cfg(not(target_env = "msvc"))]
            ("jemalloc", freed_apart(Jemalloc, bytes)),
            ("mimalloc", freed_apart(MiMalloc, bytes)),
            (
                "mutex_vec",
                Box::new(move |cores, times| {
                    hand_over(cores, times, || Shared::get(&stack, bytes))
                }),
            ),
            (
                "array_queue",
                Box::new(move |cores, times| {
                    hand_over(cores, times, || Shared::get(&queue, bytes))
                }),
            ),
            (
                "crate_object_pool",
                Box::new(move |cores, times| {
                    hand_over(cores, times, || pulled.pull(|| vec![0; bytes].into()))
                }),
            ),
            ("crate_opool", Box::new(move |cores, times| hand_over(cores, times, || opool.get()))),
            ("dropped", Box::new(dropped)),
            ("taken_back", Box::new(taken_back)),
        ]
    }
}
