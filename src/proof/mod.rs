//! Counts: exact numbers from the kernel and the allocator.
//!
//! | counts | by | source |
//! | --- | --- | --- |
//! | system calls and the bytes they return | [`syscalls::trace`] | the kernel, through `ptrace(2)` |
//! | instructions | [`instructions::count`] | the kernel, which stops after each |
//! | allocations and their bytes | [`allocations::count`] | the global allocator |
//! | bytes that still hold a given word | [`memory_scan::count`] | `/proc/self/mem` |
//! | resident memory | [`resident`] | `/proc/self` |
//! | page faults and context switches | [`usage::Usage`] | `getrusage(2)` |
//! | a thread's reads from a device | [`usage::read_from_device`] | `/proc/self/task` |
//! | TLB shootdowns | [`usage::tlb_shootdowns`] | `/proc/interrupts` |
//! | CPU time, by thread and process | [`cpu`] | the kernel's clocks and `/proc` |
//! | disk images that a power cut may leave | [`power_loss`] | the writes, through `ptrace(2)` |
//!
//! None of them asks the code under test to count itself.

pub mod allocations;
pub mod cpu;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod helper;
pub mod instructions;
#[cfg(target_os = "linux")]
pub mod memory_scan;
pub mod power_loss;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod stop;
pub mod syscalls;
pub mod usage;

pub use crate::sys::resident;
