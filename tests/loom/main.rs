//! The concurrent parts of each technique, explored by loom: one module a technique.
//!
//!     cargo explore
//!     cargo explore --exact TECHNIQUE::MODEL
#![cfg(loom)]

use loom::model::Builder;

/// Runs `model` in every interleaving with at most `preemptions` involuntary context switches. A
/// thread that yields or blocks while it waits for another does not count as preempted.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

mod allocation;
mod batching;
mod cache_lines;
mod group_commit;
mod monitor;
mod object_pool;
mod ring_buffer;
mod sendfile;
mod sharing;
mod worker_pool;
