//! Which fields may be changed on a message's way, and what may stand in them.

use std::sync::Arc;

use super::http1::names::{is_token, is_value_byte};

/// Frame messages or belong to one connection: they are ours to write (RFC 9110 §7.6.1).
const OURS: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Whether a field in lower case frames messages or belongs to one connection.
pub fn is_ours(name: &str) -> bool {
    OURS.contains(&name)
}

/// The name of a field that may be changed, in lower case. The host isn't changed as a field.
pub fn name(bytes: &[u8]) -> Option<Arc<str>> {
    if !is_token(bytes) {
        return None;
    }
    let mut lower = std::str::from_utf8(bytes).ok()?.to_owned();
    lower.make_ascii_lowercase();
    (lower != "host" && !is_ours(&lower)).then(|| lower.into())
}

/// Whether a field may have this value (RFC 9110 §5.5).
pub fn is_value(bytes: &[u8]) -> bool {
    let trimmed = !matches!(bytes, [b' ' | b'\t', ..] | [.., b' ' | b'\t']);
    trimmed && bytes.iter().all(|byte| is_value_byte(*byte))
}

/// Whether it may be a request's method: CONNECT is no request like others, and an answer to HEAD is
/// read in another way.
pub fn is_method(before: &str, after: &[u8]) -> bool {
    let special = |method: &[u8]| matches!(method, b"HEAD" | b"CONNECT");
    is_token(after) && !special(after) && !special(before.as_bytes())
}

/// Whether it may be a request's path, without a query.
pub fn is_path(bytes: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'?' | b'\\');
    bytes.first() == Some(&b'/') && bytes.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_messages_is_not_changed() {
        assert_eq!(name(b"X-Org").as_deref(), Some("x-org"));
        for bad in [&b"Host"[..], b"Content-Length", b"TE", b"a b", b"", b"\xff"] {
            assert_eq!(name(bad), None);
        }
    }

    #[test]
    fn values_methods_and_paths_stay_within_a_line() {
        assert!(is_value(b"a b") && is_value(b""));
        assert!(!is_value(b"a\r\nb") && !is_value(b" a"));
        assert!(is_method("GET", b"POST") && !is_method("HEAD", b"GET"));
        assert!(!is_method("GET", b"CONNECT") && !is_method("GET", b"A B"));
        assert!(is_path(b"/a%20b") && !is_path(b"a") && !is_path(b"/a b") && !is_path(b"/a?b"));
    }
}
