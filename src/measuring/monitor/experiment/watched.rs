//! Code of other chapters at work, with its metrics.

mod load;
#[cfg(target_os = "linux")]
mod log;

use super::super::{Kind, Registry};
use crate::concurrency::ring_buffer::blocking::ring;
use crate::concurrency::worker_pool::{self, WorkerPool};
use crate::harness::unknown;
use load::{Load, refused, seconds, spawn};
use std::hint::black_box;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(unix)]
use crate::sys::interrupt::Interrupt;

/// The techniques that can be watched.
pub const NAMES: [&str; 5] =
    ["worker_pool", "ring_buffer", "event_loop", "batching", "group_commit"];

/// A set of threads that run until they are told to stop. Dropping it tells them.
pub struct Watched(Arc<AtomicBool>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed); // no data depends on it
    }
}

/// Waits for the end: Ctrl-C, or a time.
pub struct End(#[cfg(unix)] Interrupt);

impl End {
    /// Blocks the signals in this thread and in those that it starts from now on. Outside Unix,
    /// Ctrl-C ends the process as usual.
    ///
    /// # Errors
    ///
    /// See [`Interrupt::hold`](crate::sys::interrupt).
    pub fn hold() -> io::Result<Self> {
        #[cfg(unix)]
        return Interrupt::hold().map(Self);
        #[cfg(not(unix))]
        Ok(Self())
    }

    /// Waits for `time`, or for Ctrl-C.
    ///
    /// # Errors
    ///
    /// See [`Interrupt::wait`](crate::sys::interrupt).
    pub fn wait(&self, time: Option<Duration>) -> io::Result<()> {
        if let Some(time) = time {
            thread::sleep(time);
            return Ok(());
        }
        #[cfg(unix)]
        return self.0.wait();
        #[cfg(not(unix))]
        loop {
            thread::park();
        }
    }
}

/// Runs the technique `name` under a load that rises and falls, and registers its metrics.
///
/// # Errors
///
/// `InvalidInput` for a name that is not in [`NAMES`]; `Unsupported` where the technique needs
/// Linux; the errors of starting it.
pub fn start(name: &str, registry: &Registry) -> io::Result<Watched> {
    let stop = Arc::new(AtomicBool::new(false));
    let load = Load { start: Instant::now(), stop: stop.clone() };
    match name {
        "worker_pool" => worker_pool(registry, load)?,
        "ring_buffer" => ring_buffer(registry, load)?,
        #[cfg(target_os = "linux")]
        "event_loop" => linux::event_loop(registry, load)?,
        #[cfg(target_os = "linux")]
        "batching" => linux::batching(registry, load)?,
        #[cfg(target_os = "linux")]
        "group_commit" => log::group_commit(registry, load)?,
        #[cfg(not(target_os = "linux"))]
        "event_loop" | "batching" | "group_commit" => {
            return Err(crate::sys::unsupported("this needs Linux"));
        }
        _ => return Err(unknown(name, &NAMES)),
    }
    Ok(Watched(stop))
}

/// Jobs of some 20 µs for two workers, up to 20,000 a second.
fn worker_pool(registry: &Registry, load: Load) -> io::Result<()> {
    let help = "Time from submitting a job until it begins.";
    let waited = registry.histogram("worker_pool_wait_seconds", help, &[], seconds()?);
    let waited = waited.map_err(refused)?.with(&[]);
    let work = move |submitted: Instant| {
        waited.observe(submitted.elapsed().as_secs_f64());
        (0..20_000).for_each(|step| _ = black_box(step));
    };
    let settings = worker_pool::Settings { workers: 2, ..worker_pool::Settings::default() };
    let pool = Arc::new(WorkerPool::start(&settings, work, |_| {})?);
    let theirs = pool.clone();
    let help = "Jobs by what became of them.";
    let read = registry.read(Kind::Counter, "worker_pool_jobs", help, &["is"], move |jobs| {
        let metrics = theirs.metrics();
        jobs.set(&["submitted"], metrics.submitted);
        jobs.set(&["run"], metrics.run);
    });
    read.map_err(refused)?;
    let theirs = pool.clone();
    let help = "Jobs that wait.";
    let read = registry.read(Kind::Gauge, "worker_pool_queued", help, &[], move |queued| {
        queued.set(&[], theirs.metrics().queued);
    });
    read.map_err(refused)?;
    spawn(move || {
        while let Some(share) = load.share() {
            let mut jobs = (0..(20.0 * share) as usize).map(|_| Instant::now()).collect();
            if pool.submit_all(&mut jobs).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    })
}

/// A ring of 256 items between two threads: the consumer keeps pace with half of the load.
fn ring_buffer(registry: &Registry, load: Load) -> io::Result<()> {
    let help = "Items that entered the ring, and that left it.";
    let items = registry.counter("ring_items", help, &["is"]).map_err(refused)?;
    let help = "Time from one item to the next at the consumer.";
    let gap = registry.histogram("ring_gap_seconds", help, &[], seconds()?);
    let gap = gap.map_err(refused)?.with(&[]);
    let (pushed, popped) = (items.with(&["pushed"]), items.with(&["popped"]));
    let inside = (pushed.clone(), popped.clone());
    let read =
        registry.read(Kind::Gauge, "ring_inside", "Items in the ring.", &[], move |inside_| {
            // The consumer's count first, so that the difference is not negative.
            let popped = inside.1.get();
            inside_.set(&[], inside.0.get().saturating_sub(popped));
        });
    read.map_err(refused)?;
    let (mut producer, mut consumer) = ring::<u64>(256);
    let (mut pushed, mut popped) = (pushed.writer(), popped.writer());
    spawn(move || {
        let mut number = 0;
        while let Some(share) = load.share() {
            for _ in 0..(200.0 * share) as usize {
                if producer.push(number).is_err() {
                    return;
                }
                pushed.increment();
                number += 1;
            }
            thread::sleep(Duration::from_millis(1));
        }
    })?;
    spawn(move || {
        let mut before = Instant::now();
        while let Ok(number) = consumer.pop() {
            popped.increment();
            let now = Instant::now();
            gap.observe((now - before).as_secs_f64());
            before = now;
            (0..8000).for_each(|step| _ = black_box(step + number));
        }
    })
}

#[cfg(target_os = "linux")]
mod linux {
    use super::load::{Load, refused, seconds, spawn};
    use crate::harness::clients::Clients;
    use crate::harness::scratch::{Scratch, pattern};
    use crate::io::batching::{self, BatchWriter};
    use crate::io::event_loop::{Server, Settings};
    use crate::measuring::monitor::{Buckets, Counter, Histogram, Kind, Registry};
    use std::fs::File;
    use std::io::{self, IoSlice, Seek, Write};
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};

    /// A server of one loop, and 16 clients that ask for 4 KiB.
    pub fn event_loop(registry: &Registry, load: Load) -> io::Result<()> {
        const BODY: usize = 4 << 10;
        const CLIENTS: usize = 16;
        let scratch = Scratch::new()?;
        scratch.file("body", BODY)?;
        let settings = Settings { loops: 1, ..Settings::default() };
        let server = Server::start(scratch.path(), "127.0.0.1:0", settings, |_, _| {})?;
        let server = Arc::new(server);
        let theirs = server.clone();
        let help = "Answers, and connections by what became of them.";
        let read =
            registry.read(Kind::Counter, "event_loop_events", help, &["is"], move |events| {
                let counts = theirs.counts();
                events.set(&["response"], counts.responses);
                events.set(&["accepted"], counts.accepted);
                events.set(&["failed"], counts.failed);
            });
        read.map_err(refused)?;
        let theirs = server.clone();
        let help = "Open connections.";
        let read = registry.read(Kind::Gauge, "event_loop_connections", help, &[], move |open| {
            open.set(&[], theirs.connections().iter().sum::<usize>() as u64);
        });
        read.map_err(refused)?;
        let help = "Time of 16 questions at once and their answers.";
        let turn = registry.histogram("event_loop_turn_seconds", help, &[], seconds()?);
        let turn = turn.map_err(refused)?.with(&[]);
        let question = b"GET /body HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut clients = Clients::new(server.address(), CLIENTS, question, &pattern(BODY))?;
        spawn(move || {
            let _files = scratch;
            while let Some(share) = load.share() {
                let start = Instant::now();
                if clients.run(CLIENTS as u64).is_err() {
                    return;
                }
                turn.observe(start.elapsed().as_secs_f64());
                thread::sleep(Duration::from_micros((1000.0 / share) as u64));
            }
        })
    }

    /// A file that is emptied at 4 MiB, with counts of its writes.
    struct Sink {
        file: File,
        _scratch: Scratch,
        length: u64,
        writes: Counter,
        items: Histogram,
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            if self.length > 4 << 20 {
                self.file.set_len(0)?;
                self.file.rewind()?;
                self.length = 0;
            }
            self.writes.increment();
            self.items.observe(slices.len() as f64);
            let written = self.file.write_vectored(slices)?;
            self.length += written as u64;
            Ok(written)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Items of 100 bytes for a batch writer, up to 50,000 a second.
    pub fn batching(registry: &Registry, load: Load) -> io::Result<()> {
        let help = "Items that were pushed.";
        let pushed = registry.counter("batching_items", help, &[]).map_err(refused)?.with(&[]);
        let help = "Writes to the file.";
        let writes = registry.counter("batching_writes", help, &[]).map_err(refused)?.with(&[]);
        let sizes = Buckets::exponential(1.0, 2.0, 11).map_err(refused)?;
        let items = registry.histogram("batching_batch_items", "Items of a write.", &[], sizes);
        let items = items.map_err(refused)?.with(&[]);
        let help = "Time from pushing an item until it was written, of one in 50.";
        let waited = registry.histogram("batching_wait_seconds", help, &[], seconds()?);
        let waited = waited.map_err(refused)?.with(&[]);
        let scratch = Scratch::new()?;
        let file = File::create_new(scratch.path().join("written"))?;
        let sink = Sink { file, _scratch: scratch, length: 0, writes, items };
        let settings =
            batching::Settings { delay: Duration::from_millis(1), ..batching::Settings::default() };
        let batches = BatchWriter::start(sink, &settings)?;
        spawn(move || {
            while let Some(share) = load.share() {
                let start = Instant::now();
                let mut last = None;
                for _ in 0..(50.0 * share) as usize {
                    let Ok(handle) = batches.push(vec![7; 100]) else { return };
                    pushed.increment();
                    last = Some(handle);
                }
                if let Some(handle) = last {
                    handle.wait();
                    waited.observe(start.elapsed().as_secs_f64());
                }
                thread::sleep(Duration::from_micros(500));
            }
        })
    }
}
