//! Events that an open page hears from the server: that the book was printed again, or why it was
//! not.

use serde_json::Value;

/// The start of the stream.
pub(super) const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                               Cache-Control: no-store\r\nConnection: close\r\n\r\n";

/// A comment, which fails to be sent once the page is gone.
pub(super) const HEARTBEAT: &[u8] = b":\n\n";

/// The message that the page is out of date.
pub(super) const CHANGED: &[u8] = b"data: changed\n\n";

/// Formats the message that the book cannot be printed. As JSON, it takes one line.
pub(super) fn fault(reason: &str) -> String {
    format!("event: fault\ndata: {}\n\n", Value::from(reason))
}

/// Returns the script of a page of the printing `edition`, which listens at `address`.
pub(super) fn script(address: &str, edition: u64) -> String {
    format!("{}(\"{address}?{edition}\")", include_str!("listen.js").trim_end())
}
