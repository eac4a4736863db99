//! Getting a buffer, writing all of it and returning it: from allocators, from pools behind one
//! lock or one queue, and from a pool with magazines. 64 B to 1 MiB.
//!
//! One iteration is one buffer. 64 buffers are taken and written, then all are returned;
//! `object_pool_live` has from 1 to 256 at once, since a source's own cache holds some number of
//! them. `object_pool` asks for no particular content, so nothing is cleared, except by `by_size`,
//! which clears what was written when it returns. `object_pool_zeroed` asks for zeros, which an
//! allocator provides before the use and a pool restores after it. `object_pool_used` writes 4 KiB
//! of a buffer of 1 MiB. `object_pool_two` runs two threads at once, each with 64 live buffers. In
//! `object_pool_apart` one thread gets and writes, and another returns; `transport` is the queue
//! between them by itself. Both have 64 B, where the source is most of the work, and 64 KiB, where
//! the writing is.

use perf_proved::sys::cores::two_cores;
use perf_proved_benches::{Plan, with};
use std::io;

fn main() -> io::Result<()> {
    let cores = two_cores();
    let mut plan = Plan::new();
    bench::alone(&mut plan);
    with(cores, &["object_pool_two", "object_pool_apart"], |cores| {
        bench::on_two(&mut plan, cores);
        Ok(())
    })?;
    plan.run()
}

/// The sources of the buffers.
mod sources {
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

    /// A guard that returns its buffer to a vector behind a lock when it is dropped.
    pub struct Locked<'a> {
        bytes: Box<[u8]>,
        free: &'a Mutex<Vec<Box<[u8]>>>,
    }

    impl<'a> Locked<'a> {
        pub fn get(free: &'a Mutex<Vec<Box<[u8]>>>, size: usize) -> Self {
            let bytes = free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            Self { bytes: bytes.unwrap_or_else(|| vec![0; size].into()), free }
        }
    }

    impl Bytes for Locked<'_> {
        fn fill(&mut self, byte: u8) {
            self.bytes.fill(byte);
        }

        fn ends(&self) -> [u8; 2] {
            [self.bytes[0], self.bytes[self.bytes.len() - 1]]
        }
    }

    impl Drop for Locked<'_> {
        fn drop(&mut self) {
            let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.push(mem::take(&mut self.bytes));
        }
    }
}

mod bench {
    use super::sources::{Allocator, Boxes, Bytes, ENOUGH, Locked};
    use crossbeam_queue::ArrayQueue;
    use mimalloc::MiMalloc;
    use perf_proved::memory::object_pool::Pool;
    use perf_proved::memory::object_pool::buffers::{Buffer, BufferPool};
    use perf_proved::sys::cores;
    use perf_proved::sys::cores::two_cores;
    use perf_proved_benches::{Group, Plan, size};
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::hint::{black_box, spin_loop};
    use std::io::Write;
    use std::sync::Mutex;
    use std::time::{Duration, Instant};
    #[cfg(not(target_env = "msvc"))]
    use tikv_jemallocator::Jemalloc;

    const KIB: usize = 1 << 10;
    const MIB: usize = 1 << 20;
    /// Number of buffers that are live at once, except in `object_pool_live`.
    const LIVE: u64 = 64;
    /// Those of `object_pool_live`. A magazine of 64 B has 32 buffers, and a thread two of them;
    /// glibc's cache of a thread has 7 blocks of a size.
    const LIVES: [u64; 6] = [1, 7, 32, 64, 65, 256];

    /// A number of buffers to get and return, of which `live` are live at once.
    #[derive(Clone, Copy)]
    struct Work {
        times: u64,
        live: u64,
        /// Checks the buffers' content.
        look: bool,
    }

    /// Does work on the calling thread.
    type Variant = Box<dyn Fn(Work) + Sync>;
    /// Makes a source of buffers of a size.
    type Source = (&'static str, fn(usize) -> Variant);
    /// Gets a number of buffers on the first core, returns them on the second, and returns the time
    /// taken.
    type Apart = Box<dyn Fn([usize; 2], u64) -> Duration>;
    type ApartSource = (&'static str, fn(usize) -> Apart);

    const ALLOCATORS: &[Source] = &[
        ("system", |bytes| allocated(System, bytes, false)),
        #[cfg(not(target_env = "msvc"))]
        ("jemalloc", |bytes| allocated(Jemalloc, bytes, false)),
        ("mimalloc", |bytes| allocated(MiMalloc, bytes, false)),
    ];
    const POOLS: &[Source] = &[
        ("crate_object_pool", crate_object_pool),
        ("crate_opool", crate_opool),
        ("magazines", magazines),
        ("by_size_uncleared", |bytes| by_size(bytes, false)),
    ];
    const CLEARING: &[Source] = &[("by_size", |bytes| by_size(bytes, true))];
    const LOCKED: &[Source] = &[("mutex_vec", mutex_vec)];
    const ZEROED: &[Source] = &[
        ("system", |bytes| allocated(System, bytes, true)),
        #[cfg(not(target_env = "msvc"))]
        ("jemalloc", |bytes| allocated(Jemalloc, bytes, true)),
        ("mimalloc", |bytes| allocated(MiMalloc, bytes, true)),
        ("by_size", zeroed),
    ];
    const APART: &[ApartSource] = &[
        ("system", |bytes| freed_apart(System, bytes)),
        #[cfg(not(target_env = "msvc"))]
        ("jemalloc", |bytes| freed_apart(Jemalloc, bytes)),
        ("mimalloc", |bytes| freed_apart(MiMalloc, bytes)),
        ("crate_object_pool", pulled_apart),
        ("crate_opool", queued_apart),
        ("dropped", dropped),
        ("taken_back", taken_back),
    ];

    /// Registers the groups of one thread. Each benchmark has a process of its own, because what an
    /// allocator keeps depends on what the process has freed before.
    pub fn alone(plan: &mut Plan<'_>) {
        let group = plan.group("object_pool").isolated();
        for bytes in [64, 4 * KIB, 64 * KIB, MIB] {
            group.throughput(perf_proved_benches::bytes(bytes));
            for source in [ALLOCATORS, POOLS, CLEARING].concat() {
                on_one(group, source, &size(bytes), bytes, LIVE);
            }
        }
        group.again("magazines");

        let group = plan.group("object_pool_live").isolated();
        for live in LIVES {
            for source in [ALLOCATORS, POOLS, CLEARING].concat() {
                on_one(group, source, &live.to_string(), 64, live);
            }
        }
        group.again_at("by_size_uncleared", 32);

        let group = plan.group("object_pool_zeroed").isolated();
        for bytes in [4 * KIB, MIB] {
            for source in ZEROED {
                on_one(group, *source, &size(bytes), bytes, LIVE);
            }
        }

        let group = plan.group("object_pool_used").isolated();
        for source in [("clear_all", clear_all as fn(usize) -> Variant), ("clear_used", clear_used)]
        {
            on_one(group, source, &size(MIB), MIB, LIVE);
        }
        group.again("clear_used");
    }

    pub fn on_two(plan: &mut Plan<'_>, cores: [usize; 2]) {
        let group = plan.group("object_pool_two").isolated().witnessed(cores);
        for bytes in [64, 64 * KIB] {
            group.at_least(steady(bytes));
            for (name, source) in [ALLOCATORS, POOLS, LOCKED].concat() {
                group.made((name, size(bytes)), move || {
                    let variant = source(bytes);
                    let both = move |times, look| {
                        let work = Work { times, live: LIVE, look };
                        cores::together(&cores, |_| variant(work))
                    };
                    both(2 * LIVE, true)?;
                    Ok(move |times| both(times, false))
                });
            }
        }
        group.again("magazines");

        let group = plan.group("object_pool_apart").isolated().witnessed(cores);
        for bytes in [64, 64 * KIB] {
            group.at_least(steady(bytes));
            for &(name, source) in APART {
                group.made((name, size(bytes)), move || {
                    let both_ends = source(bytes);
                    Ok(move |times| both_ends(cores, times))
                });
            }
        }
        // The items of the queue have the same size in both cases.
        group.at_least(steady(64)).bench(("transport", size(64)), move |times| {
            ends(cores, |queue, core| match core {
                0 => send(queue, times, || black_box([1_u8; 16])),
                _ => receive(queue, times, |one| {
                    black_box(one);
                }),
            })
        });
        group.again_at("taken_back", size(64));
    }

    fn on_one(
        group: &mut Group<'_>,
        (name, source): Source,
        parameter: &str,
        bytes: usize,
        live: u64,
    ) {
        group.made((name, parameter), move || {
            if let Ok([core, _]) = two_cores() {
                cores::pin(core)?;
            }
            let variant = source(bytes);
            variant(Work { times: 2 * live, live, look: true });
            Ok(move |times| {
                let start = Instant::now();
                variant(Work { times, live, look: false });
                start.elapsed()
            })
        });
    }

    /// Returns the least number of buffers to measure, 16,384 or 64 MiB of larger ones: two threads
    /// that start at once need a while to be in step.
    fn steady(bytes: usize) -> u64 {
        (1 << 14).min((64 * MIB / bytes) as u64)
    }

    /// Gets and writes `live` buffers, then returns them, until `times` buffers have been used.
    fn burst<H>(
        Work { times, live, .. }: Work,
        get: impl Fn() -> H,
        write: impl Fn(&mut H, u8),
        check: impl Fn(&H, u8),
    ) {
        let mut held = Vec::with_capacity(live as usize);
        let mark = |number: usize| (number % 255) as u8 + 1;
        let mut left = times;
        while left > 0 {
            let now = left.min(live);
            for number in 0..now as usize {
                let mut one = get();
                write(&mut one, mark(number));
                held.push(black_box(one));
            }
            held.iter().enumerate().for_each(|(number, one)| check(one, mark(number)));
            held.clear();
            left -= now;
        }
    }

    /// Uses buffers with any content. Each keeps what was written to it until it is returned.
    fn dirty<H: Bytes>(work: Work, get: impl Fn() -> H) {
        let check = |one: &H, number| {
            assert!(!work.look || one.ends() == [number; 2], "another buffer's bytes");
        };
        burst(work, get, H::fill, check);
    }

    /// Uses buffers that must be zero at first.
    fn clean<H: Bytes>(work: Work, get: impl Fn() -> H) {
        let look = work.look;
        let write = |one: &mut H, number| {
            assert!(!look || one.ends() == [0; 2], "not zero");
            one.fill(number);
        };
        let check =
            |one: &H, number| assert!(!look || one.ends() == [number; 2], "another buffer's bytes");
        burst(work, get, write, check);
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
        Box::new(move |work| {
            if zeroed { clean(work, || allocator.get()) } else { dirty(work, || allocator.get()) }
        })
    }

    fn crate_object_pool(bytes: usize) -> Variant {
        let pool = object_pool::Pool::new(0, Box::default);
        Box::new(move |work| dirty(work, || pool.pull(|| vec![0; bytes].into())))
    }

    fn crate_opool(bytes: usize) -> Variant {
        let pool = opool::Pool::new(ENOUGH, Boxes { size: bytes, clear: false });
        Box::new(move |work| dirty(work, || pool.get()))
    }

    fn mutex_vec(bytes: usize) -> Variant {
        let stack = Mutex::new(Vec::with_capacity(ENOUGH));
        Box::new(move |work| dirty(work, || Locked::get(&stack, bytes)))
    }

    /// Returns a pool of boxes; `clear` is whether it clears all of each on return.
    fn pool(size: usize, clear: bool) -> Pool<Boxes> {
        let boxes = Boxes { size, clear };
        let limits = boxes.limits();
        Pool::new(boxes, limits)
    }

    fn magazines(bytes: usize) -> Variant {
        let pool = pool(bytes, false);
        Box::new(move |work| {
            let local = pool.local();
            dirty(work, || local.get());
        })
    }

    /// Returns a pool of buffers with room for all that are ever live.
    fn buffers(clears: bool) -> BufferPool {
        let bytes = 256 * MIB;
        if clears { BufferPool::new(bytes) } else { BufferPool::uncleared(bytes) }
    }

    fn by_size(bytes: usize, clears: bool) -> Variant {
        let pool = buffers(clears);
        Box::new(move |work| {
            let local = pool.local();
            dirty(work, || local.unzeroed(bytes));
        })
    }

    fn zeroed(bytes: usize) -> Variant {
        let pool = buffers(true);
        Box::new(move |work| {
            let local = pool.local();
            clean(work, || local.zeroed(bytes));
        })
    }

    /// The bytes that are written to a buffer of `object_pool_used`.
    const USED: usize = 4 * KIB;

    fn clear_all(capacity: usize) -> Variant {
        let (pool, bytes) = (pool(capacity, true), vec![1; USED]);
        Box::new(move |work| {
            let local = pool.local();
            let check = |one: &_, _| {
                assert!(!work.look || Bytes::ends(one) == [1, 0], "not what was written");
            };
            burst(work, || local.get(), |one, _| one[..USED].copy_from_slice(&bytes), check);
        })
    }

    fn clear_used(capacity: usize) -> Variant {
        let (pool, bytes) = (buffers(true), vec![1; USED]);
        Box::new(move |work| {
            let local = pool.local();
            let write = |one: &mut Buffer<'_>, _| one.write_all(&bytes).expect("there is room");
            let check = |one: &_, _| {
                assert!(!work.look || Bytes::ends(one) == [1, 1], "not what was written");
            };
            burst(work, || local.get(capacity), write, check);
        })
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

    fn pulled_apart(bytes: usize) -> Apart {
        let pool = object_pool::Pool::new(0, Box::default);
        Box::new(move |cores, times| {
            hand_over(cores, times, || pool.pull(|| vec![0; bytes].into()))
        })
    }

    fn queued_apart(bytes: usize) -> Apart {
        let pool = opool::Pool::new(ENOUGH, Boxes { size: bytes, clear: false });
        Box::new(move |cores, times| hand_over(cores, times, || pool.get()))
    }

    fn dropped(bytes: usize) -> Apart {
        let pool = pool(bytes, false);
        Box::new(move |cores, times| {
            ends(cores, |queue, core| match core {
                0 => {
                    let local = pool.local();
                    send(queue, times, || written(local.get_sendable()));
                }
                _ => receive(queue, times, |one| drop(read(one))),
            })
        })
    }

    fn taken_back(bytes: usize) -> Apart {
        let pool = pool(bytes, false);
        Box::new(move |cores, times| {
            ends(cores, |queue, core| {
                let local = pool.local();
                match core {
                    0 => send(queue, times, || written(local.get_sendable())),
                    _ => receive(queue, times, |one| local.take_back(read(one))),
                }
            })
        })
    }
}
