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

/// Defines sets of orderings, each with one ordering weaker than the code needs.
macro_rules! weakened {
    ($($name:ident: $field:ident = $ordering:expr;)*) => {
        $(
            struct $name;
            // SAFETY: none. The models that use these must fail, and loom stops them before anything
            // is read.
            unsafe impl Orderings for $name {
                const $field: Ordering = $ordering;
            }
        )*
    };
}

mod allocation;
mod cache_lines;
mod object_pool;
mod ring_buffer;
mod sendfile;
mod sharing;
mod worker_pool;
