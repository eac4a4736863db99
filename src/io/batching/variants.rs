//! The ways of writing many small items that the chapter compares.

use super::channel::ChannelWriter;
use super::naive::WaitsForCompany;
use super::settings::Settings;
use super::{BatchWriter, gather};
use crate::harness::unknown;
use crate::io::async_io::local::LocalRing;
use crate::io::async_io::{Buffer, Operation, SharedFile};
use crate::sys::unsupported;
use std::fs::File;
use std::io::{self, BufWriter, IoSlice, Seek, Write};
use std::mem;
use std::time::{Duration, Instant};

/// The number of items in a batch, unless a variant says another.
pub const BATCH: usize = 64;

/// A file that grows, is emptied when it has a certain length, and tells when its bytes arrived.
pub struct Sink {
    file: File,
    /// The length with which it is emptied before the next write.
    span: u64,
    at: u64,
    stamps: Option<Stamps>,
}

/// The times at which the items of a schedule have reached the file.
pub struct Stamps {
    /// The length of each item.
    pub length: usize,
    /// The schedule.
    pub schedule: Schedule,
    bytes: u64,
    /// The time from which each item was due until it was written.
    pub latencies: Vec<Duration>,
}

/// The times at which items are due, whether or not the ones before are written.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The time of the first.
    pub start: Instant,
    /// The time between two.
    pub interval: Duration,
}

impl Schedule {
    /// Returns the time of the item of this number.
    pub fn due(&self, number: usize) -> Instant {
        self.start + self.interval * number as u32
    }
}

impl Sink {
    /// Takes an empty file, which grows without a limit.
    pub fn new(file: File) -> Self {
        Self { file, span: u64::MAX, at: 0, stamps: None }
    }

    /// Takes an empty file, which grows to `span` bytes, is emptied, and grows again.
    ///
    /// So items are appended, as to a log. A write over pages that are in the cache is another
    /// case.
    pub fn emptied(file: File, span: u64) -> Self {
        Self { span, ..Self::new(file) }
    }

    /// Takes the times of items of `length` bytes each.
    #[must_use]
    pub fn timed(self, length: usize, schedule: Schedule, items: usize) -> Self {
        let latencies = Vec::with_capacity(items);
        Self { stamps: Some(Stamps { length, schedule, bytes: 0, latencies }), ..self }
    }

    /// Returns the times, if they were taken.
    pub fn into_stamps(self) -> Option<Stamps> {
        self.stamps
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.at >= self.span {
            self.at = 0;
            self.file.set_len(0)?;
            self.file.rewind()?;
        }
        Ok(())
    }

    fn end(&mut self, written: usize) -> usize {
        self.at += written as u64;
        if let Some(stamps) = &mut self.stamps {
            let now = Instant::now();
            stamps.bytes += written as u64;
            let whole = (stamps.bytes / stamps.length as u64) as usize;
            let schedule = stamps.schedule;
            let waited = |number| now.saturating_duration_since(schedule.due(number));
            stamps.latencies.extend((stamps.latencies.len()..whole).map(waited));
        }
        written
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begin()?;
        self.file.write(bytes).map(|written| self.end(written))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.begin()?;
        self.file.write_vectored(slices).map(|written| self.end(written))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A way of writing items to a file, one after the other.
pub enum Variant {
    /// A call for each item.
    Write(Sink),
    /// A buffer to which items are copied.
    Buffered(BufWriter<Sink>),
    /// Gathered writes of this number of items, which the caller holds.
    Gathered(Sink, usize),
    /// The batch writer of this chapter.
    Batched(BatchWriter<Sink>),
    /// A channel, and a thread that takes what is there.
    Channel(ChannelWriter<Sink>),
    /// A ring of the calling thread, with a batch of writes in flight.
    Ring(Box<Ring>),
    /// The batches that wait for company.
    Company(WaitsForCompany<Sink>),
}

/// A ring, the file, and the buffers of a batch.
pub struct Ring {
    ring: LocalRing<()>,
    file: SharedFile,
    free: Vec<Buffer>,
    at: u64,
    sink: Sink,
}

impl Variant {
    /// The names, in the order in which the chapter meets them.
    pub const NAMES: [&str; 7] =
        ["write", "bufwriter_8KiB", "bufwriter_64KiB", "writev", "batch_writer", "channel", "ring"];

    /// Prepares the variant `name`. A batch has [`BATCH`] items, and is written by their number
    /// alone, unless it is the last one.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a name that is not in [`NAMES`](Self::NAMES); the reason why this machine
    /// has no ring; the errors of starting a thread.
    pub fn new(name: &str, sink: Sink) -> io::Result<Self> {
        Ok(match name {
            "write" => Self::Write(sink),
            "bufwriter_8KiB" => Self::buffered(sink, 8 << 10),
            "bufwriter_64KiB" => Self::buffered(sink, 64 << 10),
            "writev" => Self::Gathered(sink, BATCH),
            "batch_writer" => Self::batched(sink, BATCH, Duration::MAX)?,
            "channel" => Self::Channel(ChannelWriter::start(sink, BATCH, 1024)?),
            "ring" => Self::Ring(Box::new(Ring::new(sink)?)),
            _ => return Err(unknown(name, &Self::NAMES)),
        })
    }

    /// Prepares the variant `name` for items that come one by one: the batch writer writes them
    /// after 1 ms at the latest, `no_delay` writes whatever is there, and `company` is the naive
    /// one, which waits for all of a batch.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn open(name: &str, sink: Sink) -> io::Result<Self> {
        match name {
            "batch_writer" => Self::batched(sink, BATCH, Duration::from_millis(1)),
            "no_delay" => Self::batched(sink, BATCH, Duration::ZERO),
            "company" => Ok(Self::Company(WaitsForCompany::new(sink, BATCH))),
            _ => Self::new(name, sink),
        }
    }

    /// Prepares a `BufWriter` of this capacity.
    pub fn buffered(sink: Sink, capacity: usize) -> Self {
        Self::Buffered(BufWriter::with_capacity(capacity, sink))
    }

    /// Prepares a batch writer of batches of `items` items, whatever their bytes, that are written
    /// after `delay` at the latest.
    ///
    /// # Errors
    ///
    /// If its thread cannot be started.
    pub fn batched(sink: Sink, items: usize, delay: Duration) -> io::Result<Self> {
        let (capacity, bytes) = (1024.max(2 * items), 64 << 20);
        let settings = Settings { items, bytes, delay, capacity, capacity_bytes: bytes };
        BatchWriter::start(sink, &settings).map(Self::Batched)
    }

    /// Writes `items`, or keeps some of them for the next batch.
    ///
    /// # Errors
    ///
    /// The errors of the writes.
    pub fn write(&mut self, items: &[Vec<u8>]) -> io::Result<()> {
        match self {
            Self::Write(sink) => items.iter().try_for_each(|item| sink.write_all(item)),
            Self::Buffered(buffer) => items.iter().try_for_each(|item| buffer.write_all(item)),
            Self::Gathered(sink, batch) => {
                items.chunks(*batch).try_for_each(|items| gather::write_all(sink, items, &mut 0))
            }
            Self::Batched(batches) => items.iter().try_for_each(|item| {
                batches.push(&item[..]).map(|_handle| ()).map_err(io::Error::other)
            }),
            Self::Channel(channel) => items.iter().try_for_each(|item| channel.push(item.clone())),
            Self::Ring(ring) => items.chunks(BATCH).try_for_each(|items| ring.write(items)),
            Self::Company(company) => items.iter().try_for_each(|item| company.push(item.clone())),
        }
    }

    /// Writes what was kept.
    ///
    /// # Errors
    ///
    /// The errors of the writes.
    pub fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Buffered(buffer) => buffer.flush(),
            Self::Batched(batches) => batches.flush().map_err(io::Error::other),
            Self::Channel(channel) => channel.flush(),
            _ => Ok(()),
        }
    }

    /// Writes what was kept, and returns the sink. What waits for company is lost.
    ///
    /// # Errors
    ///
    /// The errors of the writes.
    pub fn end(self) -> io::Result<Sink> {
        match self {
            Self::Write(sink) | Self::Gathered(sink, _) => Ok(sink),
            Self::Buffered(buffer) => buffer.into_inner().map_err(|error| error.into_error()),
            Self::Batched(batches) => batches.close().map_err(io::Error::other),
            Self::Channel(channel) => channel.close(),
            Self::Ring(ring) => Ok(ring.sink),
            Self::Company(company) => Ok(company.end().0),
        }
    }
}

impl Ring {
    fn new(sink: Sink) -> io::Result<Self> {
        let ring = LocalRing::new(BATCH, 0, 0);
        let ring = ring.map_err(|reason| unsupported(&reason.to_string()))?;
        let file = SharedFile::from(sink.file.try_clone()?);
        Ok(Self { ring, file, free: vec![], at: 0, sink })
    }

    /// Writes a batch: each item by a request of its own, at its position.
    fn write(&mut self, items: &[Vec<u8>]) -> io::Result<()> {
        if self.at >= self.sink.span {
            self.at = 0;
            self.sink.file.set_len(0)?;
        }
        for item in items {
            let mut buffer = self.free.pop().map_or_else(Vec::new, Buffer::into_vec);
            buffer.clear();
            buffer.extend_from_slice(item);
            let write = Operation::write_at(&self.file, mem::take(&mut buffer), self.at);
            self.ring.submit((), write).map_err(io::Error::other)?;
            self.at += item.len() as u64;
        }
        while let Some(((), end)) = self.ring.next()? {
            self.free.extend(end.done()?.buffer);
        }
        Ok(())
    }
}
