//! The sources of buffers that the chapter's counts compare, behind one type.

use super::buffers::{BufferPool, LocalBuffers};
use super::naive::{self, Buffer, ObjectPool};

/// The bytes that the pool of the chapter may keep in each depot.
pub const BOUND: usize = 4 << 20;

/// A source of buffers.
pub enum Variant<'p> {
    /// The allocator.
    Fresh,
    /// The pool that everybody writes first.
    Naive(ObjectPool<Buffer>),
    /// The pool of the chapter.
    Pool(&'p LocalBuffers<'p>),
}

impl Variant<'_> {
    /// The variants' names.
    pub const NAMES: [&'static str; 3] = ["fresh", "naive", "pool"];

    /// Calls `work` with the variant of this name, which has an empty pool of its own.
    pub fn with<T>(name: &str, work: impl FnOnce(&Variant<'_>) -> T) -> T {
        let pool = BufferPool::new(BOUND);
        let local = pool.local();
        work(&match name {
            "fresh" => Variant::Fresh,
            "naive" => Variant::Naive(naive::buffers()),
            _ => Variant::Pool(&local),
        })
    }

    /// Gets `buffers` buffers of `size` bytes, fills all of each with `word`, and then returns them
    /// all.
    pub fn burst(&self, buffers: usize, size: usize, word: u64) {
        let fill = |bytes: &mut [u8]| {
            bytes.chunks_exact_mut(8).for_each(|chunk| chunk.copy_from_slice(&word.to_ne_bytes()));
        };
        match self {
            Self::Fresh => all_at_once(buffers, || vec![0; size], |buffer| fill(buffer), drop),
            Self::Naive(pool) => {
                let get = || {
                    let mut buffer = pool.get();
                    if buffer.bytes.len() < size {
                        buffer.bytes = vec![0; size].into();
                    }
                    buffer
                };
                let fill = |buffer: &mut Buffer| fill(&mut buffer.bytes[..size]);
                all_at_once(buffers, get, fill, |buffer| pool.put(buffer));
            }
            Self::Pool(local) => {
                all_at_once(buffers, || local.zeroed(size), |buffer| fill(buffer), drop);
            }
        }
    }
}

/// Gets and fills `buffers` buffers, and puts them back once all are live.
fn all_at_once<B>(buffers: usize, get: impl Fn() -> B, fill: impl Fn(&mut B), put: impl Fn(B)) {
    let mut live: Vec<B> = Vec::with_capacity(buffers);
    for _ in 0..buffers {
        let mut buffer = get();
        fill(&mut buffer);
        live.push(buffer);
    }
    live.into_iter().for_each(put);
}
