//! FR-1 to FR-6: whose message ends where.

use super::LIMITS;
use super::ask_request;
use super::refused;
use crate::protocol::error::HeadError;
use crate::protocol::http1::Framing;

fn post(lines: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
}

fn framing(lines: &str) -> Result<Framing, HeadError> {
    ask_request(&post(lines), &LIMITS, |head| head.framing)
}

#[test]
fn one_length_or_chunked_is_taken() {
    let cases = [
        ("", Framing::None),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("content-length:17\r\n", Framing::Length(17)),
        ("Content-Length: \t0042 \r\n", Framing::Length(42)),
        (
            "Content-Length: 18446744073709551615\r\n",
            Framing::Length(u64::MAX),
        ),
        ("Transfer-Encoding: chunked\r\n", Framing::Chunked),
        ("TRANSFER-ENCODING:  ChUnKeD \r\n", Framing::Chunked),
    ];
    for (lines, wanted) in cases {
        assert_eq!(framing(lines), Ok(wanted), "{lines:?}");
    }
}

#[test]
fn length_beside_coding_is_refused() {
    let cases = [
        (
            "FR-1",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        ),
        (
            "FR-1",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ),
        (
            "FR-1",
            "Transfer-Encoding: chunked\r\nA: b\r\nContent-Length: x\r\n",
        ),
    ];
    for (id, lines) in cases {
        assert_eq!(
            framing(lines),
            Err(HeadError::LengthAndCoding),
            "{id} {lines:?}"
        );
    }
}

#[test]
fn codings_other_than_chunked_are_refused() {
    use HeadError::{Coding, CodingUnknown, FieldValue};
    let cases = [
        ("", Coding),
        (",chunked", Coding),
        ("chunked,", Coding),
        ("xchunked", CodingUnknown),
        ("gzip", CodingUnknown),
        ("gzip, chunked", CodingUnknown),
        ("chunkedchunked", CodingUnknown),
        ("chunked, gzip", Coding),
        ("chunked, chunked", Coding),
        ("chunked chunked", Coding),
        ("\"chunked\"", Coding),
        ("'chunked'", CodingUnknown),
        ("chunked;x=1", Coding),
        ("chunk\u{e9}d", Coding),
        ("\x0bchunked", FieldValue),
        ("chunked\0", FieldValue),
    ];
    for (value, wanted) in cases {
        let lines = format!("Transfer-Encoding: {value}\r\n");
        assert_eq!(framing(&lines), Err(wanted), "FR-2 {value:?}");
    }
}

#[test]
fn codings_in_two_lines_are_refused() {
    let lines = "Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n";
    assert_eq!(framing(lines), Err(HeadError::CodingRepeated), "FR-3");
    let lines = "Transfer-Encoding: identity\r\nTransfer-encoding: chunked\r\n";
    assert_eq!(framing(lines), Err(HeadError::CodingUnknown), "FR-3");
}

#[test]
fn http_1_0_has_no_coding_and_no_body_without_length() {
    let coded = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(coded), Some(HeadError::CodingInHttp10), "FR-4");

    let bare = b"POST / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nleft over";
    let facts = ask_request(bare, &LIMITS, |head| (head.framing, head.keep_alive));
    assert_eq!(facts, Ok((Framing::None, false)), "FR-4");

    let sized = b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab";
    let facts = ask_request(sized, &LIMITS, |head| (head.framing, head.keep_alive));
    assert_eq!(facts, Ok((Framing::Length(2), true)), "FR-4");
}

#[test]
fn several_lengths_are_refused() {
    for lines in [
        "Content-Length: 0\r\nContent-Length: 31\r\n",
        "Content-Length: 5\r\nA: b\r\ncontent-length: 5\r\n",
    ] {
        assert_eq!(
            framing(lines),
            Err(HeadError::LengthRepeated),
            "FR-5 {lines:?}"
        );
    }
    for value in ["5, 5", "5, 6", "5,"] {
        let lines = format!("Content-Length: {value}\r\n");
        assert_eq!(framing(&lines), Err(HeadError::Length), "FR-5 {value:?}");
    }
}

#[test]
fn lengths_are_digits() {
    for value in [
        "+5",
        "-48",
        "0x10",
        "1_0",
        "5 5",
        "5\t5",
        "",
        " ",
        "18446744073709551616",
        "99999999999999999999999",
        "1Z",
        "\"5\"",
        "5;",
        "\u{ff15}",
        "1e3",
        "5.0",
    ] {
        let lines = format!("Content-Length: {value}\r\n");
        assert_eq!(framing(&lines), Err(HeadError::Length), "FR-6 {value:?}");
    }
    let empty_first = "Content-Length:\r\nContent-Length: 5\r\n";
    assert_eq!(framing(empty_first), Err(HeadError::Length), "FR-6");
}

#[test]
fn a_get_may_have_a_body() {
    let get = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
    assert_eq!(
        ask_request(get, &LIMITS, |head| head.framing),
        Ok(Framing::Length(4)),
        "FR-17"
    );
}

#[test]
fn connect_has_none() {
    for line in ["Content-Length: 1", "Transfer-Encoding: chunked"] {
        let head = format!("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n{line}\r\n\r\n");
        assert_eq!(
            refused(head.as_bytes()),
            Some(HeadError::ConnectBody),
            "FR-20 {line}"
        );
    }
}
