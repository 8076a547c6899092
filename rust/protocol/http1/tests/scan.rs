//! The head's end and its bounds, also before it is complete.

use super::LIMITS;
use crate::protocol::error::HeadError;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::HeadScanner;

const SMALL: HeadLimits = HeadLimits {
    bytes: 256,
    target: 16,
    ..LIMITS
};

fn scan(bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
    HeadScanner::default().scan(bytes, limits)
}

/// The first verdict when bytes come one by one, and how many had come.
fn bytewise(bytes: &[u8], limits: &HeadLimits) -> (usize, Result<Option<usize>, HeadError>) {
    let mut scanner = HeadScanner::default();
    for end in 0..=bytes.len() {
        let verdict = scanner.scan(&bytes[..end], limits);
        if verdict != Ok(None) {
            return (end, verdict);
        }
    }
    (bytes.len(), Ok(None))
}

#[test]
fn what_follows_the_head_is_left() {
    let two = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
    assert_eq!(scan(two, &LIMITS), Ok(Some(27)));
    assert_eq!(bytewise(two, &LIMITS), (27, Ok(Some(27))));
}

#[test]
fn a_bare_lf_is_refused_as_soon_as_it_is_there() {
    for (id, head, at) in [
        ("FR-12", &b"GET /\nHTTP/1.1\r\n"[..], 6),
        ("FR-12", b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", 21),
        ("FR-12", b"GET / HTTP/1.1\r\nA: b\r\n\n", 23),
        ("FR-12", b"\nGET / HTTP/1.1\r\n", 1),
        ("FR-12", b"\r\n\n", 3),
    ] {
        assert_eq!(
            bytewise(head, &LIMITS),
            (at, Err(HeadError::BareLf)),
            "{id} {head:?}"
        );
        assert_eq!(scan(head, &LIMITS), Err(HeadError::BareLf), "{id} {head:?}");
    }
}

#[test]
fn empty_lines_before_a_request_are_bounded() {
    let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let with = |lines: usize| [b"\r\n".repeat(lines), head.to_vec()].concat();
    assert_eq!(scan(&with(4), &LIMITS), Ok(Some(8 + head.len())));
    assert_eq!(scan(&with(5), &LIMITS), Err(HeadError::EmptyLines));
    assert_eq!(
        bytewise(&with(5), &LIMITS),
        (10, Err(HeadError::EmptyLines))
    );
}

#[test]
fn a_long_target_is_refused_before_its_line_ends() {
    let line = [&b"GET /"[..], &b"a".repeat(100)].concat();
    assert_eq!(scan(&line, &SMALL), Err(HeadError::TargetTooLong));
    let (seen, verdict) = bytewise(&line, &SMALL);
    assert_eq!(verdict, Err(HeadError::TargetTooLong));
    assert!(seen < 70, "refused only after {seen} bytes");
    let complete = [&line[..], b" HTTP/1.1\r\n\r\n"].concat();
    assert_eq!(scan(&complete, &SMALL), Err(HeadError::TargetTooLong));
}

#[test]
fn a_long_head_is_refused_complete_or_not() {
    let line = format!("A: {}\r\n", "b".repeat(50));
    let head = format!("GET / HTTP/1.1\r\n{}\r\n", line.repeat(5));
    assert_eq!(scan(head.as_bytes(), &SMALL), Err(HeadError::TooManyBytes));
    assert_eq!(
        bytewise(head.as_bytes(), &SMALL),
        (256, Err(HeadError::TooManyBytes))
    );
    let fits = HeadLimits {
        bytes: head.len(),
        ..SMALL
    };
    assert_eq!(scan(head.as_bytes(), &fits), Ok(Some(head.len())));
    let short = HeadLimits {
        bytes: head.len() - 1,
        ..SMALL
    };
    assert_eq!(scan(head.as_bytes(), &short), Err(HeadError::TooManyBytes));
}

#[test]
fn it_stays_small() {
    assert!(size_of::<HeadScanner>() <= 16);
}
