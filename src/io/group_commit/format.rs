//! The bytes of a log. All numbers are little-endian.
//!
//! | header of a segment | bytes | | frame of a record | bytes |
//! | --- | --- | --- | --- | --- |
//! | magic number | 8 | | length | 4 |
//! | version | 4 | | checksum | 4 |
//! | checksum | 4 | | sequence number | 8 |
//! | log id | 8 | | last durable sequence number | 8 |
//! | first sequence number | 8 | | the record | length |
//!
//! A checksum is the CRC32C of the record, the log id and the rest of the frame, so a record is
//! valid in its log and at its number only. Sequence numbers begin at 1: zeros are never a record.

/// The bytes of a segment's header.
pub(super) const HEADER: usize = 32;

/// The bytes in front of each record.
pub(super) const FRAME: usize = 24;

/// The most bytes that a record of any log has: 16 MiB.
pub const LARGEST: usize = 16 << 20;

const MAGIC: [u8; 8] = *b"GrpCmLog";
const VERSION: u32 = 1;

/// The header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// A random number, the same in all segments of a log.
    pub log: u64,
    /// The sequence number of the first record.
    pub first: u64,
}

/// The reason for which bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoHeader {
    /// They are too few, or damaged, or none ever.
    Invalid,
    /// They are one of another version.
    Version(u32),
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.log.to_le_bytes());
        bytes[24..].copy_from_slice(&self.first.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, NoHeader> {
        let mut bytes: [u8; HEADER] = bytes.try_into().map_err(|_| NoHeader::Invalid)?;
        let checksum = u32_at(&bytes, 12);
        bytes[12..16].fill(0);
        if bytes[..8] != MAGIC || crc32c::crc32c(&bytes) != checksum {
            return Err(NoHeader::Invalid);
        }
        match u32_at(&bytes, 8) {
            VERSION => Ok(Self { log: u64_at(&bytes, 16), first: u64_at(&bytes, 24) }),
            version => Err(NoHeader::Version(version)),
        }
    }
}

/// The frame of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub length: usize,
    pub checksum: u32,
    pub sequence: u64,
    /// The last sequence number that was durable when this record was written.
    pub durable: u64,
}

impl Frame {
    /// Reads a frame. Any bytes are one.
    pub(super) fn decode(bytes: &[u8; FRAME]) -> Self {
        Self {
            length: u32_at(bytes, 0) as usize,
            checksum: u32_at(bytes, 4),
            sequence: u64_at(bytes, 8),
            durable: u64_at(bytes, 16),
        }
    }

    pub(super) fn encode(self) -> [u8; FRAME] {
        let mut bytes = [0; FRAME];
        bytes[..4].copy_from_slice(&(self.length as u32).to_le_bytes());
        bytes[4..8].copy_from_slice(&self.checksum.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..].copy_from_slice(&self.durable.to_le_bytes());
        bytes
    }

    // ANCHOR: checksum
    /// Returns the checksum of this frame in the log `log`, for a record whose own checksum
    /// is `record`. Everything that could be mistaken takes part.
    pub(super) fn checksum(self, log: u64, record: u32) -> u32 {
        let frame = Self { checksum: 0, ..self }.encode();
        crc32c::crc32c_append(crc32c::crc32c_append(record, &log.to_le_bytes()), &frame)
    }
    // ANCHOR_END: checksum

    /// Returns `true` if `record` has this checksum in the log `log`.
    pub(super) fn fits(self, log: u64, record: &[u8]) -> bool {
        self.checksum(log, crc32c::crc32c(record)) == self.checksum
    }
}

/// Adds a record to a group. Its checksum is that of the record alone until [`seal`] completes it,
/// so the long part of the work needs no lock.
pub(super) fn push(group: &mut Vec<u8>, sequence: u64, record: &[u8], checksum: u32) {
    let frame = Frame { length: record.len(), checksum, sequence, durable: 0 };
    group.extend_from_slice(&frame.encode());
    group.extend_from_slice(record);
}

/// Completes the frames of a group, when it is known which records are durable.
pub(super) fn seal(group: &mut [u8], log: u64, durable: u64) {
    let mut rest = group;
    while let Some((bytes, behind)) = rest.split_first_chunk_mut::<FRAME>() {
        let unsealed = Frame { durable, ..Frame::decode(bytes) };
        let checksum = unsealed.checksum(log, unsealed.checksum);
        *bytes = Frame { checksum, ..unsealed }.encode();
        rest = &mut behind[unsealed.length..];
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
