//! The records of a log, in order, and its end.

use super::error::OpenError;
use super::format::{FRAME, Frame, HEADER, Header, LARGEST, NoHeader};
use super::segment;
use crate::sys::storage::{Storage, StoredFile};
use std::io;

/// The contents of a log as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The number of records.
    pub records: u64,
    /// The sequence number of the next record.
    pub next: u64,
    /// The bytes of a torn end: those behind the last record, up to the last that is not zero.
    pub truncated: u64,
    /// The number of segments.
    pub segments: usize,
}

/// Calls `each` with the sequence number and the bytes of each record, in order. Changes nothing.
///
/// # Errors
///
/// Those of the storage; [`OpenError::Corrupt`] if a record is damaged that was durable;
/// [`OpenError::Version`] and [`OpenError::Foreign`] for a segment that is not of this log. `each`
/// has been called with the records before.
pub fn read(storage: &impl Storage, each: impl FnMut(u64, &[u8])) -> Result<Recovery, OpenError> {
    Ok(scan(storage, each)?.recovery())
}

/// All that is known of a log after it has been read.
#[derive(Debug)]
pub(super) struct Scanned {
    /// The id of the log, if there is a segment with a header.
    pub log: Option<u64>,
    /// The names of the segments.
    pub segments: Vec<String>,
    pub records: u64,
    pub next: u64,
    /// The bytes behind the last record, up to the last that is not zero.
    pub torn: u64,
    /// The last segment, if it has records.
    pub last: Option<Last>,
}

/// The last segment of a log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    /// The sequence number of its first record.
    pub first: u64,
    /// The offset of the first record that may not be durable.
    pub doubtful: u64,
    /// The offset behind the last record.
    pub end: u64,
}

impl Scanned {
    pub(super) fn recovery(&self) -> Recovery {
        let Self { records, next, torn, .. } = *self;
        Recovery { records, next, truncated: torn, segments: self.segments.len() }
    }
}

pub(super) fn scan(
    storage: &impl Storage,
    mut each: impl FnMut(u64, &[u8]),
) -> Result<Scanned, OpenError> {
    let segments: Vec<String> =
        storage.names()?.into_iter().filter(|name| segment::first(name).is_some()).collect();
    let next = segments.first().and_then(|name| segment::first(name)).unwrap_or(1);
    let mut log = Scanned { log: None, segments, records: 0, next, torn: 0, last: None };
    // The end of the segment before, where a gap to this one would be.
    let mut before: Option<(String, u64)> = None;
    for (number, name) in log.segments.clone().into_iter().enumerate() {
        let first = segment::first(&name).unwrap_or(log.next);
        if let Some((segment, offset)) = before.filter(|_| first != log.next) {
            let reason = "the next segment does not begin where this one ends";
            return Err(OpenError::Corrupt { segment, offset, reason });
        }
        let file = storage.open(&name)?;
        let is_last = number + 1 == log.segments.len();
        let end = scan_segment(&mut log, &file, &name, is_last, &mut each)?;
        before = Some((name, end));
    }
    Ok(log)
}

/// Reads a segment, and returns its end.
fn scan_segment(
    log: &mut Scanned,
    file: &impl StoredFile,
    name: &str,
    is_last: bool,
    each: &mut impl FnMut(u64, &[u8]),
) -> Result<u64, OpenError> {
    let corrupt = |offset, reason| OpenError::Corrupt { segment: name.to_owned(), offset, reason };
    let first = log.next;
    let mut window = Window::new(file)?;
    match Header::decode(window.at(0, HEADER)?) {
        Ok(header) if header.first != log.next => {
            return Err(corrupt(0, "the header and the name disagree"));
        }
        Ok(header) if *log.log.get_or_insert(header.log) != header.log => {
            return Err(OpenError::Foreign { segment: name.to_owned() });
        }
        Ok(_) => {}
        Err(NoHeader::Version(version)) => {
            return Err(OpenError::Version { segment: name.to_owned(), version });
        }
        Err(NoHeader::Invalid) => {
            // The header is durable before the first record comes.
            let rest = rest(&mut window, HEADER as u64, None)?;
            if !is_last || rest.used > 0 {
                return Err(corrupt(0, "no header"));
            }
            return Ok(0);
        }
    }
    let id = log.log.unwrap_or_default();
    let (mut end, mut doubtful) = (HEADER as u64, HEADER as u64);
    while log.next < u64::MAX
        && let Some((frame, record)) = window.record(end, id, log.next)?
    {
        if frame.durable == log.next - 1 {
            doubtful = end; // all before this one is durable
        }
        each(log.next, record);
        end += (FRAME + record.len()) as u64;
        log.next += 1;
        log.records += 1;
    }
    if is_last {
        let rest = rest(&mut window, end, Some((id, log.next)))?;
        if rest.has_successor {
            return Err(corrupt(end, "a durable record is damaged: a later one knows of it"));
        }
        log.torn = rest.used;
        log.last = (end > HEADER as u64).then_some(Last { first, doubtful, end });
    }
    Ok(end)
}

/// The bytes behind the last record of a log.
struct Rest {
    /// Their number up to the last that is not zero.
    used: u64,
    /// There is a record that was written when the missing one was durable.
    has_successor: bool,
}

// ANCHOR: rest
/// Looks at all bytes from `end` on: for the last that is not zero, and for a record of the log
/// `id` that was written when the one with the number `missing` was durable. A power cut leaves
/// none: then `missing` has been damaged. The id is random, so no content of a record can be made
/// to look like one.
fn rest(
    window: &mut Window<'_, impl StoredFile>,
    end: u64,
    sought: Option<(u64, u64)>,
) -> io::Result<Rest> {
    let mut rest = Rest { used: 0, has_successor: false };
    let mut at = end;
    loop {
        let bytes = window.at(at, WINDOW)?;
        if bytes.is_empty() {
            break;
        }
        if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
            rest.used = at + last as u64 + 1 - end;
        }
        at += bytes.len() as u64;
    }
    let Some((id, missing)) = sought else { return Ok(rest) };
    for at in end..end + rest.used {
        let Some(bytes) = window.at(at, FRAME)?.first_chunk() else { break };
        let frame = Frame::decode(bytes);
        // A file has fewer records than bytes. Random bytes pass hardly ever, and only what passes
        // is worth a checksum.
        let may_be = missing <= frame.durable
            && frame.durable < frame.sequence
            && frame.sequence - missing < window.end;
        if may_be && window.record(at, id, frame.sequence)?.is_some() {
            rest.has_successor = true;
            break;
        }
    }
    Ok(rest)
}
// ANCHOR_END: rest

/// The bytes that are read at once.
const WINDOW: usize = 64 << 10;

/// The bytes of a file that are looked at.
struct Window<'a, F> {
    file: &'a F,
    /// The length of the file: no buffer is longer, whatever a frame says.
    end: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a, F: StoredFile> Window<'a, F> {
    fn new(file: &'a F) -> io::Result<Self> {
        Ok(Self { file, end: file.len()?, start: 0, bytes: vec![] })
    }

    /// Returns `length` bytes at `offset`, or fewer at the end of the file.
    fn at(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let left = self.end.saturating_sub(offset);
        let length = left.min(length as u64) as usize;
        if offset < self.start || offset + length as u64 > self.start + self.bytes.len() as u64 {
            self.start = offset;
            let held = left.min(length.max(WINDOW) as u64) as usize;
            // Growing by itself would take up to twice as much.
            self.bytes.reserve_exact(held.saturating_sub(self.bytes.len()));
            self.bytes.resize(held, 0);
            let read = read_at(self.file, &mut self.bytes, offset)?;
            self.bytes.truncate(read);
        }
        let from = (offset - self.start) as usize;
        Ok(&self.bytes[from..self.bytes.len().min(from + length)])
    }

    /// Returns the record at `offset` if it is whole, of the log `id`, and has this number.
    fn record(
        &mut self,
        offset: u64,
        id: u64,
        sequence: u64,
    ) -> io::Result<Option<(Frame, &[u8])>> {
        let Some(bytes) = self.at(offset, FRAME)?.first_chunk() else { return Ok(None) };
        let frame = Frame::decode(bytes);
        let left = self.end.saturating_sub(offset + FRAME as u64);
        if frame.sequence != sequence || frame.length > LARGEST || frame.length as u64 > left {
            return Ok(None); // before anything is read
        }
        let record = self.at(offset + FRAME as u64, frame.length)?;
        let is_valid = record.len() == frame.length && frame.fits(id, record);
        Ok(is_valid.then_some((frame, record)))
    }
}

/// Fills `into` from `offset` on, and returns the number of bytes that there were.
pub(super) fn read_at(file: &impl StoredFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
