//! Counts: exact numbers from the kernel and the allocator.
//!
//! | counts | by | source |
//! | --- | --- | --- |
//! | system calls and the bytes they return | [`syscalls::trace`] | the kernel, through `ptrace(2)` |
//! | allocations and their bytes | [`allocations::count`] | the global allocator |
//! | bytes that still hold a given word | [`memory_scan::count`] | `/proc/self/mem` |
//! | resident memory | [`resident`] | `/proc/self` |
//! | page faults and context switches | [`usage::Usage`] | `getrusage(2)` |
//! | a thread's reads from a device | [`usage::read_from_device`] | `/proc/self/task` |
//! | TLB shootdowns | [`usage::tlb_shootdowns`] | `/proc/interrupts` |
//! | CPU time, by thread and process | [`cpu`] | the kernel's clocks and `/proc` |
//!
//! None of them asks the code under test to count itself.

pub mod allocations;
pub mod cpu;
#[cfg(target_os = "linux")]
pub mod memory_scan;
pub mod syscalls;
pub mod usage;

pub use crate::sys::resident;
