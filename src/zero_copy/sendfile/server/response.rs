//! Responses as values: what to answer to a request. Opens no file and touches no socket, so
//! threads and event loops can share it.

use crate::zero_copy::sendfile::http::head::{content_type, head, reason};
use crate::zero_copy::sendfile::http::request::{Request, percent_decode};
use crate::zero_copy::sendfile::http::version::{Part, Version};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::time::SystemTime;

/// A response: a status, fields and a body.
pub struct Response {
    status: u16,
    fields: Vec<(&'static str, String)>,
    body: Body,
}

enum Body {
    Empty,
    /// The status and its reason phrase.
    Text,
    File(File, Range<u64>),
}

/// The file that a request names.
pub struct Target {
    /// Relative to the root.
    path: Vec<u8>,
    /// The request names a directory by a final slash, and gets the file `index.html` in it.
    is_index: bool,
}

impl Target {
    /// Returns the file that `request` names; `None` if its path cannot be decoded, which is
    /// answered 400.
    pub fn of(request: &Request) -> Option<Self> {
        let path = percent_decode(&request.path)?;
        let is_index = path.ends_with(b"/");
        // Without its first slash a path is relative to the root. A second slash makes it absolute,
        // and the kernel refuses it.
        let path = [&path[1..], if is_index { b"index.html" } else { b"" }].concat();
        Some(Self { path, is_index })
    }

    /// Returns its path, relative to the root.
    pub fn path(&self) -> &[u8] {
        &self.path
    }
}

/// Returns the response to `request`, whose target has been opened with the result `opened`. A
/// status of 500 or above comes with the error that caused it, so that it can be reported.
pub fn respond(
    request: &Request,
    target: &Target,
    opened: io::Result<File>,
) -> (Response, Option<io::Error>) {
    match opened.and_then(|file| found(request, target, file)) {
        Ok(response) => (response, None),
        Err(error) => {
            let status = status_of(&error);
            (Response::text(status), (status >= 500).then_some(error))
        }
    }
}

/// Returns the response to `request` that `file` makes.
fn found(request: &Request, target: &Target, file: File) -> io::Result<Response> {
    let metadata = file.metadata()?;
    if metadata.is_dir() && !target.is_index {
        let location = format!("{}/{}", request.path, request.query);
        return Ok(Response::text(301).with("Location", location));
    }
    if !metadata.is_file() {
        return Ok(Response::text(404)); // a FIFO or a device
    }
    let version = Version { size: metadata.len(), modified: metadata.modified()? };
    let response = select(&version, request, file);
    Ok(match response.body {
        Body::File(..) => response.with("Content-Type", content_type(&target.path)),
        _ => response,
    })
}

/// Returns the whole file, a part of it, or the status that says why neither.
fn select(version: &Version, request: &Request, file: File) -> Response {
    let size = version.size;
    if let Some(status) = version.precondition(request) {
        let body = if status == 304 { Body::Empty } else { Body::Text };
        return describe(version, Response { status, fields: vec![], body });
    }
    let of = |status, range| Response { status, fields: vec![], body: Body::File(file, range) };
    let response = match version.part(request) {
        Part::Whole => of(200, 0..size),
        Part::Range(range) => {
            let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            of(206, range).with("Content-Range", content_range)
        }
        Part::Unsatisfiable => {
            return Response::text(416).with("Content-Range", format_args!("bytes */{size}"));
        }
    };
    describe(version, response).with("Accept-Ranges", "bytes")
}

/// Adds the validators.
fn describe(version: &Version, response: Response) -> Response {
    let response = match version.last_modified(SystemTime::now()) {
        Some(date) => response.with("Last-Modified", date),
        None => response,
    };
    response.with("ETag", version.etag())
}

impl Response {
    /// Returns a response whose body is the status in words.
    pub fn text(status: u16) -> Self {
        let fields = if status == 405 { vec![("Allow", "GET, HEAD".to_owned())] } else { vec![] };
        Self { status, fields, body: Body::Text }
    }

    /// Adds a field.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name, value.to_string()));
        self
    }

    /// Returns the bytes to send first, which are the head and a text, and the part of a file to
    /// send after them. With `head_only` it is the head alone.
    pub fn into_parts(
        mut self,
        head_only: bool,
        now: SystemTime,
    ) -> (String, Option<(File, Range<u64>)>) {
        let text = format!("{} {}\n", self.status, reason(self.status));
        let length = match &self.body {
            Body::Empty => None,
            Body::Text => Some(text.len() as u64),
            Body::File(_, range) => Some(range.end - range.start),
        };
        if let Body::Text = self.body {
            self = self.with("Content-Type", "text/plain; charset=utf-8");
        }
        if let Some(length) = length {
            self = self.with("Content-Length", length).with("X-Content-Type-Options", "nosniff");
        }
        let head = head(self.status, now, &self.fields);
        match self.body {
            Body::Text if !head_only => (head + &text, None),
            Body::File(file, range) if !head_only && !range.is_empty() => {
                (head, Some((file, range)))
            }
            _ => (head, None),
        }
    }
}

/// Returns the status for an error of the kernel about a path. A path that leads outside or names
/// no file is "not found", as if nothing were there.
fn status_of(error: &io::Error) -> u16 {
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => 403,
        Some(
            libc::ENOENT
            | libc::ENOTDIR
            | libc::EXDEV
            | libc::ELOOP
            | libc::ENAMETOOLONG
            | libc::ENXIO
            | libc::ENODEV,
        ) => 404,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EAGAIN | libc::EINTR) => 503,
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_kernel_become_statuses() {
        for (errno, status) in [
            (libc::EACCES, 403),
            (libc::EPERM, 403),
            (libc::ENOENT, 404),
            (libc::ENOTDIR, 404),
            (libc::EXDEV, 404),
            (libc::ELOOP, 404),
            (libc::ENAMETOOLONG, 404),
            (libc::ENXIO, 404),
            (libc::ENODEV, 404),
            (libc::EMFILE, 503),
            (libc::ENFILE, 503),
            (libc::ENOMEM, 503),
            (libc::EAGAIN, 503),
            (libc::EIO, 500),
        ] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(status_of(&error), status, "{error}");
        }
    }
}
