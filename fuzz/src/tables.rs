//! Parts of messages: tame ones that every proxy has to pass on, and wild ones that are refused or
//! passed on with the one reading that they have.

use crate::draw::Draw;
use crate::message::{Lines, trimmed};

/// Longest name and value made of the input's own bytes.
const OWN_BYTES: u8 = 15;

/// What a proxy passes on or knows what to do with.
const TAME_NAMES: [&str; 18] = [
    "x-a",
    "x-b",
    "cookie",
    "accept",
    "content-type",
    "user-agent",
    "date",
    "server",
    "via",
    "trailer",
    "authorization",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-request-id",
    "connection",
    "keep-alive",
    "upgrade",
    "set-cookie",
];

const WILD_NAMES: [&str; 20] = [
    "content-length",
    "transfer-encoding",
    "host",
    "te",
    "expect",
    "proxy-connection",
    "http2-settings",
    "grpc-timeout",
    "sec-websocket-key",
    "Transfer_Encoding",
    "X-Upper",
    "",
    ":path",
    ":authority",
    ":status",
    "x\"q",
    "x y",
    "x\r\ny",
    "x\0",
    "content-length ",
];

const TAME_TRAILERS: [&str; 9] = [
    "x-a",
    "x-sum",
    "grpc-status",
    "grpc-message",
    "host",
    "authorization",
    "set-cookie",
    "content-type",
    "x-forwarded-for",
];

const TAME_VALUES: [&str; 12] = [
    "",
    "a",
    "a, b",
    "close",
    "keep-alive",
    "x-a",
    "x-b, cookie",
    "te",
    "upgrade",
    "foo",
    "application/json",
    "a=b; c=d",
];

const WILD_VALUES: [&str; 18] = [
    "0",
    "5",
    "05",
    "+5",
    "5, 5",
    "chunked",
    "gzip, chunked",
    "trailers",
    "100-continue",
    "websocket",
    "application/grpc",
    "1S",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "a\r\nx-evil: 1",
    "a\r\n\r\nGET /evil HTTP/1.1\r\nhost: a\r\n\r\n",
    "a\nb",
    "a\0b",
    " a\t",
];

/// One of the lists, or up to [`OWN_BYTES`] of the input's own.
fn listed(draw: &mut Draw<'_>, lists: &[&[&str]]) -> Vec<u8> {
    let all: Vec<&str> = lists.concat();
    match all.get(usize::from(draw.byte())) {
        Some(text) => text.as_bytes().to_vec(),
        None => draw.bytes(OWN_BYTES),
    }
}

/// Bytes that a tame part may have, for those that came.
fn tamed(bytes: &[u8], allowed: &[u8]) -> Vec<u8> {
    let place = |byte: &u8| usize::from(*byte) % allowed.len();
    bytes.iter().map(|byte| allowed[place(byte)]).collect()
}

const NAME_BYTES: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-";
const PATH_BYTES: &[u8] = b"abcdefghijklmnopqrstuvwxyzABC0123456789-._~!$&'()*+,;=:@/?/?";

/// A field.
pub fn field(draw: &mut Draw<'_>, tame: bool) -> (Vec<u8>, Vec<u8>) {
    if !tame {
        let name = listed(draw, &[&TAME_NAMES, &WILD_NAMES]);
        return (name, listed(draw, &[&TAME_VALUES, &WILD_VALUES]));
    }
    (
        name(draw, &TAME_NAMES),
        visible(&listed(draw, &[&TAME_VALUES])),
    )
}

/// Trailers, at most three.
pub fn trailers(draw: &mut Draw<'_>, tame: bool) -> Lines {
    let count = draw.count(3);
    (0..count)
        .map(|_| match tame {
            true => {
                let name = name(draw, &TAME_TRAILERS);
                (name, visible(&listed(draw, &[&TAME_VALUES])))
            }
            false => field(draw, false),
        })
        .collect()
}

fn name(draw: &mut Draw<'_>, list: &[&str]) -> Vec<u8> {
    match list.get(usize::from(draw.byte())) {
        Some(name) => name.as_bytes().to_vec(),
        None => [b"x-", &tamed(&draw.bytes(OWN_BYTES), NAME_BYTES)[..]].concat(),
    }
}

fn visible(bytes: &[u8]) -> Vec<u8> {
    let fine = |byte: &u8| *byte >= b' ' && *byte != 0x7f;
    let bytes: Vec<u8> = bytes.iter().copied().filter(fine).collect();
    trimmed(&bytes).to_vec()
}

/// A method.
pub fn method(draw: &mut Draw<'_>, tame: bool) -> Vec<u8> {
    const TAME: [&str; 8] = [
        "GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "X-Y",
    ];
    const WILD: [&str; 5] = ["CONNECT", "get", "", "GET / HTTP/1.1", "PRI"];
    if tame {
        draw.of(&TAME).as_bytes().to_vec()
    } else {
        listed(draw, &[&TAME, &WILD])
    }
}

/// Path and query, or whatever stands there.
pub fn path(draw: &mut Draw<'_>, tame: bool) -> Vec<u8> {
    const WILD: [&str; 14] = [
        "/",
        "//a/b",
        "/a?b=c?d",
        "/a/../b",
        "/%2e%2e/a",
        "*",
        "",
        "?a",
        "/a#b",
        "/a b",
        "/a\r\nx: y",
        "/a HTTP/1.1\r\nhost: b\r\n\r\nGET /b",
        "http://b.example/c?d",
        "/\u{e9}",
    ];
    if tame {
        return [b"/", &tamed(&draw.bytes(OWN_BYTES), PATH_BYTES)[..]].concat();
    }
    listed(draw, &[&WILD])
}

/// A host with or without a port.
pub fn authority(draw: &mut Draw<'_>, tame: bool) -> Vec<u8> {
    const TAME: [&str; 5] = [
        "a.example",
        "a.example:81",
        "B.example",
        "127.0.0.1",
        "[::1]:80",
    ];
    const WILD: [&str; 8] = [
        "",
        "u@a",
        "a,b",
        "a b",
        "a:0080",
        "a:65536",
        "a..",
        "a\r\nb: c",
    ];
    if tame {
        draw.of(&TAME).as_bytes().to_vec()
    } else {
        listed(draw, &[&TAME, &WILD])
    }
}

/// A body, in pieces.
pub fn pieces(draw: &mut Draw<'_>) -> Vec<Vec<u8>> {
    let count = draw.count(4);
    (0..count)
        .map(|_| {
            let piece = draw.bytes(31);
            // Beyond what one read takes.
            if draw.one_in(16) {
                piece.repeat(500)
            } else {
                piece
            }
        })
        .collect()
}
