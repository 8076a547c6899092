//! HTTP/2's responses read and written.

use http::Response;

use super::read_response;
use super::write_response;
use super::write_tunnel;
use crate::protocol::edits::AnswerEdits;
use crate::protocol::error::HeadError;
use crate::protocol::head::Version;
use crate::protocol::http1;
use crate::protocol::http1::FieldStorage;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::RequestMethod;
use crate::protocol::http1::RequestMethod::Connect;
use crate::protocol::http1::RequestMethod::Head;
use crate::protocol::http1::RequestMethod::Other;
use crate::protocol::http1::ResponseEdits;
use crate::protocol::http1::ResponseFraming;
use crate::protocol::http1::ResponseHead;

const LIMITS: HeadLimits = HeadLimits::response(4096, 20);

const MESH: AnswerEdits<'_> = AnswerEdits {
    via: Some("mesh"),
    fields: None,
};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn given(status: u16, fields: Fields<'_>) -> Response<()> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        // As the crate reads names: other than `from_bytes`, this takes `"`.
        let name = http::HeaderName::from_lowercase(name.as_bytes()).expect("a valid name");
        response = response.header(name, *value);
    }
    response.body(()).expect("a valid response")
}

fn ask<R>(
    response: Response<()>,
    end_stream: bool,
    method: RequestMethod,
    question: impl FnOnce(&ResponseHead<'_, '_>) -> R,
) -> Result<R, HeadError> {
    let (parts, ()) = response.into_parts();
    let mut storage = FieldStorage::new();
    read_response(&parts, end_stream, &mut storage, &LIMITS, method).map(|head| question(&head))
}

fn from_http1(
    bytes: &[u8],
    write: impl FnOnce(&ResponseHead<'_, '_>) -> Result<Response<()>, HeadError>,
) -> Result<(u16, Vec<String>), HeadError> {
    let mut storage = FieldStorage::new();
    let head = http1::parse_response(bytes, &mut storage, &LIMITS, Other).expect("a valid head");
    write(&head).map(|response| {
        let lines = response.headers().iter();
        let lines =
            lines.map(|(name, value)| format!("{name}: {}", value.to_str().expect("ASCII")));
        (response.status().as_u16(), lines.collect())
    })
}

#[test]
fn bodies_follow_status_method_length_and_stream() {
    use ResponseFraming::{Chunked, Length, None as Nothing};
    let sized = [("content-length", "7")];
    let cases: [(u16, Fields<'_>, bool, RequestMethod, _); 13] = [
        (200, &sized, false, Other, Ok((Length(7), Some(7)))),
        (200, &[], false, Other, Ok((Chunked, None))),
        (200, &[], true, Other, Ok((Length(0), None))),
        (200, &sized, true, Other, Err(HeadError::Length)),
        (200, &sized, true, Head, Ok((Nothing, Some(7)))),
        (200, &[], true, Head, Ok((Nothing, None))),
        (304, &sized, true, Other, Ok((Nothing, Some(7)))),
        (204, &[], true, Other, Ok((Nothing, None))),
        (103, &[], false, Other, Ok((Nothing, None))),
        (200, &[], false, Connect, Ok((Nothing, None))),
        (403, &[], false, Connect, Ok((Chunked, None))),
        (101, &[], false, Connect, Err(HeadError::StartLine)),
        (600, &[], true, Other, Err(HeadError::StartLine)),
    ];
    for (status, fields, end_stream, method, wanted) in cases {
        let read = ask(given(status, fields), end_stream, method, |head| {
            assert!(head.keep_alive && head.version == Version::Http2);
            (head.framing, head.length)
        });
        assert_eq!(read, wanted, "{status} {fields:?} {end_stream} {method:?}");
    }
}

#[test]
fn hostile_fields_are_refused() {
    let cases: [(Fields<'_>, HeadError); 4] = [
        (
            &[("content-length", "1"), ("content-length", "1")],
            HeadError::LengthRepeated,
        ),
        (&[("content-length", "+1")], HeadError::Length),
        (&[("transfer-encoding", "chunked")], HeadError::Coding),
        (&[("a\"", "1")], HeadError::FieldName),
    ];
    for (fields, error) in cases {
        let refused = ask(given(200, fields), false, Other, |_| ()).err();
        assert_eq!(refused, Some(error), "{fields:?}");
    }
    let many = given(200, &[("a", "b"); 21]);
    let refused = ask(many, false, Other, |_| ()).err();
    assert_eq!(refused, Some(HeadError::TooManyFields));
}

#[test]
fn http2_becomes_http1() {
    let edits = ResponseEdits {
        keep_alive: true,
        downstream_version: Version::Http11,
        own: MESH,
        upgrade: false,
    };
    let written = |status, end_stream| {
        let mut out = Vec::new();
        let response = given(status, &[("server", " s ")]);
        let stays = ask(response, end_stream, Other, |head| {
            http1::write_response(head, &edits, &mut out)
        });
        assert_eq!(stays, Ok(true));
        String::from_utf8(out).expect("ASCII")
    };
    let (ok, rest) = ("HTTP/1.1 200 OK\r\n", "server: s\r\nvia: 2 mesh\r\n");
    assert_eq!(
        written(200, false),
        format!("{ok}{rest}transfer-encoding: chunked\r\n\r\n")
    );
    assert_eq!(
        written(200, true),
        format!("{ok}{rest}content-length: 0\r\n\r\n")
    );
    assert_eq!(
        written(204, true),
        format!("HTTP/1.1 204 No Content\r\n{rest}\r\n")
    );
}

#[test]
fn http1_becomes_http2() {
    let plain = |head: &ResponseHead<'_, '_>| write_response(head, MESH);
    let sized = b"HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nKeep-Alive: 1\r\nConnection: X-A\r\n\
        X-A: 1\r\nSet-Cookie: a\r\nX-B: 2\r\nSet-Cookie: b\r\n\r\n";
    let wanted = [
        "set-cookie: a",
        "set-cookie: b",
        "x-b: 2",
        "via: 1.1 mesh",
        "content-length: 3",
    ];
    let wanted = Ok((200, wanted.map(str::to_owned).to_vec()));
    assert_eq!(from_http1(sized, plain), wanted);

    let coded = b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n";
    let wanted = Ok((404, vec!["via: 1.1 mesh".to_owned()]));
    assert_eq!(from_http1(coded, plain), wanted);

    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    let bare = from_http1(hints, |head| write_response(head, AnswerEdits::default()));
    assert_eq!(bare, Ok((103, vec!["link: </a>".to_owned()])));
}

#[test]
fn a_switch_becomes_a_tunnel_and_never_a_101() {
    let switch =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    let refused = from_http1(switch, |head| write_response(head, AnswerEdits::default()));
    assert_eq!(refused, Err(HeadError::StartLine));
    let tunnel = from_http1(switch, |head| write_tunnel(head, AnswerEdits::default()));
    let wanted = Ok((200, vec!["sec-websocket-protocol: chat".to_owned()]));
    assert_eq!(tunnel, wanted, "RFC 8441");
}

#[test]
fn a_tunnel_becomes_a_switch() {
    let response = given(
        200,
        &[
            ("sec-websocket-protocol", "chat"),
            ("sec-websocket-accept", "x"),
        ],
    );
    let mut out = Vec::new();
    let written = ask(response, false, Connect, |head| {
        http1::write_switch(head, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", MESH, &mut out);
    });
    assert_eq!(written, Ok(()));
    let wanted = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-protocol: chat\r\nvia: 2 mesh\r\n\
        connection: upgrade\r\nupgrade: websocket\r\n\
        sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&out), wanted);
}
