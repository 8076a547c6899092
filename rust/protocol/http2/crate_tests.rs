//! Heads through the h2 crate itself: it sends what we write, and we can read what it gives out.

use std::future::Future;
use std::pin::pin;

use http::Request;
use http::Response;
use tokio::io::DuplexStream;

use super::read_request;
use super::read_response;
use super::write_request;
use super::write_response;
use crate::protocol::edits::AnswerEdits;
use crate::protocol::edits::RequestEdits;
use crate::protocol::head::Version;
use crate::protocol::http1;
use crate::protocol::http1::FieldStorage;
use crate::protocol::http1::Framing;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::RequestMethod;
use crate::protocol::http1::ResponseFraming;
use crate::wire::listener::Underscores;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 4096,
    count: 20,
    target: 64,
    underscores: Underscores::Reject,
};

/// Bytes of HTTP/1 as the request for the upstream.
fn written(head: &[u8]) -> Request<()> {
    let mut storage = FieldStorage::new();
    let head = http1::parse_request(head, &mut storage, &LIMITS).expect("a valid head");
    let edits = RequestEdits {
        client_ip: "192.0.2.7",
        proto: "https",
        upgrade: true,
        ..RequestEdits::default()
    };
    write_request(&head, &edits, "https").expect("a valid request")
}

/// Answers one request and drives the connection until nobody needs it.
async fn serve(io: DuplexStream, answer: impl FnOnce(http::request::Parts, bool) -> Response<()>) {
    let mut builder = h2::server::Builder::new();
    let mut server = builder
        .enable_connect_protocol()
        .handshake::<_, bytes::Bytes>(io)
        .await
        .expect("a handshake");
    let (request, mut respond) = server.accept().await.expect("a request").expect("sound");
    let (parts, body) = request.into_parts();
    let response = answer(parts, body.is_end_stream());
    respond
        .send_response(response, true)
        .expect("accepted by the crate");
    while server.accept().await.is_some() {}
}

/// What the crate gives out for what we gave in, on both sides.
async fn exchange(
    request: Request<()>,
    end_stream: bool,
    answer: impl FnOnce(http::request::Parts, bool) -> Response<()>,
) -> Response<h2::RecvStream> {
    let (near, far) = tokio::io::duplex(16 * 1024);
    let client = async {
        let (client, mut connection) = h2::client::handshake(near).await.expect("a handshake");
        let mut exchange = pin!(async {
            let mut client = client.ready().await.expect("room");
            while !client.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
            let (response, _body) = client
                .send_request(request, end_stream)
                .expect("accepted by the crate");
            response.await.expect("a response")
        });
        std::future::poll_fn(|cx| {
            let _ = std::pin::Pin::new(&mut connection).poll(cx);
            exchange.as_mut().poll(cx)
        })
        .await
    };
    tokio::select! {
        response = client => response,
        () = serve(far, answer) => panic!("the server ended first"),
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(future);
}

#[test]
fn a_request_and_its_answer_pass() {
    let request = written(
        b"POST /a?b HTTP/1.1\r\nHost: a.example:81\r\nConnection: te\r\nTE: trailers\r\n\
          Transfer-Encoding: chunked\r\nX-C: d\r\n\r\n",
    );
    run(async {
        let response = exchange(request, false, |parts, end_stream| {
            let mut storage = FieldStorage::new();
            let head = read_request(&parts, end_stream, &mut storage, &LIMITS).expect("valid");
            assert_eq!((head.method, head.target), ("POST", "/a?b"));
            assert_eq!(head.authority.text, "a.example:81");
            assert_eq!(head.framing, Framing::Chunked);
            assert!(head.te_trailers);
            let head = b"HTTP/1.1 200 OK\r\nServer: e\r\nContent-Length: 0\r\n\r\n";
            let mut storage = FieldStorage::new();
            let head = http1::parse_response(head, &mut storage, &LIMITS, RequestMethod::Other);
            write_response(&head.expect("valid"), AnswerEdits::default()).expect("valid")
        });
        let (parts, body) = response.await.into_parts();
        let mut storage = FieldStorage::new();
        let ended = body.is_end_stream();
        let head = read_response(&parts, ended, &mut storage, &LIMITS, RequestMethod::Other);
        let head = head.expect("valid");
        assert_eq!(head.framing, ResponseFraming::Length(0));
        assert_eq!(head.value(head.known.server), Some(&b"e"[..]));
    });
}

#[test]
fn a_websocket_passes() {
    let request = written(
        b"GET /chat HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    run(async {
        let response = exchange(request, false, |parts, end_stream| {
            let mut storage = FieldStorage::new();
            let head = read_request(&parts, end_stream, &mut storage, &LIMITS).expect("valid");
            assert_eq!((head.method, head.path), ("GET", "/chat"));
            assert_eq!(head.upgrade, Some(&b"websocket"[..]));
            Response::new(())
        });
        assert_eq!(response.await.status(), 200);
    });
}

#[test]
fn a_tunnel_and_a_request_without_authority_pass() {
    let tunnel = written(b"CONNECT a.example:1 HTTP/1.1\r\nHost: a.example:1\r\n\r\n");
    let bare = written(b"GET / HTTP/1.0\r\n\r\n");
    run(async {
        let response = exchange(tunnel, false, |parts, end_stream| {
            let mut storage = FieldStorage::new();
            let head = read_request(&parts, end_stream, &mut storage, &LIMITS).expect("valid");
            assert_eq!((head.method, head.target), ("CONNECT", "a.example:1"));
            assert_eq!(head.version, Version::Http2);
            Response::new(())
        });
        assert_eq!(response.await.status(), 200);
        let response = exchange(bare, true, |parts, _| {
            assert_eq!((parts.uri.path(), parts.uri.authority()), ("/", None));
            Response::new(())
        });
        assert_eq!(response.await.status(), 200);
    });
}
