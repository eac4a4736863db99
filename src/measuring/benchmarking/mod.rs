//! Benches that lie, and what catches each of them.
//!
//! | lie | naive | caught by |
//! | --- | --- | --- |
//! | the work is optimized away | [`naive::buffers`] | twice the iterations, in instructions |
//! | the first iteration uses up the input | [`naive::sort`] | [`work::sort`], in instructions |
//! | the set-up is timed | [`naive::sort_copies`] | counted allocations |
//! | the answers differ | [`naive::lines`] | [`work::lines`], a comparison |
//! | another way than the one named | [`naive::copy`] | [`work::copy`], counted calls |
//! | the load waits for the server | [`naive::closed_loop`] | [`load::open_loop`] |
//! | a percentile of percentiles | [`naive::averaged_percentile`] | [`load::percentile`] |
//! | samples of one process are taken for runs | [`rounds::Rounds::apart`] | [`rounds::ends`] |
//!
//! [`rounds`] is the rule by which the book compares two variants, and [`rounds::null_test`] puts
//! that rule to the test: with the same code as both variants, measured many times.
//! [`experiment`] runs it all for the example.
//!
//! The book's chapter: [benchmarking](../../../../measuring/benchmarking.html).

pub mod binomial;
#[cfg(target_os = "linux")]
pub mod experiment;
pub mod known;
pub mod load;
pub mod naive;
#[cfg(target_arch = "x86_64")]
pub mod place;
pub mod rounds;
pub mod variants;
#[cfg(target_os = "linux")]
pub mod work;
