//! HTTP/1.1 without a server: bytes in, values out. Nothing here opens a file, touches a socket or
//! waits, so threads and event loops can share it.
//!
//! The rules are those of RFC 9110 (semantics) and RFC 9112 (syntax).

pub mod date;
pub mod head;
pub mod request;
pub mod version;
