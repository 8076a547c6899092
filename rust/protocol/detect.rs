//! What a connection speaks, from its first bytes; looks, consumes nothing.

use super::http1::names::is_token_byte;
use super::http1::request::MAX_METHOD;

/// What every HTTP/2 client sends first (RFC 9113 §3.4).
pub const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A TLS record that begins a handshake: its type, and the major version that all versions share.
const HANDSHAKE: &[u8] = &[0x16, 0x03];

/// What the first bytes look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detected {
    /// A TLS handshake record.
    Tls,
    /// A request line of HTTP/1.
    Http1,
    /// HTTP/2's preface in cleartext.
    Http2Preface,
    /// None of these.
    Other,
    /// Not enough to tell.
    NeedMore,
}

/// Looks at what has arrived so far. A verdict other than `NeedMore` doesn't change with more
/// bytes, and at most [`MAX_METHOD`] + 10 bytes are ever needed.
pub fn detect(first: &[u8]) -> Detected {
    if let Some(verdict) = begins(first, HANDSHAKE, Detected::Tls) {
        return verdict;
    }
    if let Some(verdict) = begins(first, HTTP2_PREFACE, Detected::Http2Preface) {
        return verdict;
    }
    request_line(skip_empty_line(first))
}

/// `None` where the bytes differ from the pattern.
fn begins(first: &[u8], pattern: &[u8], verdict: Detected) -> Option<Detected> {
    if first.starts_with(pattern) {
        Some(verdict)
    } else if pattern.starts_with(first) {
        Some(Detected::NeedMore)
    } else {
        None
    }
}

/// RFC 9112 §2.2: an empty line before a request is ignored.
fn skip_empty_line(first: &[u8]) -> &[u8] {
    first
        .strip_prefix(b"\r\n")
        .or_else(|| first.strip_prefix(b"\r").filter(|rest| rest.is_empty()))
        .unwrap_or(first)
}

/// A method, a space and the beginning of a target. The target matters: many a text protocol
/// (`EHLO name`, `SET key value`) begins with a word and a space too.
fn request_line(line: &[u8]) -> Detected {
    let end = line.iter().position(|byte| !is_token_byte(*byte));
    let Some((method, rest)) = line.split_at_checked(end.unwrap_or(line.len())) else {
        return Detected::Other;
    };
    if method.len() > MAX_METHOD {
        return Detected::Other;
    }
    match rest {
        [] => Detected::NeedMore,
        [b' '] if !method.is_empty() => Detected::NeedMore,
        [b' ', target @ ..] if !method.is_empty() => target_begins(method, target),
        _ => Detected::Other,
    }
}

fn target_begins(method: &[u8], target: &[u8]) -> Detected {
    if method == b"CONNECT" || matches!(target, [b'/' | b'*', ..]) {
        return Detected::Http1;
    }
    let mut more = false;
    for scheme in [&b"http://"[..], b"https://"] {
        let (have, want) = match target.split_at_checked(scheme.len()) {
            Some((have, _)) => (have, scheme),
            None => (target, scheme.get(..target.len()).unwrap_or(scheme)),
        };
        if have.eq_ignore_ascii_case(want) {
            if have.len() == scheme.len() {
                return Detected::Http1;
            }
            more = true;
        }
    }
    if more {
        Detected::NeedMore
    } else {
        Detected::Other
    }
}

#[cfg(test)]
#[path = "detect_tests.rs"]
mod tests;
