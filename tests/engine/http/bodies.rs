//! Bodies: framing, trailers, and where there are none.

use crate::stage::{Upstream, given, noise};

/// Sends `bytes` in pieces whose sizes look random and are the same each time.
fn in_pieces(bytes: &[u8], seed: u64, mut send: impl FnMut(&[u8])) {
    let sizes = noise(bytes.len(), seed);
    let (mut at, mut turn) = (0, 0);
    while at < bytes.len() {
        let size = (usize::from(sizes[turn]) % 23 + 1).min(bytes.len() - at);
        send(&bytes[at..at + size]);
        at += size;
        turn += 1;
    }
}

const CHUNKED: &[u8] = b"5;ext=1\r\nhello\r\n1\r\n,\r\n6\r\n world\r\n0\r\n\
    x-sum: 12\r\ncontent-length: 7\r\nx-end: yes\r\n\r\n";

#[test]
fn chunks_and_trailers_pass_up_at_any_split() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    let mut peer = None;
    for seed in 1..30 {
        client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
        in_pieces(CHUNKED, seed, |piece| client.send(piece));
        let peer = peer.get_or_insert_with(|| upstream.accept());
        let request = peer.message();
        assert_eq!(
            (request.text(), request.is_chunked()),
            ("hello, world", true)
        );
        let trailers: Vec<&str> = request.trailers.iter().map(|(name, _)| &**name).collect();
        assert_eq!(
            trailers,
            ["x-sum", "x-end"],
            "FR-11: forbidden trailers are dropped"
        );
        peer.answer("ok");
        assert_eq!(client.message().text(), "ok");
    }
}

#[test]
fn chunks_and_trailers_pass_down_at_any_split() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    let mut peer = None;
    for seed in 1..30 {
        client.get("/");
        let peer = peer.get_or_insert_with(|| upstream.accept());
        peer.message();
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        in_pieces(&[head, CHUNKED].concat(), seed, |piece| peer.send(piece));
        let response = client.message();
        assert_eq!(
            (response.text(), response.is_chunked()),
            ("hello, world", true)
        );
        assert_eq!(response.trailers.len(), 2);
    }
}

#[test]
fn heads_pass_at_any_split() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    let mut peer = None;
    for seed in 1..20 {
        let request = b"GET /a?b=c HTTP/1.1\r\nhost: a\r\nx-one: 1\r\nx-two: 2\r\n\r\n";
        in_pieces(request, seed, |piece| client.send(piece));
        let peer = peer.get_or_insert_with(|| upstream.accept());
        let request = peer.message();
        assert_eq!((request.target(), request.field("x-two")), ("/a?b=c", "2"));
        let response = b"HTTP/1.1 201 Created\r\nx-three: 3\r\ncontent-length: 1\r\n\r\nz";
        in_pieces(response, seed, |piece| peer.send(piece));
        let response = client.message();
        assert_eq!((response.status(), response.field("x-three")), (201, "3"));
    }
}

#[test]
fn responses_without_a_body_keep_both_connections() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("HEAD /head HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    let response = client.head();
    assert_eq!((response.status(), response.length()), (200, Some(1000)));
    for status in ["204 No Content", "304 Not Modified"] {
        client.get("/");
        peer.message();
        peer.send(format!("HTTP/1.1 {status}\r\netag: \"x\"\r\n\r\n"));
        assert_eq!(client.head().field("etag"), "\"x\"");
    }
    client.get("/last");
    peer.message();
    peer.answer("fits");
    assert_eq!(client.message().text(), "fits");
    upstream.is_untouched();
}

#[test]
fn a_body_until_close_ends_the_client_too() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 200 OK\r\n\r\nall of it");
    drop(peer);
    assert_eq!(client.head().field("connection"), "close");
    assert_eq!(client.rest().unwrap(), b"all of it");
}

#[test]
fn an_old_client_gets_chunks_without_their_framing() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    peer.send(CHUNKED);
    let head = client.head();
    assert_eq!(
        (head.field("transfer-encoding"), head.field("connection")),
        ("", "close")
    );
    assert_eq!(client.rest().unwrap(), b"hello, world");
}

#[test]
fn a_get_with_a_body_is_followed_by_the_next_request() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("GET /a HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbodyGET /b HTTP/1.1\r\nhost: a\r\n\r\n");
    let mut peer = upstream.accept();
    assert_eq!(peer.message().text(), "body");
    peer.answer("a");
    assert_eq!(peer.message().target(), "/b");
    peer.answer("b");
    assert_eq!(
        (client.message().text(), client.message().text()),
        ("a", "b")
    );
}
