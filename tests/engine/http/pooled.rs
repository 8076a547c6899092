//! Upstream connections that are used again: only clean ones, and never a request twice.

use serde_json::json;

use crate::stage::{Peer, Proxy, Upstream, given};

/// A client whose first request was answered, with the pooled connection that it used.
fn after_one_request(proxy: &Proxy, upstream: &Upstream, answer: &str) -> (Peer, Peer) {
    let mut client = proxy.connect();
    client.get("/first");
    let mut peer = upstream.accept();
    peer.message();
    peer.send(answer);
    assert_eq!(client.message().text(), "ok");
    (client, peer)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[test]
fn bytes_behind_an_answer_never_reach_the_next_request() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let poison = format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
    let (mut client, _poisoned) = after_one_request(&proxy, &upstream, &poison);
    client.get("/second");
    let mut peer = upstream.accept();
    peer.message();
    peer.answer("good");
    assert_eq!(client.message().text(), "good");
    // The same, but it comes while the connection waits in the pool.
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
    client.get("/third");
    let mut peer = upstream.accept();
    peer.message();
    peer.answer("good");
    assert_eq!(client.message().text(), "good");
}

#[test]
fn a_connection_that_ended_in_the_pool_is_not_used() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let (mut client, peer) = after_one_request(&proxy, &upstream, OK);
    drop(peer);
    client.get("/second");
    let mut peer = upstream.accept();
    assert_eq!(peer.message().target(), "/second");
    peer.answer("new");
    assert_eq!(client.message().text(), "new");
    proxy.has("/clusters/api/resends_total", 0);
}

#[test]
fn a_request_that_was_received_is_not_sent_again() {
    for request in [
        "GET /second HTTP/1.1\r\nhost: a\r\n\r\n",
        "POST /second HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc",
    ] {
        let upstream = Upstream::new();
        let proxy = given().to(upstream.address()).start();
        let (mut client, mut peer) = after_one_request(&proxy, &upstream, OK);
        client.send(request);
        assert_eq!(peer.message().target(), "/second");
        drop(peer);
        client.message().is_local(502, "upstream_reset");
        upstream.is_untouched();
        proxy.has("/clusters/api/resends_total", 0);
    }
}

#[test]
fn a_request_on_a_new_connection_is_not_sent_again() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    drop(upstream.accept());
    client.message().is_local(502, "upstream_reset");
    upstream.is_untouched();
}

/// The close must come between the look at the pooled connection and the first byte that arrives.
/// Here the peer's window is shut by a body that it doesn't read, so nothing arrives.
#[test]
fn a_request_that_nobody_received_is_sent_again() {
    const UNREAD: usize = 60_000;
    for request in ["GET", "POST"] {
        let upstream = Upstream::with_small_window();
        let proxy = given().to(upstream.address()).start();
        let mut client = proxy.connect();
        client.send(format!(
            "POST /first HTTP/1.1\r\nhost: a\r\ncontent-length: {UNREAD}\r\n\r\n"
        ));
        client.send(vec![b'x'; UNREAD]);
        let mut peer = upstream.accept();
        peer.head();
        // The answer must not be early: it comes once the kernel has all of the body.
        proxy.has("/clusters/api/requests_active", 1);
        peer.answer("ok");
        let first = client.message();
        assert_eq!((first.text(), first.field("connection")), ("ok", ""));
        client.send(format!(
            "{request} /second HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc"
        ));
        proxy.has("/listeners/web/requests_total", 2);
        peer.half_close();
        let mut next = upstream.accept();
        let again = next.message();
        assert_eq!((again.target(), again.text()), ("/second", "abc"));
        next.answer("once");
        assert_eq!(client.message().text(), "once");
        proxy.has("/clusters/api/resends_total", 1);
        // The first never gets it, not even what waited in the kernel.
        let received = peer.rest().unwrap_or_default();
        assert!(
            received.iter().all(|byte| *byte == b'x'),
            "the request arrived twice"
        );
    }
}

#[test]
fn a_connection_is_closed_after_its_last_request() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .cluster(json!({"pool": {"max_requests": 2}}))
        .start();
    let (mut client, mut peer) = after_one_request(&proxy, &upstream, OK);
    client.get("/second");
    peer.message();
    peer.answer("last");
    assert_eq!(client.message().text(), "last");
    peer.ends();
    client.get("/third");
    upstream.accept().message();
}

#[test]
fn a_connection_that_says_close_is_not_pooled() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
    let (_client, mut peer) = after_one_request(&proxy, &upstream, close);
    peer.ends();
    proxy.has("/clusters/api/connections_active", 0);
}
