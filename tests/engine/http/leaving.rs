//! Clients that end their direction: those that are gone, and those that still listen.

use serde_json::json;

use crate::stage::{Authority, Peer, Proxy, Upstream, client_config, given};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n";

/// A client whose request has reached the upstream.
fn asked(proxy: &Proxy, upstream: &Upstream) -> (Peer, Peer) {
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    (client, peer)
}

/// The same, with half of the answer.
fn half_answered(proxy: &Proxy, upstream: &Upstream) -> (Peer, Peer) {
    let (mut client, mut peer) = asked(proxy, upstream);
    peer.send(HEAD);
    peer.send("half");
    client.head();
    assert_eq!(client.exactly(4), b"half");
    (client, peer)
}

fn with(upstream: &Upstream, half_close: &str) -> Proxy {
    given()
        .to(upstream.address())
        .listener(json!({"http": {"half_close": half_close}}))
        .start()
}

#[test]
fn a_closed_client_ends_its_request() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    for round in 1..=3 {
        let (client, mut peer) = asked(&proxy, &upstream);
        drop(client);
        peer.is_cut();
        proxy.has("/listeners/web/requests_active", 0);
        let closed = proxy.stat("/listeners/web/local_replies_total/downstream_closed");
        assert_eq!(closed, round);
    }
}

#[test]
fn a_closed_client_ends_an_answer_that_pauses() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let (client, mut peer) = half_answered(&proxy, &upstream);
    drop(client);
    peer.is_cut();
}

#[test]
fn a_client_that_closed_behind_another_request_ends_both() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let (mut client, mut peer) = asked(&proxy, &upstream);
    client.get("/next");
    drop(client);
    peer.is_cut();
    upstream.is_untouched();
}

#[test]
fn a_closed_client_of_tls_ends_its_request() {
    let (authority, upstream) = (Authority::new(), Upstream::new());
    let proxy = given()
        .to(upstream.address())
        .listener(json!({"tls": {"certificates": ["web"]}}))
        .credential(authority.issue(&["web.test"]).credential("web"))
        .start();
    let config = client_config(&authority, None);
    let mut client = proxy.connect().tls(&config, "web.test").unwrap();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    drop(client);
    peer.is_cut();
}

#[test]
fn who_half_closes_is_asked_once_and_served_to_the_end() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let (mut client, mut peer) = asked(&proxy, &upstream);
    client.half_close();
    let probe = client.head();
    assert_eq!((probe.status(), probe.fields.len()), (100, 0));
    peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_eq!(client.head().status(), 103);
    peer.send(HEAD);
    assert_eq!(client.head().status(), 200);
    for part in ["half", "rest"] {
        peer.send(part);
        assert_eq!(client.exactly(4), part.as_bytes());
    }
    client.ends();
}

#[test]
fn a_half_closed_client_that_goes_later_ends_its_answer() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let (mut client, mut peer) = asked(&proxy, &upstream);
    client.half_close();
    assert_eq!(client.head().status(), 100);
    peer.send(HEAD);
    client.head();
    drop(client);
    // Only data tells, and the first that does.
    peer.send("half");
    peer.is_cut();
}

#[test]
fn an_old_client_is_not_asked() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    client.half_close();
    let mut peer = upstream.accept();
    peer.message();
    peer.answer("late");
    let response = client.message();
    assert_eq!((response.status(), response.text()), (200, "late"));
    client.ends();
}

#[test]
fn who_keeps_half_closed_clients_asks_nobody() {
    let upstream = Upstream::new();
    let proxy = with(&upstream, "keep");
    // A reset is noticed all the same.
    let (client, mut peer) = asked(&proxy, &upstream);
    client.reset();
    peer.is_cut();
    let (mut client, mut peer) = half_answered(&proxy, &upstream);
    client.half_close();
    peer.send("rest");
    assert_eq!(client.exactly(4), b"rest");
    client.ends();
}

#[test]
fn who_aborts_half_closed_clients_does_so_at_once() {
    let upstream = Upstream::new();
    let proxy = with(&upstream, "abort");
    for ask in [asked, half_answered] {
        let (mut client, mut peer) = ask(&proxy, &upstream);
        client.half_close();
        peer.is_cut();
        client.is_cut();
    }
}
