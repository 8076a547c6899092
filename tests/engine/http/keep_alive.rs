//! Connections that carry several requests.

use crate::stage::{Upstream, given};

#[test]
fn both_sides_keep_their_connection() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.get("/one");
    let mut peer = upstream.accept();
    for path in ["/one", "/two", "/three"] {
        assert_eq!(peer.message().target(), path);
        peer.answer(path);
        let response = client.message();
        assert_eq!((response.status(), response.text()), (200, path));
        assert_eq!(response.field("connection"), "");
        let next = if path == "/one" { "/two" } else { "/three" };
        client.get(next);
    }
    upstream.is_untouched();
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    let paths: Vec<String> = (0..20).map(|n| format!("/{n}")).collect();
    let post =
        |path: &String| format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc");
    let all: Vec<String> = paths.iter().map(post).collect();
    client.send(all.concat());
    let mut peer = upstream.accept();
    for path in &paths {
        let request = peer.message();
        assert_eq!((request.target(), request.text()), (&**path, "abc"));
        peer.answer(path);
        assert_eq!(client.message().text(), path);
    }
}

#[test]
fn an_old_client_is_kept_only_if_it_asks() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("GET /1 HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\n\r\n");
    let mut peer = upstream.accept();
    peer.message();
    peer.answer("kept");
    let response = client.message();
    assert_eq!(
        (response.text(), response.field("connection")),
        ("kept", "keep-alive")
    );
    client.send("GET /2 HTTP/1.0\r\n\r\n");
    assert_eq!(peer.message().target(), "/2");
    peer.answer("closed");
    let response = client.message();
    assert_eq!(
        (response.text(), response.field("connection")),
        ("closed", "close")
    );
    client.ends();
}
