//! The limits of this machine, which every later figure is compared with.
//!
//! A probe does one thing `n` times and returns the time of all of them, without set-up and checks;
//! divide it by `n`. The example, the bench and the tests all run the same probes. Each documents
//! its unit and what it leaves out.
//!
//! | probe | measures |
//! | --- | --- |
//! | [`load::Chain`] | the latency of loads, and loads in flight |
//! | [`bandwidth::Block`] | bytes per second that one core reads, writes and copies |
//! | [`addition::additions`] | an addition, as a check of the method |
//! | [`kernel`] | system calls, page faults, the clock |
//! | [`threads`] | starting, waking and switching threads |
//! | [`lines`] | two cores that write |
//! | [`loopback`] | sockets within the machine |
//! | [`mod@file`] | reads from the page cache, writes to the disk |
//!
//! The methods are those of lmbench (McVoy and Staelin, "lmbench: Portable Tools for Performance
//! Analysis", USENIX 1996), unless a probe says otherwise. [`naive`] keeps two probes that look
//! right and measure something else. [`experiment`] runs all probes for the example.
//!
//! The book's chapter: [limits](../../../../measuring/limits.html).

pub mod addition;
pub mod bandwidth;
pub mod experiment;
pub mod file;
pub mod kernel;
pub mod lines;
pub mod load;
pub mod loopback;
pub mod naive;
pub mod threads;
