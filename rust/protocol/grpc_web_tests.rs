//! Content types, the frame of trailers, and bodies cut at every byte.

use http::HeaderMap;
use http::HeaderValue;

use super::Call;
use super::Form;
use super::Messages;
use super::TextReader;
use super::grpc_type;
use super::text;
use super::trailers_frame;
use crate::protocol::error::BodyError;

fn asked(content_type: &str, accept: &[&str]) -> Option<(Form, Form)> {
    let accept = accept.iter().map(|value| value.as_bytes());
    Call::asked(content_type.as_bytes(), accept).map(|call| (call.sends, call.takes))
}

#[test]
fn a_call_is_known_by_its_content_type() {
    use Form::{Binary, Text};
    let cases = [
        ("application/grpc-web", Binary),
        ("application/grpc-web+proto", Binary),
        ("Application/GRPC-Web+Proto; charset=utf-8", Binary),
        ("application/grpc-web-text", Text),
        ("application/grpc-web-text+proto", Text),
        ("application/grpc-web-text ;a=b", Text),
    ];
    for (name, form) in cases {
        assert_eq!(asked(name, &[]), Some((form, form)), "{name}");
    }
    for name in [
        "",
        "application/grpc",
        "application/grpc+proto",
        "application/grpc-we",
        "application/grpc-websocket",
        "application/grpc-web+",
        "application/grpc-web+a,b",
        "application/grpc-web-texts",
        "application/json",
    ] {
        assert_eq!(asked(name, &[]), None, "{name}");
    }
}

#[test]
fn accept_says_what_the_answer_is() {
    use Form::{Binary, Text};
    let cases: [(&[&str], Form); 5] = [
        (&["*/*"], Binary),
        (&["application/grpc-web-text"], Text),
        (&["text/html, application/grpc-web-text+proto;q=0.5"], Text),
        (
            &["application/grpc-web+proto, application/grpc-web-text"],
            Binary,
        ),
        (&["text/html", "application/grpc-web-text"], Text),
    ];
    for (accept, takes) in cases {
        let found = asked("application/grpc-web+proto", accept);
        assert_eq!(found, Some((Binary, takes)), "{accept:?}");
    }
    let found = asked("application/grpc-web-text", &["application/grpc-web"]);
    assert_eq!(found, Some((Text, Binary)));
}

#[test]
fn content_types_keep_the_format() {
    let cases = [
        ("application/grpc-web", "application/grpc"),
        ("application/grpc-web-text", "application/grpc"),
        ("application/grpc-web+proto", "application/grpc+proto"),
        (
            "application/grpc-web-text+thrift;a=b",
            "application/grpc+thrift",
        ),
        (
            "APPLICATION/grpc-web+json ; charset=utf-8",
            "application/grpc+json",
        ),
    ];
    for (web, grpc) in cases {
        assert_eq!(grpc_type(web.as_bytes()), grpc.as_bytes(), "{web}");
    }
    let cases = [
        (
            "application/grpc-web",
            "application/grpc",
            "application/grpc-web",
        ),
        (
            "application/grpc-web+proto",
            "application/grpc",
            "application/grpc-web+proto",
        ),
        (
            "application/grpc-web-text+json",
            "application/grpc;a=b",
            "application/grpc-web-text+json",
        ),
        (
            "application/grpc-web+thrift",
            "application/grpc",
            "application/grpc-web",
        ),
        (
            "application/grpc-web+json",
            "application/grpc+proto",
            "application/grpc-web+proto",
        ),
    ];
    for (web, grpc, answer) in cases {
        let call = Call::asked(web.as_bytes(), None).unwrap();
        assert_eq!(
            call.answer_type(grpc.as_bytes()),
            answer.as_bytes(),
            "{web}"
        );
    }
}

#[test]
fn trailers_are_a_frame_of_lines() {
    let mut fields = HeaderMap::new();
    fields.insert("grpc-status", HeaderValue::from_static("5"));
    fields.insert("grpc-message", HeaderValue::from_static("not%20found"));
    fields.insert("content-type", HeaderValue::from_static("text/plain"));
    let frame = trailers_frame(&fields);
    let lines = b"grpc-status: 5\r\ngrpc-message: not%20found\r\n";
    assert_eq!(frame, [&[0x80, 0, 0, 0, 43][..], lines].concat());
    assert_eq!(trailers_frame(&HeaderMap::new()), [0x80, 0, 0, 0, 0]);
}

/// Three messages: empty, short, and compressed with a length of two bytes.
fn messages() -> Vec<u8> {
    let long = [7; 300];
    [
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 8, 9, 1, 0, 0, 1, 44][..],
        &long,
    ]
    .concat()
}

#[test]
fn messages_are_followed_through_every_cut() {
    let whole = messages();
    let ends = [0, 5, 12, whole.len()];
    for cut in 0..=whole.len() {
        let mut followed = Messages::default();
        let (first, second) = whole.split_at(cut);
        followed.follow(first).unwrap();
        assert_eq!(followed.is_whole(), ends.contains(&cut), "{cut}");
        followed.follow(second).unwrap();
        assert!(followed.is_whole(), "{cut}");
    }
    let mut bytewise = Messages::default();
    for byte in &whole {
        bytewise.follow(&[*byte]).unwrap();
    }
    assert!(bytewise.is_whole());
}

#[test]
fn what_begins_no_message_is_refused() {
    for flags in 2..=u8::MAX {
        let mut followed = Messages::default();
        assert_eq!(followed.follow(&[flags]), Err(BodyError::Message));
    }
    let mut largest = Messages::default();
    largest.follow(&[0, 255, 255, 255, 255, 9]).unwrap();
    assert!(!largest.is_whole());
}

fn read(pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut reader = TextReader::default();
    let mut bytes = Vec::new();
    for piece in pieces {
        bytes.extend(reader.read(piece).ok()?);
    }
    reader.is_whole().then_some(bytes)
}

#[test]
fn text_is_read_through_every_two_cuts() {
    // Each piece is padded in its own way, as senders do that flush.
    let pieces: [&[u8]; 5] = [b"a", b"bc", b"def", b"", b"ghijkl"];
    let encoded: String = pieces.iter().map(|piece| text(piece)).collect();
    let (encoded, wanted) = (encoded.as_bytes(), pieces.concat());
    for first in 0..=encoded.len() {
        for second in first..=encoded.len() {
            let cut = [
                &encoded[..first],
                &encoded[first..second],
                &encoded[second..],
            ];
            assert_eq!(read(&cut).as_deref(), Some(&wanted[..]), "{first} {second}");
        }
    }
    let single: Vec<&[u8]> = encoded.chunks(1).collect();
    assert_eq!(read(&single), Some(wanted));
}

#[test]
fn what_is_no_base64_is_refused() {
    for wrong in [
        "A",
        "AA",
        "AAA",
        "AA=",
        "=AAA",
        "A===",
        "====",
        "AA=A",
        "AAA*",
        "AA A",
        "AAA\n",
        "AB==",
        "AA-_",
        "AAAAAA==A",
        "\u{e9}AA",
    ] {
        let bytes = wrong.as_bytes();
        assert_eq!(read(&[bytes]), None, "{wrong:?}");
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), None, "{wrong:?} byte by byte");
    }
    assert_eq!(read(&[b""]), Some(Vec::new()));
}
