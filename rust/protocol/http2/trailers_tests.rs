//! Trailers both ways.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;

use super::parse_trailers;
use super::passing_trailers;
use super::write_trailers;
use crate::protocol::error::BodyError;
use crate::protocol::http1::chunked::MAX_TRAILERS;

fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    fields.iter().map(pair).collect()
}

const GRPC: [(&str, &str); 4] = [
    ("grpc-status", "5"),
    ("grpc-message", "not%20found"),
    ("grpc-status-details-bin", "CAU"),
    ("x-cost", "3"),
];

#[test]
fn grpcs_own_pass_and_forbidden_ones_do_not() {
    let mut trailers = map(&GRPC);
    assert_eq!(passing_trailers(&mut trailers), Ok(()));
    assert_eq!(trailers, map(&GRPC));
    trailers.extend(map(&[
        ("content-length", "1"),
        ("host", "a"),
        ("set-cookie", "b"),
        ("authorization", "c"),
        ("x-forwarded-for", "d"),
        ("a_b", "e"),
    ]));
    // What HTTP/2 brought the `http` crate takes for a name.
    trailers.append(
        HeaderName::from_lowercase(b"a\"b").unwrap(),
        HeaderValue::from_static("g"),
    );
    trailers.append("set-cookie", HeaderValue::from_static("f"));
    let mut out = Vec::new();
    write_trailers(&trailers, &mut out);
    assert_eq!(passing_trailers(&mut trailers), Ok(()));
    assert_eq!(trailers, map(&GRPC), "FR-11");
    let lines = "grpc-status: 5\r\ngrpc-message: not%20found\r\ngrpc-status-details-bin: CAU\r\nx-cost: 3\r\n";
    assert_eq!(String::from_utf8_lossy(&out), lines, "FR-11");
    assert_eq!(parse_trailers(&out), Ok(map(&GRPC)));
}

#[test]
fn lines_are_read_strictly() {
    let read = |text: &str| parse_trailers(text.as_bytes());
    assert_eq!(read(""), Ok(HeaderMap::new()));
    assert_eq!(read("A:  b \r\nTE: c\r\n\r\n"), Ok(map(&[("a", "b")])));
    for text in [
        "A: b",
        "A: b\n",
        "A\r\n",
        " A: b\r\n",
        "A: \0\r\n",
        "A\": b\r\n",
    ] {
        assert_eq!(read(text), Err(BodyError::Trailer), "{text:?}");
    }
    let long = "A: b\r\n".repeat(MAX_TRAILERS / 6 + 1);
    assert_eq!(read(&long), Err(BodyError::TrailersTooLong));
}

#[test]
fn fields_are_counted() {
    let lines = |count: usize| "A: b\r\n".repeat(count);
    let mut most = parse_trailers(lines(128).as_bytes()).unwrap();
    let more = parse_trailers(lines(129).as_bytes());
    assert_eq!(more, Err(BodyError::TrailersTooLong), "HA-4");
    assert_eq!(passing_trailers(&mut most), Ok(()));
    most.append("a", HeaderValue::from_static("b"));
    let more = passing_trailers(&mut most);
    assert_eq!(more, Err(BodyError::TrailersTooLong), "HA-4");
}

#[test]
fn blanks_are_not_passed_on() {
    let mut out = Vec::new();
    let value = HeaderValue::from_static(" b ");
    write_trailers(
        &HeaderMap::from_iter([(HeaderName::from_static("a"), value)]),
        &mut out,
    );
    assert_eq!(out, b"a: b\r\n", "TR-8");
}
