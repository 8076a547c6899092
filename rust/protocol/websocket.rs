//! The WebSocket handshake's keys (RFC 6455 §4), which HTTP/1 has and HTTP/2 hasn't (RFC 8441): where
//! the two meet, the proxy makes the key or the answer to it.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// RFC 6455 §1.3: what a server appends to the key before it hashes.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Base64 digits of 16 bytes, without the padding.
const KEY_DIGITS: usize = 22;

/// Whether an Upgrade field or `:protocol` asks for WebSocket and nothing else.
pub fn is_asked(protocol: &[u8]) -> bool {
    protocol.eq_ignore_ascii_case(b"websocket")
}

/// Whether it is a key: 16 bytes as base64. Bits behind the last byte are let be, as servers do.
pub fn is_key(key: &[u8]) -> bool {
    key.strip_suffix(b"==").is_some_and(|digits| {
        digits.len() == KEY_DIGITS
            && digits
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    })
}

/// The Sec-WebSocket-Accept that answers a key; `None` where it is no key.
pub fn accept_key(key: &[u8]) -> Option<[u8; 28]> {
    if !is_key(key) {
        return None;
    }
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key);
    hash.update(GUID);
    let mut accept = [0; 28];
    let length = STANDARD.encode_slice(hash.finish(), &mut accept).ok()?;
    (length == accept.len()).then_some(accept)
}

/// A key from random bytes, for an upstream that wants one.
pub fn make_key(random: u128) -> [u8; 24] {
    let mut key = *b"AAAAAAAAAAAAAAAAAAAAAA==";
    // 16 bytes are 24 digits; should they not fit, a constant key is as valid.
    let written = STANDARD.encode_slice(random.to_be_bytes(), &mut key);
    debug_assert_eq!(written, Ok(24));
    key
}

#[cfg(test)]
#[path = "websocket_tests.rs"]
mod tests;
