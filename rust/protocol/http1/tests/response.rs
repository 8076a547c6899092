//! FR-23: an upstream's head is read as strictly as a client's.

use super::ask_response;
use crate::protocol::error::HeadError;
use crate::protocol::http1::RequestMethod;
use crate::protocol::http1::RequestMethod::Connect;
use crate::protocol::http1::RequestMethod::Head;
use crate::protocol::http1::RequestMethod::Other;
use crate::protocol::http1::ResponseFraming;

fn answer(status: &str, lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{lines}\r\n").into_bytes()
}

fn body(head: &[u8], method: RequestMethod) -> (ResponseFraming, Option<u64>, bool) {
    let facts = ask_response(head, method, |head| {
        (head.framing, head.length, head.keep_alive)
    });
    facts.expect("a valid response")
}

#[test]
fn bodies_follow_status_method_and_fields() {
    use ResponseFraming::{Chunked, Length, None as Nothing, UntilClose};
    let (sized, coded) = ("Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n");
    let cases = [
        ("200 OK", sized, Other, (Length(7), Some(7), true)),
        ("200 OK", coded, Other, (Chunked, None, true)),
        ("200 OK", "", Other, (UntilClose, None, false)),
        ("200 OK", sized, Head, (Nothing, Some(7), true)),
        ("200 OK", coded, Head, (Nothing, None, true)),
        ("200 OK", "", Head, (Nothing, None, true)),
        ("304 Not Modified", sized, Other, (Nothing, Some(7), true)),
        ("204 No Content", "", Other, (Nothing, None, true)),
        ("204 No Content", sized, Other, (Nothing, None, false)),
        ("100 Continue", "", Other, (Nothing, None, true)),
        ("101 Switching Protocols", "", Other, (Nothing, None, false)),
        ("200 OK", sized, Connect, (Nothing, None, false)),
        ("403 Forbidden", sized, Connect, (Length(7), Some(7), true)),
        (
            "205 Reset Content",
            "Content-Length: 0\r\n",
            Other,
            (Length(0), Some(0), true),
        ),
    ];
    for (status, lines, method, wanted) in cases {
        assert_eq!(
            body(&answer(status, lines), method),
            wanted,
            "FR-23 {status} {lines:?} {method:?}"
        );
    }
}

#[test]
fn broken_heads_are_refused() {
    use HeadError::{BareLf, CodingInHttp10, FieldName, FieldValue, Length, LengthAndCoding};
    use HeadError::{LengthRepeated, StartLine, Version};
    let cases = [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            LengthAndCoding,
        ),
        (
            "HTTP/1.1 304 -\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            LengthAndCoding,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            LengthRepeated,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", Length),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            CodingInHttp10,
        ),
        ("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", BareLf),
        ("HTTP/1.1 200 OK\r\nA: b\rSet-Cookie: c\r\n\r\n", FieldValue),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", FieldName),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", FieldName),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", StartLine),
        ("HTTP/1.1 99 Low\r\n\r\n", StartLine),
        ("HTTP/1.1 600 High\r\n\r\n", StartLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", StartLine),
        ("HTTP/1.1  200 OK\r\n\r\n", StartLine),
        ("HTTP/2.0 200 OK\r\n\r\n", Version),
        ("ICY 200 OK\r\n\r\n", StartLine),
        ("HTTP/1.1 200 O\0K\r\n\r\n", StartLine),
    ];
    for (head, wanted) in cases {
        let verdict = ask_response(head.as_bytes(), Other, |_| ());
        assert_eq!(verdict, Err(wanted), "FR-23 {head:?}");
    }
}

#[test]
fn the_connection_stays_where_both_sides_mean_it() {
    for (head, wanted) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n",
            false,
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n",
            true,
        ),
    ] {
        assert_eq!(body(head.as_bytes(), Other).2, wanted, "{head:?}");
    }
}

#[test]
fn known_fields_are_found() {
    let head = answer(
        "200 OK",
        "Date: d\r\nServer: s\r\nServer: t\r\nContent-Length: 0\r\n",
    );
    let found = ask_response(&head, Other, |head| {
        [head.known.server, head.known.date].map(|index| head.value(index).map(<[u8]>::to_vec))
    });
    assert_eq!(found, Ok([Some(b"s".to_vec()), Some(b"d".to_vec())]));
}
