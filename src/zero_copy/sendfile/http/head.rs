//! The head of a response, and the words and types that stand in it.

use super::date::date;
use std::fmt::Write as _;
use std::time::SystemTime;

// ANCHOR: head
/// Formats the head of a response, including its empty line.
///
/// ```
/// use perf_proved::zero_copy::sendfile::http::head::head;
/// use std::time::UNIX_EPOCH;
///
/// let text = head(200, UNIX_EPOCH, &[("ETag", "\"1\"".to_owned())]);
/// let date = "Date: Thu, 01 Jan 1970 00:00:00 GMT";
/// assert_eq!(text, format!("HTTP/1.1 200 OK\r\n{date}\r\nETag: \"1\"\r\n\r\n"));
/// ```
pub fn head(status: u16, now: SystemTime, fields: &[(&str, String)]) -> String {
    // Writing to a String cannot fail. A clock that is out of range sends no date.
    let mut head = String::with_capacity(512);
    let _ = write!(head, "HTTP/1.1 {status} {}\r\n", reason(status));
    if let Some(now) = date(now) {
        let _ = write!(head, "Date: {now}\r\n");
    }
    for (name, value) in fields {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head + "\r\n"
}
// ANCHOR_END: head

/// Returns the reason phrase that RFC 9110 gives for `status`.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Internal Server Error",
    }
}

/// Returns the media type for a path, by the extension of its file name.
pub fn content_type(path: &[u8]) -> &'static str {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let extension =
        name.iter().rposition(|&byte| byte == b'.').map_or(&[][..], |dot| &name[dot + 1..]);
    match extension.to_ascii_lowercase().as_slice() {
        b"html" | b"htm" => "text/html; charset=utf-8",
        b"css" => "text/css; charset=utf-8",
        b"js" | b"mjs" => "text/javascript; charset=utf-8",
        b"txt" | b"md" | b"toml" | b"rs" => "text/plain; charset=utf-8",
        b"csv" => "text/csv; charset=utf-8",
        b"xml" => "application/xml",
        b"json" => "application/json",
        b"pdf" => "application/pdf",
        b"wasm" => "application/wasm",
        b"gz" => "application/gzip",
        b"zip" => "application/zip",
        b"svg" => "image/svg+xml",
        b"png" => "image/png",
        b"jpg" | b"jpeg" => "image/jpeg",
        b"gif" => "image/gif",
        b"webp" => "image/webp",
        b"avif" => "image/avif",
        b"ico" => "image/x-icon",
        b"woff2" => "font/woff2",
        b"mp3" => "audio/mpeg",
        b"mp4" => "video/mp4",
        b"webm" => "video/webm",
        _ => "application/octet-stream",
    }
}
