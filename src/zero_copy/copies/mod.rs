//! The cost of a copy: a transfer from a file to a socket, taken apart.
//!
//! A loop of `read` and `write` copies every byte twice. The halves of that loop show what each
//! copy costs by itself. [`naive`] is the version that everyone writes first; [`variants`] and
//! [`experiment`] hold what the chapter compares, and how.
//!
//! The book's chapter: [copies](../../../../zero-copy/copies.html).

#[cfg(target_os = "linux")]
pub mod experiment;
#[cfg(target_os = "linux")]
pub mod naive;
#[cfg(target_os = "linux")]
pub mod variants;
