//! The handshake's keys, after the RFC's own example.

use super::accept_key;
use super::is_asked;
use super::is_key;
use super::make_key;

const KEY: &[u8] = b"dGhlIHNhbXBsZSBub25jZQ==";

#[test]
fn the_rfcs_example_is_answered() {
    assert_eq!(accept_key(KEY), Some(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn what_is_no_key_gets_no_answer() {
    for key in [
        &b""[..],
        b"dGhlIHNhbXBsZSBub25jZQ=",
        b"dGhlIHNhbXBsZSBub25jZQ",
        b"dGhlIHNhbXBsZSBub25jZQ===",
        b"dGhlIHNhbXBsZSBub25jZ===",
        b"dGhlIHNhbXBsZSBub25jZ-==",
        b"dGhlIHNhbXBs\r\nBub25jZQ==",
    ] {
        assert!(!is_key(key) && accept_key(key).is_none(), "{key:?}");
    }
}

#[test]
fn keys_are_made_of_what_is_random() {
    assert_eq!(make_key(u128::from_be_bytes(*b"the sample nonce")), *KEY);
    for random in [0, 1, u128::MAX] {
        assert!(is_key(&make_key(random)));
    }
    assert_ne!(make_key(0), make_key(1));
}

#[test]
fn only_websocket_alone_is_websocket() {
    assert!(is_asked(b"websocket") && is_asked(b"WebSocket"));
    assert!(!is_asked(b"websocket, h2c") && !is_asked(b"") && !is_asked(b"connect-udp"));
}
