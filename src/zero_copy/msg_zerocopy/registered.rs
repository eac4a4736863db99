//! The buffers that a ring sends: the program's own, which the kernel pins for each send, and those
//! that it has pinned once, io_uring's registered buffers.

use std::ops::{Deref, DerefMut};

/// A buffer that a [`Ring`](super::ring::Ring) sends without a copy.
#[derive(Debug)]
pub enum Buffer {
    /// Memory that the kernel pins for each send.
    Own(Vec<u8>),
    /// Memory that stays pinned.
    Registered(Registered),
}

impl Buffer {
    /// Returns the number of a registered buffer.
    pub(super) fn index(&self) -> Option<u16> {
        if let Self::Registered(buffer) = self { Some(buffer.index) } else { None }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Registered(buffer) => buffer,
        }
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Own(bytes)
    }
}

impl From<Registered> for Buffer {
    fn from(buffer: Registered) -> Self {
        Self::Registered(buffer)
    }
}

/// A buffer whose pages the kernel has pinned for one ring. Its length is fixed: memory that is
/// allocated later is not the memory that was pinned.
#[derive(Debug)]
pub struct Registered {
    bytes: Box<[u8]>,
    index: u16,
}

impl Registered {
    /// Wraps the memory that a ring knows by the number `index`.
    pub(super) fn new(bytes: Box<[u8]>, index: u16) -> Self {
        Self { bytes, index }
    }
}

impl Deref for Registered {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl DerefMut for Registered {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}
