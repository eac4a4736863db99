//! The ways of reading and writing many blocks of a file that the chapter compares.

use super::cached::read_cached;
use super::completion::Completion;
use super::direct::Alignment;
use super::local::LocalRing;
use super::queue::Rejected;
use super::step::SyncKind;
use super::stream::Stream;
use super::{AsyncIo, Buffer, Engine, Operation, Settings, SharedFile};
use crate::harness::unknown;
use crate::sys::{trying, unsupported};
use crate::zero_copy::mmap::Map;
use std::io;
use std::os::unix::fs::FileExt;
use std::slice;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The length of a block in bytes.
pub const BLOCK: usize = 4096;

/// The largest number of threads that a pool gets.
const THREADS: usize = 32;

/// The time for which a thread of the kernel looks for requests in vain before it sleeps.
const IDLE: Duration = Duration::from_secs(1);

/// A way of reading and writing blocks, with what it needs prepared.
pub struct Variant {
    way: Way,
    blocks: Blocks,
}

enum Way {
    Loop,
    Map(Map),
    Engine { io: AsyncIo, inline: bool },
    Local(Box<LocalRing<u64>>),
}

/// The file, and the buffers that are not in use: as many as operations may be in flight.
struct Blocks {
    file: SharedFile,
    free: Vec<Buffer>,
}

/// The treatment of each block that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It stays in the page cache.
    Nothing,
    /// It is synced on its own.
    Sync,
}

impl Variant {
    /// The names, in the order in which the chapter meets them. The first two have one operation in
    /// flight, whatever the depth.
    pub const NAMES: [&str; 10] = [
        "loop",
        "mmap",
        "pool",
        "nowait_pool",
        "ring",
        "ring_registered",
        "local_ring",
        "local_ring_registered",
        "local_ring_files",
        "local_ring_sqpoll",
    ];

    /// Prepares the variant `name` with `depth` operations in flight. A pool has as many threads,
    /// up to 32. `_registered` stands for registered buffers, `_files` for those and the file, and
    /// `_sqpoll` for all that and a thread of the kernel that looks for requests.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a name that is not in [`NAMES`](Self::NAMES); the reason why this machine
    /// has not what the name says: an engine that would fall back is refused.
    pub fn new(name: &str, file: &SharedFile, depth: usize) -> io::Result<Self> {
        Self::with_threads(name, file, depth, depth.min(THREADS))
    }

    /// Prepares the variant `name` as [`new`](Self::new) does. A pool has `threads` threads.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_threads(
        name: &str,
        file: &SharedFile,
        depth: usize,
        threads: usize,
    ) -> io::Result<Self> {
        let base = Settings { depth, threads, ..Settings::default() };
        let is_plain = ["ring", "local_ring"].contains(&name);
        let registered = if is_plain { 0 } else { depth as u16 };
        let way = match name {
            "loop" => Way::Loop,
            "mmap" => Way::Map(Map::whole(file.file())?),
            "pool" | "nowait_pool" => {
                let io = AsyncIo::start(&Settings { engine: Some(Engine::Pool), ..base })?;
                Way::Engine { io, inline: name == "nowait_pool" }
            }
            "ring" | "ring_registered" => {
                let settings = Settings { engine: Some(Engine::Ring), ..base };
                let settings = Settings { buffers: registered, buffer_length: BLOCK, ..settings };
                let io = AsyncIo::start(&settings).map_err(no_ring)?;
                refused(io.not_registered())?;
                Way::Engine { io, inline: false }
            }
            "local_ring" | "local_ring_registered" | "local_ring_files" | "local_ring_sqpoll" => {
                let ring = match name {
                    "local_ring_sqpoll" => LocalRing::polled(depth, registered, BLOCK, IDLE),
                    _ => LocalRing::new(depth, registered, BLOCK),
                };
                let mut ring = ring.map_err(no_ring)?;
                refused(ring.not_registered())?;
                if ["local_ring_files", "local_ring_sqpoll"].contains(&name) {
                    ring.register_files(slice::from_ref(file)).map_err(no_ring)?;
                }
                Way::Local(Box::new(ring))
            }
            _ => return Err(unknown(name, &Self::NAMES)),
        };
        let lent = || match &way {
            Way::Engine { io, .. } => io.buffer(),
            Way::Local(ring) => ring.buffer(),
            _ => None,
        };
        let free = (0..depth).map(|_| lent().map_or_else(|| aligned(file), Ok));
        let free = free.collect::<io::Result<_>>()?;
        Ok(Self { way, blocks: Blocks { file: file.clone(), free } })
    }

    /// Reads the blocks at `places`, in any order, and hands each to `each`.
    ///
    /// # Errors
    ///
    /// The errors of the reads; `UnexpectedEof` for a place beyond the end.
    pub fn read(&mut self, places: &[u64], mut each: impl FnMut(u64, &[u8])) -> io::Result<()> {
        let Self { way, blocks } = self;
        match way {
            Way::Loop => {
                let Blocks { file, free } = blocks;
                places.iter().try_for_each(|at| {
                    file.file().read_exact_at(&mut free[0], *at)?;
                    each(*at, &free[0]);
                    Ok(())
                })
            }
            Way::Map(map) => {
                for at in places {
                    let words = &map.words()[*at as usize / 8..][..BLOCK / 8];
                    for (to, from) in blocks.free[0].chunks_exact_mut(8).zip(words) {
                        // Relaxed: bytes of a file, which order nothing.
                        to.copy_from_slice(&from.load(Ordering::Relaxed).to_ne_bytes());
                    }
                    each(*at, &blocks.free[0]);
                }
                Ok(())
            }
            Way::Engine { io, inline } => {
                let depth = blocks.free.len();
                blocks.read(&mut Stream::new(io, depth), *inline, places, each)
            }
            Way::Local(ring) => blocks.read(&mut **ring, false, places, each),
        }
    }

    /// Writes blocks at `places`, in any order.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a map, which this book does not write through; the errors of the writes
    /// and the syncs.
    pub fn write(&mut self, places: &[u64], then: Then) -> io::Result<()> {
        let Self { way, blocks } = self;
        match way {
            Way::Loop => places.iter().try_for_each(|at| {
                blocks.file.file().write_all_at(&blocks.free[0], *at)?;
                match then {
                    Then::Nothing => Ok(()),
                    Then::Sync => blocks.file.file().sync_data(),
                }
            }),
            Way::Map(_) => Err(unsupported("no write goes through a map here")),
            Way::Engine { io, .. } => {
                let depth = blocks.free.len();
                blocks.write(&mut Stream::new(io, depth), places, then)
            }
            Way::Local(ring) => blocks.write(&mut **ring, places, then),
        }
    }
}

fn refused(reason: Option<&io::Error>) -> io::Result<()> {
    match reason {
        None => Ok(()),
        Some(reason) => Err(unsupported(&reason.to_string())),
    }
}

/// Marks an error as one of this machine, whatever number the kernel gave it.
pub(super) fn no_ring(reason: io::Error) -> io::Error {
    unsupported(&reason.to_string())
}

/// Allocates a block that a read of `file` may fill, even if that is open for direct I/O.
fn aligned(file: &SharedFile) -> io::Result<Buffer> {
    match Alignment::of(file.file()) {
        Ok(Alignment { position, .. }) if position > BLOCK => {
            Err(unsupported(&format!("this file takes no less than {position} bytes at a time")))
        }
        Ok(Alignment { memory, .. }) => Buffer::aligned(BLOCK, memory.max(BLOCK)),
        Err(_) => Buffer::aligned(BLOCK, BLOCK), // no direct I/O, and so any will do
    }
}

/// Checks that nothing is left: a variant that does less is no variant.
fn all(left: impl Iterator<Item = u64>) -> io::Result<()> {
    match left.count() {
        0 => Ok(()),
        left => Err(io::Error::other(format!("no buffer came back for {left} blocks"))),
    }
}

/// Operations in flight, each with the place of its block.
trait InFlight {
    fn submit(&mut self, at: u64, operation: Operation) -> Result<(), Rejected>;
    fn next(&mut self) -> io::Result<Option<(u64, Completion)>>;
}

impl InFlight for Stream<'_, u64> {
    fn submit(&mut self, at: u64, operation: Operation) -> Result<(), Rejected> {
        Stream::submit(self, at, operation)
    }

    fn next(&mut self) -> io::Result<Option<(u64, Completion)>> {
        Ok(Iterator::next(self))
    }
}

impl InFlight for LocalRing<u64> {
    fn submit(&mut self, at: u64, operation: Operation) -> Result<(), Rejected> {
        LocalRing::submit(self, at, operation)
    }

    fn next(&mut self) -> io::Result<Option<(u64, Completion)>> {
        LocalRing::next(self)
    }
}

impl Blocks {
    /// Keeps as many reads in flight as there are buffers.
    fn read(
        &mut self,
        in_flight: &mut impl InFlight,
        inline: bool,
        places: &[u64],
        mut each: impl FnMut(u64, &[u8]),
    ) -> io::Result<()> {
        let mut places = places.iter().copied();
        loop {
            while let Some(mut buffer) = self.free.pop() {
                let Some(at) = places.next() else {
                    self.free.push(buffer);
                    break;
                };
                if inline && read_cached(self.file.file(), &mut buffer, at)? == Some(BLOCK) {
                    each(at, &buffer);
                    self.free.push(buffer);
                } else {
                    let read = Operation::read_at(&self.file, buffer, at);
                    in_flight.submit(at, read).map_err(io::Error::other)?;
                }
            }
            let Some((at, end)) = in_flight.next()? else { return all(places) };
            let end = end.done()?;
            if end.bytes < BLOCK as u64 {
                return trying(at, Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let buffer = end.buffer.expect("a read has one");
            each(at, &buffer);
            self.free.push(buffer);
        }
    }

    /// Keeps as many writes, or writes with their syncs, in flight as there are buffers.
    fn write(
        &mut self,
        in_flight: &mut impl InFlight,
        places: &[u64],
        then: Then,
    ) -> io::Result<()> {
        let mut places = places.iter().copied();
        let mut written = Vec::with_capacity(self.free.len());
        loop {
            while let Some(buffer) = self.free.pop() {
                let Some(at) = places.next() else {
                    self.free.push(buffer);
                    break;
                };
                let write = Operation::write_at(&self.file, buffer, at);
                in_flight.submit(at, write).map_err(io::Error::other)?;
            }
            let Some((at, end)) = in_flight.next()? else { return all(places) };
            match (end.done()?.buffer, then) {
                (Some(buffer), Then::Nothing) => self.free.push(buffer),
                (Some(buffer), Then::Sync) => {
                    written.push(buffer); // free again after the sync
                    let sync = Operation::sync(&self.file, SyncKind::Data);
                    in_flight.submit(at, sync).map_err(io::Error::other)?;
                }
                (None, _) => self.free.extend(written.pop()),
            }
        }
    }
}
