//! FR-22 and NA-4: which hosts pass, and that their spellings meet.

use super::Authority;
use super::host_for_match;
use crate::protocol::error::HeadError;

#[test]
fn spellings_of_a_host_meet() {
    for (text, wanted) in [
        ("a.example", "a.example"),
        ("a.example.", "a.example"),
        ("a.example:80", "a.example"),
        ("a.example.:65535", "a.example"),
        ("A.Example", "A.Example"),
        ("under_score-1", "under_score-1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("[::1]", "[::1]"),
        ("[::1]:80", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
        ("", ""),
    ] {
        assert_eq!(host_for_match(text).as_deref(), Ok(wanted), "NA-4 {text:?}");
    }
}

#[test]
fn what_is_no_host_and_port_is_refused() {
    for text in [
        "a b",
        "a,b",
        "u@a",
        "u:p@a",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "a%00",
        "a:",
        "a:0",
        "a:080",
        "a:65536",
        "a:+80",
        "a:8 0",
        "a:80:80",
        ":80",
        "..",
        "a..",
        "a..:80",
        ".a",
        ".",
        "[",
        "[]",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[::1%eth0]",
        "[v1.x]",
        "::1",
        "a\0",
        "a\t",
        "\u{e9}",
        "*",
    ] {
        assert_eq!(host_for_match(text), Err(HeadError::Host), "FR-22 {text:?}");
    }
    let long = "a".repeat(255);
    assert_eq!(host_for_match(&long), Err(HeadError::Host));
    assert_eq!(Authority::parse(b"\xff"), Err(HeadError::Host));
}

#[test]
fn the_port_is_kept_apart() {
    let authority = Authority::parse(b"a.example.:81").expect("a valid authority");
    assert_eq!(
        (authority.text, authority.host, authority.port),
        ("a.example.:81", "a.example", Some(81))
    );
}
