//! TR-1 to TR-8 and RFC 8441: HTTP/2's requests read and written.

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;

use super::join_cookies;
use super::read_request;
use super::write_request;
use crate::protocol::edits::RequestEdits;
use crate::protocol::error::HeadError;
use crate::protocol::head::Version;
use crate::protocol::head::values;
use crate::protocol::http1;
use crate::protocol::http1::FieldStorage;
use crate::protocol::http1::Framing;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::RequestHead;
use crate::protocol::http1::TargetForm;
use crate::wire::listener::Underscores;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4096,
    count: 20,
    target: 64,
    underscores: Underscores::Reject,
};

const EDITS: RequestEdits<'_> = RequestEdits {
    method: None,
    framing: None,
    path: None,
    authority: None,
    client_ip: "192.0.2.7",
    proto: "http",
    keep_forwarded: false,
    request_id: None,
    via: None,
    upgrade: true,
    websocket_key: None,
    grpc_timeout: None,
    fields: None,
};

type Fields<'a> = &'a [(&'a str, &'a str)];

/// A request as the h2 crate gives it out.
fn given(method: &str, uri: &str, fields: Fields<'_>) -> Request<()> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        // As the crate reads names: other than `from_bytes`, this takes `"`.
        let name = http::HeaderName::from_lowercase(name.as_bytes()).expect("a valid name");
        request = request.header(name, *value);
    }
    request.body(()).expect("a valid request")
}

fn websocket(mut request: Request<()>, protocol: &'static str) -> Request<()> {
    let protocol = h2::ext::Protocol::from_static(protocol);
    request.extensions_mut().insert(protocol);
    request
}

fn ask<R>(
    request: Request<()>,
    end_stream: bool,
    question: impl FnOnce(&RequestHead<'_, '_>) -> R,
) -> Result<R, HeadError> {
    let (parts, ()) = request.into_parts();
    let mut storage = FieldStorage::new();
    read_request(&parts, end_stream, &mut storage, &LIMITS).map(|head| question(&head))
}

fn refused(request: Request<()>) -> Option<HeadError> {
    ask(request, true, |_| ()).err()
}

/// The same request as an HTTP/1 upstream gets it.
fn as_http1(request: Request<()>, end_stream: bool, edits: &RequestEdits<'_>) -> String {
    let mut out = Vec::new();
    let written = ask(request, end_stream, |head| {
        http1::write_request(head, edits, &mut out);
    });
    written.expect("a valid request");
    String::from_utf8(out).expect("ASCII")
}

/// Bytes of HTTP/1 as an HTTP/2 upstream gets them.
fn as_http2(bytes: &[u8], edits: &RequestEdits<'_>) -> Result<Request<()>, HeadError> {
    let mut storage = FieldStorage::new();
    let head = http1::parse_request(bytes, &mut storage, &LIMITS).expect("a valid head");
    write_request(&head, edits, "https")
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    let line = |(name, value): (&http::HeaderName, &HeaderValue)| {
        format!("{name}: {}", value.to_str().expect("ASCII"))
    };
    headers.iter().map(line).collect()
}

#[test]
fn a_request_reads_as_http1_would() {
    let request = given(
        "POST",
        "https://a.example:8443/b/c?d=e",
        &[
            ("user-agent", "f"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", "1S"),
            ("x-forwarded-for", "1"),
        ],
    );
    ask(request, false, |head| {
        assert_eq!((head.method, head.target), ("POST", "/b/c?d=e"));
        assert_eq!((head.path, head.query), ("/b/c", Some("d=e")));
        assert_eq!(head.form, TargetForm::Origin);
        assert_eq!((head.version, head.keep_alive), (Version::Http2, true));
        assert_eq!(head.authority.host, "a.example");
        assert_eq!(head.authority.port, Some(8443));
        assert_eq!(head.framing, Framing::Chunked, "a body of unknown length");
        assert!(head.te_trailers && head.upgrade.is_none());
        assert_eq!(head.value(head.known.user_agent), Some(&b"f"[..]));
        assert_eq!(
            head.value(head.known.content_type),
            Some(&b"application/grpc"[..])
        );
        assert_eq!(head.value(head.known.grpc_timeout), Some(&b"1S"[..]));
        assert!(head.dropped.contains(2) && head.forwarded.contains(4));
    })
    .expect("a valid request");
}

#[test]
fn a_body_is_what_length_and_stream_say() {
    let (uri, sized) = ("https://a.example/", [("content-length", "7")]);
    let framing = |request, end| ask(request, end, |head| head.framing);
    assert_eq!(framing(given("GET", uri, &[]), true), Ok(Framing::None));
    assert_eq!(framing(given("GET", uri, &[]), false), Ok(Framing::Chunked));
    assert_eq!(
        framing(given("PUT", uri, &sized), false),
        Ok(Framing::Length(7))
    );
    assert_eq!(
        framing(given("PUT", uri, &[("content-length", "0")]), true),
        Ok(Framing::Length(0))
    );
    assert_eq!(
        framing(given("PUT", uri, &sized), true),
        Err(HeadError::Length),
        "TR-4"
    );
}

#[test]
fn what_http2_forbids_is_refused() {
    let uri = "https://a.example/";
    let cases: [(&str, &str, Fields<'_>, HeadError); 18] = [
        ("GET", uri, &[("content-length", "0 1")], HeadError::Length),
        (
            "GET",
            uri,
            &[("content-length", "0"), ("content-length", "0")],
            HeadError::LengthRepeated,
        ),
        (
            "GET",
            uri,
            &[("transfer-encoding", "chunked")],
            HeadError::Coding,
        ),
        ("GET", uri, &[("a\"b", "c")], HeadError::FieldName),
        ("GET", uri, &[("a_b", "c")], HeadError::Underscore),
        ("GET", uri, &[("expect", "more")], HeadError::Expectation),
        ("GET", "/", &[], HeadError::HostMissing),
        (
            "GET",
            "/",
            &[("host", "a"), ("host", "a")],
            HeadError::HostRepeated,
        ),
        ("GET", "/", &[("host", "a@b")], HeadError::Host),
        ("GET", uri, &[("host", "a,b")], HeadError::Host),
        ("GET", "https://u@a.example/", &[], HeadError::Host),
        ("GET", "https://a.example:0/", &[], HeadError::Host),
        ("GET", "*", &[("host", "a")], HeadError::Target),
        ("GET", "https://a.example?b", &[], HeadError::Target),
        ("GET", "https://a.example/\u{e9}", &[], HeadError::Target),
        ("CONNECT", "a.example", &[], HeadError::Target),
        (
            "CONNECT",
            "a.example:1",
            &[("content-length", "1")],
            HeadError::ConnectBody,
        ),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG",
            uri,
            &[],
            HeadError::MethodTooLong,
        ),
    ];
    for (method, uri, fields, error) in cases {
        let request = given(method, uri, fields);
        let what = format!("{method} {uri} {fields:?}");
        assert_eq!(
            ask(request, method == "GET", |_| ()).err(),
            Some(error),
            "{what}"
        );
    }
    let mut missing = given("GET", "/", &[("host", "a")]);
    *missing.uri_mut() = http::Uri::from_parts(http::uri::Parts::default()).expect("empty");
    assert_eq!(refused(missing), Some(HeadError::Target), "TR-3");
}

#[test]
fn bounds_are_those_of_http1() {
    let long = format!("https://a.example/{}", "b".repeat(64));
    assert_eq!(
        refused(given("GET", &long, &[])),
        Some(HeadError::TargetTooLong)
    );
    let many = [("a", "b"); 21];
    let uri = "https://a.example/";
    assert_eq!(refused(given("GET", uri, &many[..20])), None);
    assert_eq!(
        refused(given("GET", uri, &many)),
        Some(HeadError::TooManyFields)
    );
}

#[test]
fn the_authority_wins_and_host_goes() {
    let fields = [("host", "b.example"), ("x", " y\t")];
    let request = || given("GET", "https://a.example/", &fields);
    let wanted = "GET / HTTP/1.1\r\nhost: a.example\r\nx: y\r\nx-forwarded-for: 192.0.2.7\r\n\
        x-forwarded-proto: http\r\nvia: 2 mesh\r\n\r\n";
    let edits = RequestEdits {
        via: Some("mesh"),
        ..EDITS
    };
    assert_eq!(as_http1(request(), true, &edits), wanted, "TR-5, TR-8");
    let host = given("GET", "/", &[("host", "b.example:81")]);
    let text = ask(host, true, |head| head.authority.text.to_owned());
    assert_eq!(text.as_deref(), Ok("b.example:81"));
    let chunked = as_http1(request(), false, &EDITS);
    assert!(chunked.ends_with("transfer-encoding: chunked\r\n\r\n"));
}

#[test]
fn options_may_ask_for_the_server() {
    let request = given("OPTIONS", "*", &[("host", "a")]);
    let form = ask(request, true, |head| (head.form, head.path.to_owned()));
    assert_eq!(form, Ok((TargetForm::Asterisk, "*".to_owned())));
}

#[test]
fn a_plain_connect_is_a_tunnel() {
    let request = given("CONNECT", "a.example:443", &[]);
    let read = ask(request, false, |head| {
        (
            head.form,
            head.framing,
            head.authority.port,
            head.path.len(),
        )
    });
    assert_eq!(
        read,
        Ok((TargetForm::Authority, Framing::None, Some(443), 0))
    );
    assert_eq!(
        refused(given("CONNECT", "/", &[])),
        Some(HeadError::Target),
        "no authority"
    );
}

#[test]
fn a_websocket_is_a_get_with_upgrade() {
    let fields = [("sec-websocket-version", "13")];
    let request = || given("CONNECT", "https://a.example/chat?b", &fields);
    let read = ask(websocket(request(), "websocket"), false, |head| {
        let upgrade = head.upgrade.map(<[u8]>::to_vec);
        (head.method.to_owned(), head.form, head.framing, upgrade)
    });
    let wanted = (
        "GET".to_owned(),
        TargetForm::Origin,
        Framing::None,
        Some(b"websocket".to_vec()),
    );
    assert_eq!(read, Ok(wanted), "RFC 8441");
    let edits = RequestEdits {
        websocket_key: Some(b"dGhlIHNhbXBsZSBub25jZQ=="),
        ..EDITS
    };
    let wanted = "GET /chat?b HTTP/1.1\r\nhost: a.example\r\nsec-websocket-version: 13\r\n\
        x-forwarded-for: 192.0.2.7\r\nx-forwarded-proto: http\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(
        as_http1(websocket(request(), "websocket"), false, &edits),
        wanted
    );
    assert_eq!(
        refused(websocket(request(), "connect-udp")),
        Some(HeadError::Protocol)
    );
    let sized = given("CONNECT", "https://a/", &[("content-length", "1")]);
    let refused = ask(websocket(sized, "websocket"), false, |_| ()).err();
    assert_eq!(refused, Some(HeadError::ConnectBody));
}

#[test]
fn cookies_that_came_in_pieces_are_one() {
    let mut request = given(
        "GET",
        "https://a.example/",
        &[
            ("cookie", "a=b"),
            ("x", "y"),
            ("cookie", "c=d "),
            ("cookie", "e=f"),
            ("cookie", ""),
        ],
    );
    join_cookies(request.headers_mut());
    let joined = ask(request, true, |head| {
        let cookies: Vec<_> = values(head.fields, "cookie").map(<[u8]>::to_vec).collect();
        cookies
    });
    assert_eq!(joined, Ok(vec![b"a=b; c=d; e=f".to_vec()]));
    let mut one = HeaderMap::new();
    one.append("cookie", HeaderValue::from_static("a"));
    join_cookies(&mut one);
    assert_eq!(lines(&one), ["cookie: a"]);
}

#[test]
fn http1_becomes_http2() {
    let head = b"POST /a/../b?c HTTP/1.1\r\nHost: a.example\r\nX-Y: z\r\nConnection: te, X-Hop\r\n\
        X-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\
        Authorization: d\r\nX-Forwarded-For: 1\r\ngrpc-timeout: 9S\r\n\r\n";
    let edits = RequestEdits {
        path: Some("/b"),
        request_id: Some(b"9"),
        via: Some("mesh"),
        grpc_timeout: Some(b"5S"),
        ..EDITS
    };
    let request = as_http2(head, &edits).expect("a valid request");
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://a.example/b?c");
    assert_eq!(request.version(), http::Version::HTTP_2);
    assert!(request.headers()["authorization"].is_sensitive());
    let wanted = [
        "x-y: z",
        "authorization: d",
        "x-forwarded-for: 192.0.2.7",
        "x-forwarded-proto: http",
        "x-request-id: 9",
        "grpc-timeout: 5S",
        "via: 1.1 mesh",
        "te: trailers",
        "content-length: 3",
    ];
    assert_eq!(lines(request.headers()), wanted);
}

#[test]
fn a_trusted_proxy_is_added_to_and_the_authority_may_change() {
    let head = b"GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 1\r\nX-Forwarded-Proto: https\r\n\r\n";
    let edits = RequestEdits {
        keep_forwarded: true,
        authority: Some("b.example:81"),
        ..EDITS
    };
    let request = as_http2(head, &edits).expect("a valid request");
    assert_eq!(request.uri(), "https://b.example:81/");
    let wanted = ["x-forwarded-proto: https", "x-forwarded-for: 1, 192.0.2.7"];
    assert_eq!(lines(request.headers()), wanted);
}

#[test]
fn other_targets_become_http2_too() {
    let uri = |bytes: &[u8]| {
        as_http2(bytes, &EDITS).map(|request| (request.method().clone(), request.uri().to_string()))
    };
    assert_eq!(
        uri(b"GET http://b.example:81?q HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        Ok((Method::GET, "https://b.example:81/?q".to_owned()))
    );
    assert_eq!(
        uri(b"CONNECT b.example:1 HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        Ok((Method::CONNECT, "b.example:1".to_owned()))
    );
    let asterisk = as_http2(b"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", &EDITS);
    let path = asterisk.map(|request| request.uri().path().to_owned());
    assert_eq!(path.as_deref(), Ok("*"));
    assert_eq!(
        uri(b"GET / HTTP/1.0\r\n\r\n"),
        Ok((Method::GET, "/".to_owned())),
        "no authority, as it came"
    );
    for byte in ['|', '"', '{', '^', '`', '\\', '[', '<', '>'] {
        let head = format!("GET /{byte}?{byte} HTTP/1.1\r\nHost: a\r\n\r\n");
        let mut storage = FieldStorage::new();
        if http1::parse_request(head.as_bytes(), &mut storage, &LIMITS).is_ok() {
            let written = uri(head.as_bytes());
            assert!(
                matches!(written, Ok(_) | Err(HeadError::Target)),
                "{byte} {written:?}"
            );
        }
    }
}

#[test]
fn an_http1_websocket_becomes_a_connect() {
    let head =
        b"GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let request = as_http2(head, &EDITS).expect("a valid request");
    assert_eq!(request.method(), Method::CONNECT);
    assert_eq!(request.uri(), "https://a.example/chat");
    let protocol = request.extensions().get::<h2::ext::Protocol>();
    assert_eq!(protocol.map(h2::ext::Protocol::as_str), Some("websocket"));
    let wanted = [
        "sec-websocket-version: 13",
        "x-forwarded-for: 192.0.2.7",
        "x-forwarded-proto: http",
    ];
    assert_eq!(lines(request.headers()), wanted);
    let plain = RequestEdits {
        upgrade: false,
        ..EDITS
    };
    let request = as_http2(head, &plain).expect("a valid request");
    assert_eq!(request.method(), Method::GET);
    assert!(request.extensions().get::<h2::ext::Protocol>().is_none());
}

#[test]
fn what_is_no_uri_is_an_error() {
    let head = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let cases = [
        (Some("a b"), None, HeadError::Host),
        (None, Some("/a b"), HeadError::Target),
        (None, Some("a"), HeadError::Target),
    ];
    for (authority, path, error) in cases {
        let edits = RequestEdits {
            path,
            authority,
            ..EDITS
        };
        assert_eq!(as_http2(head, &edits).err(), Some(error));
    }
    let edits = RequestEdits {
        request_id: Some(b"a\r\nb"),
        ..EDITS
    };
    assert_eq!(
        as_http2(head, &edits).err(),
        Some(HeadError::FieldValue),
        "TR-1"
    );
}
