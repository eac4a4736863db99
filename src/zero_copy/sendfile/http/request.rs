//! The head of a request: parsing it, and decoding its path.

use std::net::Ipv6Addr;

/// The parts of a request that the server acts on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `true` for HEAD, `false` for GET.
    pub head_only: bool,
    /// The path as it was sent, without the query: `/a%20b`.
    pub path: String,
    /// The query with its question mark, or empty.
    pub query: String,
    /// `true` if the client will send another request on this connection.
    pub keep_alive: bool,
    /// The value of `If-Match` as it was sent. Repeated fields are joined by a comma, as RFC 9110
    /// has it; so are those below.
    pub if_match: Option<String>,
    /// The value of `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The value of `If-Modified-Since`.
    pub if_modified_since: Option<String>,
    /// The value of `If-Unmodified-Since`.
    pub if_unmodified_since: Option<String>,
    /// The value of `If-Range`.
    pub if_range: Option<String>,
    /// The value of `Range`.
    pub range: Option<String>,
    /// The value of `Accept`.
    pub accept: Option<String>,
}

/// The result of [`parse`].
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A request, and the length of its head in bytes.
    Request(Box<Request>, usize),
    /// The beginning of a head. Read more and parse again.
    Partial,
    /// A request that this server does not serve, and the status to answer with. The start of the
    /// next request is unknown, so close the connection after the answer.
    Refused(u16),
}

/// The number of fields that a request may have.
const FIELDS: usize = 64;

/// Parses the head of a request, of at most `limit` bytes, from the beginning of `bytes`.
///
/// A request with a body is refused: requests are smuggled where two servers disagree about its
/// end. So is one with two `Host` fields, with one that is no host and port, or, from HTTP/1.1 on,
/// with none.
pub fn parse(bytes: &[u8], limit: usize) -> Parsed {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut raw = httparse::Request::new(&mut fields);
    let length = match raw.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < limit => return Parsed::Partial,
        Ok(httparse::Status::Partial) => {
            let has_request_line = bytes.trim_ascii_start().contains(&b'\n');
            return Parsed::Refused(if has_request_line { 431 } else { 414 });
        }
        Err(httparse::Error::TooManyHeaders) => return Parsed::Refused(431),
        Err(httparse::Error::Version) if has_a_version(bytes) => return Parsed::Refused(505),
        Err(_) => return Parsed::Refused(400),
    };
    let (Some(method), Some(target), Some(minor)) = (raw.method, raw.path, raw.version) else {
        return Parsed::Refused(400);
    };
    match request(method, target, minor == 0, raw.headers) {
        Ok(request) => Parsed::Request(Box::new(request), length),
        Err(status) => Parsed::Refused(status),
    }
}

/// Returns `true` if the head that begins with `bytes` asks by HEAD, even if it is incomplete or
/// refused for something else: no answer to it may have a body (RFC 9110, section 9.3.2).
pub fn is_head(bytes: &[u8]) -> bool {
    let begin = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    begin.is_some_and(|begin| bytes[begin..].starts_with(b"HEAD "))
}

/// Returns `true` if the request line is three words, the last of which is some version of HTTP. A
/// target with a space in it makes more words, and then the version is not what is wrong.
fn has_a_version(bytes: &[u8]) -> bool {
    let line = bytes.trim_ascii_start().split(|&byte| byte == b'\n').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.trim_ascii_end().split(|&byte| byte == b' ').collect();
    let [_, _, version] = words[..] else { return false };
    let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = version else { return false };
    major.is_ascii_digit() && minor.is_ascii_digit()
}

/// Returns what the server acts on, or the status that refuses it.
fn request(
    method: &str,
    target: &str,
    is_http_10: bool,
    fields: &[httparse::Header<'_>],
) -> Result<Request, u16> {
    let head_only = match method {
        "GET" => false,
        "HEAD" => true,
        "POST" | "PUT" | "DELETE" | "PATCH" | "OPTIONS" | "TRACE" | "CONNECT" => return Err(405),
        _ => return Err(501),
    };
    let mut request = Request { head_only, keep_alive: !is_http_10, ..Request::default() };
    let (mut hosts, mut closing) = (0, false);
    for field in fields {
        let value = || str::from_utf8(field.value).map(str::trim).map_err(|_| 400_u16);
        let slot = match field.name.to_ascii_lowercase().as_str() {
            "host" => {
                hosts += 1;
                if !is_host(value()?) {
                    return Err(400);
                }
                continue;
            }
            "connection" => {
                for option in value()?.split(',').map(str::trim) {
                    if option.eq_ignore_ascii_case("close") {
                        closing = true;
                    } else if option.eq_ignore_ascii_case("keep-alive") {
                        request.keep_alive = true;
                    }
                }
                continue;
            }
            "transfer-encoding" => return Err(501),
            "content-length" if value()? != "0" => return Err(400),
            "if-match" => &mut request.if_match,
            "if-none-match" => &mut request.if_none_match,
            "if-modified-since" => &mut request.if_modified_since,
            "if-unmodified-since" => &mut request.if_unmodified_since,
            "if-range" => &mut request.if_range,
            "range" => &mut request.range,
            "accept" => &mut request.accept,
            _ => continue,
        };
        let value = value()?;
        *slot = Some(slot.take().map_or_else(|| value.to_owned(), |before| before + ", " + value));
    }
    request.keep_alive &= !closing;
    if hosts > 1 || (hosts == 0 && !is_http_10) {
        return Err(400);
    }
    let origin = origin_form(target).ok_or(400_u16)?;
    let (path, query) = origin.split_at(origin.find('?').unwrap_or(origin.len()));
    // An absolute target without a path asks for the root: `http://host?query`.
    let path = if path.is_empty() && origin.len() < target.len() { "/" } else { path };
    if !path.starts_with('/') {
        return Err(400);
    }
    (request.path, request.query) = (path.to_owned(), query.to_owned());
    Ok(request)
}

/// Returns the part of `target` that names a resource of this server. That is all of it, unless it
/// is in the form that a client sends to a proxy, which is valid here too: of `http://host/path` it
/// is what follows the authority, and `None` if that names no host.
fn origin_form(target: &str) -> Option<&str> {
    if !target.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://")) {
        return Some(target);
    }
    let rest = &target[7..];
    let (authority, origin) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let names_a_host = is_host(authority) && !authority.is_empty() && !authority.starts_with(':');
    names_a_host.then_some(origin)
}

/// Returns `true` if `value` is a host with an optional port, as `Host` and the authority of a
/// target have it (RFC 3986, section 3.2): a name, an IPv4 address, or an IPv6 address in brackets.
/// A name may be empty.
fn is_host(value: &str) -> bool {
    let (is_valid, port) = if let Some(literal) = value.strip_prefix('[') {
        let Some((address, port)) = literal.split_once(']') else { return false };
        (address.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let (name, port) = value.split_at(value.find(':').unwrap_or(value.len()));
        (is_name(name), port)
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    is_valid && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}

/// Returns `true` if `name` consists of the characters that RFC 3986 allows in a registered name.
fn is_name(name: &str) -> bool {
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        let is_allowed = match byte {
            b'%' => digit() && digit(),
            byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte),
        };
        if !is_allowed {
            return false;
        }
    }
    true
}

/// Replaces each escape such as `%41` by its byte, once; `None` if an escape is broken or stands
/// for NUL.
pub fn percent_decode(path: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    (!decoded.contains(&0)).then_some(decoded)
}
