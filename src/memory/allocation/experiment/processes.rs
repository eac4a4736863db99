//! Experiments that change their process, or may end it: each runs in a process of its own.

use super::super::arena::{Arena, Full};
use super::super::budget::Budget;
use super::super::{naive, process};
use crate::harness::child::{self, End};
use crate::proof::{resident, usage};
use std::hint::black_box;
use std::sync::mpsc;
use std::{io, thread};

const MIB: usize = 1 << 20;
const FILLED: usize = 64 * MIB;
const LIMIT: usize = 65 * MIB;

/// The numbers that an experiment found, by name.
pub type Found = io::Result<Vec<(&'static str, u64)>>;

/// An experiment, by name. It gets the budget of the program's global allocator.
pub type Experiment = (&'static str, fn(&Budget) -> Found);

/// All experiments, in the order of the chapter.
pub const EXPERIMENTS: [Experiment; 17] = [
    ("small_freed", |_| freed(64, |_| false)),
    ("medium_freed", |_| freed(1000, |_| false)),
    ("medium_freed_but_last", |_| freed(1000, |number| number == FILLED / 1000 - 1)),
    ("medium_one_in_64KiB", |_| freed(1000, |number| number.is_multiple_of(64))),
    ("medium_one_in_4KiB", |_| freed(1000, |number| number.is_multiple_of(4))),
    ("large_freed", |_| freed(MIB, |_| false)),
    ("fresh_buffers", |_| fresh_buffers(None)),
    ("fresh_buffers_mapped", |_| fresh_buffers(Some(128 << 10))),
    ("watched", |_| watched()),
    ("capped_serve", capped_serve),
    ("capped_reserve", capped_reserve),
    ("capped_push", capped_push),
    ("address_space_reserve", |_| address_space_reserve()),
    ("address_space_spawn", |_| address_space_spawn(None)),
    ("address_space_spawn_one_arena", |_| address_space_spawn(Some(1))),
    ("overcommit", |_| overcommit()),
    ("control_group", |_| control_group()),
];

// ANCHOR: freed
/// Fills 64 MiB with blocks of `size` bytes, frees all but those that `kept` selects, and
/// asks the kernel how much is still resident.
fn freed(size: usize, kept: fn(usize) -> bool) -> Found {
    let mut blocks: Vec<Option<Box<[u8]>>> = (0..FILLED / size).map(|_| None).collect();
    let before = resident::now()?;
    let grown = || Ok::<_, io::Error>(resident::now()?.saturating_sub(before));
    blocks.iter_mut().for_each(|block| *block = Some(vec![1; size].into()));
    let full = grown()?;
    for (number, block) in blocks.iter_mut().enumerate() {
        if !kept(number) {
            *block = None;
        }
    }
    let mut found = vec![("resident_full", full), ("resident_freed", grown()?)];
    // Only GNU's C library can trim its heap.
    if process::trim().is_ok() {
        found.push(("resident_trimmed", grown()?));
    }
    Ok(found)
}
// ANCHOR_END: freed

/// Counts the page faults of 100 requests with a fresh buffer of 1 MiB each.
fn fresh_buffers(map_from: Option<i32>) -> Found {
    map_from.map_or(Ok(()), process::map_from)?;
    let ((), used) = usage::count(|| {
        (0..100).for_each(|_| drop(black_box(vec![1_u8; MIB])));
        Ok(())
    })?;
    Ok(vec![("page_faults", used.minor_faults)])
}

/// Keeps 1 MiB of each request, under a limit of 65 MiB that is checked once per 64 requests.
fn watched() -> Found {
    let limit = resident::now()? + LIMIT as u64;
    Ok(vec![("bytes_beyond", naive::serve(limit, 64, 256, || vec![1_u8; MIB])?)])
}

// ANCHOR: capped_serve
/// Serves the same requests under a cap. `try_reserve_exact` reports a refusal, so a
/// request can answer with an error. Half a MiB remains for allocations that cannot.
fn capped_serve(budget: &Budget) -> Found {
    let limit = resident::now()? + LIMIT as u64;
    budget.set_limit(budget.live() + LIMIT + MIB / 2);
    let request = |_| {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(MIB).ok()?; // "503 Service Unavailable"
        bytes.resize(MIB, 1_u8);
        Some(bytes)
    };
    let mut kept = [const { None }; 256];
    kept.iter_mut().enumerate().for_each(|(number, slot)| *slot = request(number));
    let beyond = resident::peak()?.saturating_sub(limit);
    Ok(vec![("served", kept.iter().flatten().count() as u64), ("bytes_beyond", beyond)])
}
// ANCHOR_END: capped_serve

/// Asks for `too_much` bytes, for 32 MiB, and for too much in an arena.
fn reserve(too_much: usize) -> Found {
    let mut bytes = Vec::<u8>::new();
    let refused = bytes.try_reserve(too_much).is_err();
    let served = bytes.try_reserve(32 * MIB).is_ok();
    let half = black_box(vec![0_u8; too_much / 2]);
    let full = Arena::new(usize::MAX).alloc_slice(&half) == Err(Full);
    black_box(bytes); // otherwise the compiler may leave its allocation out
    Ok(vec![
        ("refused", refused.into()),
        ("arena_full", full.into()),
        ("served_then", served.into()),
    ])
}

fn capped_reserve(budget: &Budget) -> Found {
    budget.set_limit(80 * MIB);
    reserve(81 * MIB)
}

/// Grows a vector until the cap aborts the process.
fn capped_push(budget: &Budget) -> Found {
    budget.set_limit(80 * MIB);
    let mut bytes = Vec::new();
    loop {
        bytes.extend_from_slice(&[1_u8; 4096]);
    }
}

fn address_space_reserve() -> Found {
    process::limit_address_space(256 << 20)?;
    reserve(300 * MIB)
}

/// Starts threads that allocate a word and then wait, each with 8 MiB of address space for its
/// stack, as in C. With `arenas`, they share that number of arenas.
fn address_space_spawn(arenas: Option<i32>) -> Found {
    arenas.map_or(Ok(()), process::limit_arenas)?;
    process::limit_address_space(256 << 20)?;
    let (begun, begins) = mpsc::channel();
    let start = |_| {
        let begun = begun.clone();
        let work = move || {
            // The first allocation of a thread is when glibc gives it an arena.
            drop(black_box(Box::new(0_u64)));
            let _ = begun.send(()); // fails only if the main thread has ended
            thread::park();
        };
        let thread = thread::Builder::new().stack_size(8 * MIB).spawn(work).ok()?;
        // Otherwise, the stacks could take up all address space before the arenas do.
        begins.recv().ok()?;
        Some(thread)
    };
    let threads: Vec<_> = (0..256).map_while(start).collect();
    let resident = resident::now()?;
    threads.iter().for_each(|thread| thread.thread().unpark());
    Ok(vec![("threads", threads.len() as u64), ("bytes_resident", resident)])
}

fn overcommit() -> Found {
    let before = resident::now()?;
    let mut bytes = Vec::<u8>::new();
    let reserved = bytes.try_reserve(20 << 30).map_or(0, |()| bytes.capacity() as u64);
    let resident = resident::now()?.saturating_sub(before);
    Ok(vec![("bytes_reserved", reserved), ("bytes_resident", resident)])
}

/// Allocates 64 MiB, and touches them in a forked process that joins a control group with a limit
/// of 32 MiB, since it may not survive.
fn control_group() -> Found {
    let mut bytes = Vec::<u8>::with_capacity(FILLED);
    let ended = process::Group::new(32 << 20).and_then(|group| {
        let touch = || {
            let joined = group.join();
            let pages = bytes.spare_capacity_mut().iter_mut().step_by(4096);
            pages.for_each(|byte| _ = black_box(byte.write(1)));
            i32::from(joined.is_err())
        };
        // SAFETY: the child writes to an open file, then to memory that it has. It takes no lock
        // and does not allocate.
        unsafe { child::end_of(touch) }
    });
    match ended {
        Ok(End::Signal(signal)) => return Ok(vec![("signal", signal as u64)]),
        Ok(End::Exit(0)) => return Ok(vec![("signal", 0)]),
        Ok(End::Exit(_)) => eprintln!("the process may not join the group"),
        Err(reason) => eprintln!("{reason}"),
    }
    Ok(vec![])
}
