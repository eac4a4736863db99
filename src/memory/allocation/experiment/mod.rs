//! Parts of the example, bench and tests.

pub mod block;
pub mod churn;
pub mod locked;
#[cfg(all(target_os = "linux", not(loom)))]
pub mod processes;
pub mod remote_free;
