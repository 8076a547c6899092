//! FR-22: whom a request is for.

use super::LIMITS;
use super::ask_request;
use super::refused;
use super::target;
use crate::protocol::error::HeadError;
use crate::protocol::http1::RequestHead;
use crate::protocol::http1::TargetForm;

fn ask<R>(bytes: &[u8], question: impl FnOnce(&RequestHead<'_, '_>) -> R) -> R {
    ask_request(bytes, &LIMITS, question).expect("a valid request")
}

#[test]
fn targets_have_one_of_four_forms() {
    use TargetForm::{Absolute, Asterisk, Authority, Origin};
    let cases = [
        ("GET", "/a?b?c", (Origin, "a.example", "/a", Some("b?c"))),
        ("GET", "/a?", (Origin, "a.example", "/a", Some(""))),
        (
            "GET",
            "//evil.example/x",
            (Origin, "a.example", "//evil.example/x", None),
        ),
        (
            "GET",
            "HTTP://b.example:81",
            (Absolute, "b.example:81", "/", None),
        ),
        (
            "GET",
            "http://b.example?q",
            (Absolute, "b.example", "/", Some("q")),
        ),
        (
            "GET",
            "https://b.example/x?/y",
            (Absolute, "b.example", "/x", Some("/y")),
        ),
        ("OPTIONS", "*", (Asterisk, "a.example", "*", None)),
        (
            "OPTIONS",
            "http://b.example",
            (Absolute, "b.example", "*", None),
        ),
        ("CONNECT", "[::1]:443", (Authority, "[::1]:443", "", None)),
    ];
    for (method, text, wanted) in cases {
        let facts = |head: &RequestHead<'_, '_>| {
            let facts = (head.form, head.authority.text, head.path, head.query);
            assert_eq!(facts, wanted, "FR-22 {method} {text}");
        };
        ask(&target(method, text), facts);
    }
}

#[test]
fn other_targets_are_refused() {
    for (method, text) in [
        ("GET", "*"),
        ("GET", "a.example:80"),
        ("GET", "a"),
        ("GET", "/#f"),
        ("GET", "http://a#f"),
        ("GET", "http://u@a/"),
        ("GET", "http://a:0/"),
        ("GET", "http://a:65536/"),
        ("GET", "http:///x"),
        ("GET", "http://a:/"),
        ("GET", "http://a:0080/"),
        ("GET", "ftp://a/"),
        ("GET", "http:a"),
        ("GET", "/caf\u{e9}"),
        ("GET", "/\x7f"),
        ("GET", "http://a,b/"),
        ("GET", "http://a\\b/"),
        ("CONNECT", "a"),
        ("CONNECT", "a:"),
        ("CONNECT", "a:0"),
        ("CONNECT", "a:65536"),
        ("CONNECT", "a:80/x"),
        ("CONNECT", "/"),
        ("CONNECT", "http://a/"),
        ("CONNECT", ":80"),
        ("OPTIONS", "**"),
        ("PRI", "*"),
    ] {
        assert!(
            refused(&target(method, text)).is_some(),
            "FR-22 {method} {text:?}"
        );
    }
}

#[test]
fn exactly_one_host_unless_http_1_0() {
    let head =
        |version: &str, lines: &str| format!("GET / HTTP/{version}\r\n{lines}\r\n").into_bytes();
    assert_eq!(
        refused(&head("1.1", "")),
        Some(HeadError::HostMissing),
        "FR-22"
    );
    assert_eq!(
        refused(&head("1.1", "Host: a\r\nhost: a\r\n")),
        Some(HeadError::HostRepeated),
        "FR-22"
    );
    assert_eq!(
        refused(&head("1.0", "Host: a\r\nHost: b\r\n")),
        Some(HeadError::HostRepeated),
        "FR-22"
    );
    assert_eq!(ask(&head("1.0", ""), |head| head.authority.text.len()), 0);
    assert_eq!(
        ask(&head("1.1", "Host:\r\n"), |head| head.authority.text.len()),
        0
    );
    for host in [
        "a b", "a,b", "u@a", "a/b", "a:80:80", "a:x", "[::1", "[a]", "a\tb", "a%41", "\u{e9}",
    ] {
        let lines = format!("Host: {host}\r\n");
        assert_eq!(
            refused(&head("1.1", &lines)),
            Some(HeadError::Host),
            "FR-16, FR-22 {host:?}"
        );
    }
}
