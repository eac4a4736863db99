//! A laboratory that loses power: the disk images that a power cut may leave of what a program
//! wrote, each shown to a checker.
//!
//! It needs neither root nor a device. [`record`] runs any program and has the kernel report, by
//! `ptrace(2)`, every call that changes a directory, and every byte that the program tells the
//! world. Or a test puts a [`Twin`] in the place of a directory. Either gives a [`History`].
//! [`search()`] then cuts the power at each moment, and shows a checker every image that the chosen
//! [`Rules`] allow, or a sample of them, together with what had been acknowledged by then.
//!
//! The rules are a model. It is as strict as they are, and no device takes part: a disk that
//! forgets what it has confirmed loses more than any image here. What the recorder does not
//! understand (shared maps, io_uring, copies inside the kernel) is an error that names the call;
//! and what it has recorded must explain the directory as it is at the end, byte for byte.
//!
//! | module | provides |
//! | --- | --- |
//! | [`history`] | events, in order |
//! | [`mod@record`] | the history of a program that runs |
//! | [`twin`] | a directory in memory with a history, and with faults |
//! | [`rules`] | what file systems promise, with sources |
//! | [`mod@search`] | power cuts, and a checker's verdicts |
//! | [`image`] | contents of a directory, to read and to write |
//!
//! Sources: Pillai et al., [All File Systems Are Not Created Equal][alice] (OSDI 2014), the
//! [documentation of ext4][ext4], and [POSIX][posix].
//!
//! [alice]: https://www.usenix.org/conference/osdi14/technical-sessions/presentation/pillai
//! [ext4]: https://docs.kernel.org/admin-guide/ext4.html
//! [posix]: https://pubs.opengroup.org/onlinepubs/9799919799/functions/fsync.html

mod disk;
pub mod history;
pub mod image;
pub mod record;
pub mod rules;
pub mod search;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tracer;
pub mod twin;

pub use history::{Ack, History};
pub use image::Image;
pub use record::{Recorder, Recording};
pub use rules::Rules;
pub use search::{Crash, Findings, Search, Violation, search};
pub use twin::{Call, Outcome, Twin, TwinFile};
