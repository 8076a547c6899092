//! FR-7 to FR-11: chunks at every split.

use crate::protocol::error::BodyError;
use crate::protocol::http1::ChunkMode;
use crate::protocol::http1::ChunkScanner;
use crate::protocol::http1::chunked::MAX_TRAILERS;

/// What a caller forwards when the input comes in steps.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Walked {
    pub(super) kept: Vec<u8>,
    /// In [`ChunkMode::Split`]; else empty.
    pub(super) trailers: Vec<u8>,
    pub(super) left: Vec<u8>,
    pub(super) done: bool,
    pub(super) payload: u64,
}

/// Does with the scanner what a copy loop does.
pub(super) fn walk(mode: ChunkMode, input: &[u8], step: usize) -> Result<Walked, BodyError> {
    let mut scanner = ChunkScanner::new(mode);
    let mut kept = Vec::new();
    let mut trailers = Vec::new();
    let mut buffer = Vec::new();
    let mut pieces = input.chunks(step);
    while let Some(piece) = pieces.next() {
        buffer.extend_from_slice(piece);
        let scanned = scanner.scan(&mut buffer)?;
        assert!(scanned.kept <= scanned.consumed && scanned.consumed <= buffer.len());
        let (payload, lines) = buffer[..scanned.kept].split_at(scanned.kept - scanned.trailers);
        assert!(trailers.is_empty() || payload.is_empty());
        kept.extend_from_slice(payload);
        trailers.extend_from_slice(lines);
        buffer.drain(..scanned.consumed);
        assert!(scanned.done || buffer.len() <= MAX_TRAILERS);
        if scanned.done {
            pieces
                .by_ref()
                .for_each(|rest| buffer.extend_from_slice(rest));
            break;
        }
    }
    Ok(Walked {
        kept,
        trailers,
        left: buffer,
        done: scanner.is_done(),
        payload: scanner.payload_total(),
    })
}

fn every_step(mode: ChunkMode, input: &[u8]) -> Result<Walked, BodyError> {
    let whole = walk(mode, input, input.len());
    for step in 1..input.len() {
        assert_eq!(walk(mode, input, step), whole, "{input:?} by {step}");
    }
    whole
}

fn error(input: &str) -> Option<BodyError> {
    let forward = every_step(ChunkMode::Forward, input.as_bytes()).err();
    for mode in [ChunkMode::Decode, ChunkMode::Split] {
        assert_eq!(every_step(mode, input.as_bytes()).err(), forward);
    }
    forward
}

#[test]
fn clean_chunks_pass_untouched_and_the_rest_stays() {
    let body = b"5\r\nhello\r\n00a\r\n0123456789\r\n0\r\n\r\n";
    let input = [&body[..], b"GET / HTTP/1.1\r\n"].concat();
    let walked = every_step(ChunkMode::Forward, &input).unwrap();
    assert_eq!(
        (&walked.kept[..], walked.done, walked.payload),
        (&body[..], true, 15)
    );
    assert_eq!(walked.left, b"GET / HTTP/1.1\r\n");

    let walked = every_step(ChunkMode::Decode, &input).unwrap();
    assert_eq!(walked.kept, b"hello0123456789");
    assert_eq!(walked.left, b"GET / HTTP/1.1\r\n");
}

#[test]
fn extensions_and_forbidden_trailers_are_cut() {
    let input = b"5;a=b;c=\"d;\\\"e\"\r\nhello\r\n0;z\r\nX-A: 1\r\nContent-Length: 9\r\nTE: x\r\n\
        Host: b\r\nAuthorization: c\r\nX_B: 2\r\nSet-Cookie: d\r\nIf-Match: e\r\nX-C: 3\r\n\r\n";
    let walked = every_step(ChunkMode::Forward, input).unwrap();
    let wanted = b"5\r\nhello\r\n0\r\nX-A: 1\r\nX-C: 3\r\n\r\n";
    assert_eq!(walked.kept, wanted, "FR-9, FR-11");
    assert_eq!(
        every_step(ChunkMode::Decode, input).unwrap().kept,
        b"hello",
        "FR-11"
    );
}

#[test]
fn payload_and_trailers_can_be_had_apart() {
    let input =
        b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nGrpc-Status: 0\r\nTE: x\r\ngrpc-message: \r\n\r\nGET";
    let walked = every_step(ChunkMode::Split, input).unwrap();
    assert_eq!((&walked.kept[..], walked.done), (&b"hello!"[..], true));
    assert_eq!(walked.trailers, b"Grpc-Status: 0\r\ngrpc-message: \r\n");
    assert_eq!(walked.left, b"GET");
    let bare = every_step(ChunkMode::Split, b"0\r\n\r\n").unwrap();
    assert!(bare.done && bare.kept.is_empty() && bare.trailers.is_empty());
    for mode in [ChunkMode::Forward, ChunkMode::Decode] {
        assert!(every_step(mode, input).unwrap().trailers.is_empty());
    }
}

#[test]
fn sizes_are_hexadecimal_digits() {
    for size in [
        "00000000000000005",
        "0x5",
        "+5",
        "-0",
        "5_0",
        " 5",
        "5 ",
        "5\t",
        "",
        "Z",
        "5 ;a",
        "\u{ff15}",
    ] {
        let input = format!("{size}\r\nhello\r\n0\r\n\r\n");
        assert_eq!(
            error(&input),
            Some(BodyError::ChunkSize),
            "FR-7, FR-8 {size:?}"
        );
    }
    let largest = "ffffffffffffffff\r\nx";
    assert_eq!(error(largest), None, "FR-7");
    let sum = "1\r\nx\r\nffffffffffffffff\r\n";
    assert_eq!(error(sum), Some(BodyError::TooLong), "FR-7");
}

#[test]
fn extensions_hold_no_line_end() {
    for line in [
        "5;\n",
        "5;a\rX",
        "5\r\r;",
        "5\rX",
        "5;a=\"b\r\nc\"\r\n",
        "5;a\0\r\n",
        "5;a\x7f\r\n",
    ] {
        let input = format!("{line}hello\r\n0\r\n\r\n");
        assert_eq!(
            error(&input),
            Some(BodyError::ChunkExtension),
            "FR-9 {line:?}"
        );
    }
    assert_eq!(error("5\nhello\r\n"), Some(BodyError::ChunkSize), "FR-9");
}

#[test]
fn extensions_are_bounded_over_the_message() {
    let long = format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(64 * 1024));
    let refused = walk(ChunkMode::Forward, long.as_bytes(), 4096);
    assert_eq!(refused, Err(BodyError::ExtensionsTooLong), "FR-9");
    let many = "1;abc\r\nx\r\n".repeat(5000);
    let refused = walk(ChunkMode::Forward, many.as_bytes(), 4096);
    assert_eq!(refused, Err(BodyError::ExtensionsTooLong), "FR-9");
}

#[test]
fn data_ends_where_its_size_says() {
    for input in [
        "5\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
    ] {
        assert_eq!(error(input), Some(BodyError::ChunkEnd), "FR-10 {input:?}");
    }
    let extra = "5\r\nhello\r\n\r\n0\r\n\r\n";
    assert_eq!(error(extra), Some(BodyError::ChunkSize), "FR-10");
}

#[test]
fn trailers_are_field_lines() {
    for line in [
        "A", ": x", "A b: c", " A: b", "A : b", "A: b\0", "A: b\n", "A: b\r", "\r",
    ] {
        let input = format!("0\r\nX: y\r\n{line}\r\n\r\n");
        assert_eq!(error(&input), Some(BodyError::Trailer), "FR-11 {line:?}");
    }
    assert_eq!(
        error("0\r\nA: b\r\n c\r\n\r\n"),
        Some(BodyError::Trailer),
        "FR-11"
    );
}

#[test]
fn trailers_are_bounded_also_when_they_never_end() {
    let line = format!("0\r\nA: {}", "b".repeat(MAX_TRAILERS));
    let many = format!("0\r\n{}", "A: b\r\n".repeat(MAX_TRAILERS));
    for input in [line, many] {
        for step in [1, 7, 8192] {
            let walked = walk(ChunkMode::Forward, input.as_bytes(), step);
            assert_eq!(walked, Err(BodyError::TrailersTooLong), "FR-11");
        }
    }
}

#[test]
fn nothing_short_of_the_end_is_done() {
    let input = b"5;a\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..input.len() {
        let walked = walk(ChunkMode::Forward, &input[..end], 3).unwrap();
        assert!(!walked.done, "FR-11, FR-23 up to {end}");
    }
}

#[test]
fn payload_may_pass_by_another_way() {
    let mut scanner = ChunkScanner::forward();
    let scanned = scanner.scan(&mut b"a\r\n01".to_vec()).unwrap();
    assert_eq!((scanned.consumed, scanned.kept), (5, 5));
    assert_eq!(scanner.payload_remaining(), 8);
    scanner.advance(3);
    scanner.advance(5);
    assert_eq!(scanner.payload_remaining(), 0);
    let mut rest = b"\r\n0\r\n\r\n".to_vec();
    let scanned = scanner.scan(&mut rest).unwrap();
    assert_eq!(
        (scanned.kept, scanned.done, scanner.payload_total()),
        (7, true, 10)
    );
}
