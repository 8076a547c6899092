//! Upstreams that fail, and clients that go.

use std::io::Write;

use serde_json::json;

use crate::stage::{Upstream, given, nobody};

#[test]
fn a_refused_connect_tries_the_next_endpoint() {
    let upstream = Upstream::new();
    let proxy = given().to(nobody()).to(upstream.address()).start();
    for _ in 0..4 {
        let mut client = proxy.connect();
        client
            .send("POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\nab");
        let mut peer = upstream.accept();
        assert_eq!(peer.message().text(), "ab");
        peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(client.message().status(), 200);
    }
    assert!(proxy.stat("/clusters/api/connect_failures_total") > 0);
    proxy.has("/clusters/api/requests_active", 0);
}

#[test]
fn without_an_upstream_that_answers_it_is_503_and_says_why() {
    let proxy = given().to(nobody()).to(nobody()).start();
    let mut client = proxy.connect();
    client.get("/");
    client.message().is_local(503, "upstream_connect_failed");
    proxy.endpoints(&[]);
    let mut client = proxy.connect();
    client.get("/");
    client.message().is_local(503, "no_healthy_upstream");
}

#[test]
fn details_are_told_where_asked() {
    let proxy = given()
        .to(nobody())
        .listener(json!({"http": {"explain_errors": true}}))
        .start();
    let mut client = proxy.connect();
    client.get("/");
    let response = client.message();
    assert_eq!(response.field("x-meshcore-flags"), "UF");
    assert_eq!(response.field("x-meshcore-route"), "all");
    assert_eq!(response.field("x-meshcore-cluster"), "api");
}

#[test]
fn no_route_is_404_and_the_connection_goes_on() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .route(json!({"match": {"path": {"prefix": "/api"}}}))
        .start();
    let mut client = proxy.connect();
    client.get("/other");
    client.message().is_local(404, "no_route");
    client.get("/api/x");
    let mut peer = upstream.accept();
    peer.message();
    peer.answer("routed");
    assert_eq!(client.message().text(), "routed");
}

#[test]
fn a_bad_response_head_is_502() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let bad = [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\nx: y\n\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "220 smtp.test ESMTP\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx : y\r\n\r\n",
    ];
    for head in bad {
        let mut client = proxy.connect();
        client.get("/");
        let mut peer = upstream.accept();
        peer.message();
        peer.send(head);
        client.message().is_local(502, "upstream_protocol_error");
        peer.is_left();
    }
}

/// What an upstream says before it goes, too little each time.
const TRUNCATED: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n",
];

#[test]
fn truncation_never_looks_like_an_end() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    for bytes in TRUNCATED {
        for version in ["1.1", "1.0"] {
            let mut client = proxy.connect();
            client.send(format!("GET / HTTP/{version}\r\nhost: a\r\n\r\n"));
            let mut peer = upstream.accept();
            peer.message();
            peer.send(bytes);
            assert_eq!(client.head().status(), 200);
            drop(peer);
            client.is_cut();
        }
    }
}

#[test]
fn a_reset_in_a_body_until_close_is_passed_on() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 200 OK\r\n\r\nsome");
    client.head();
    assert_eq!(client.exactly(4), b"some");
    peer.reset();
    client.is_cut();
}

#[test]
fn a_client_that_resets_frees_the_upstream() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    // While the answer is awaited.
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    client.reset();
    peer.is_left();
    // While an endless answer says nothing.
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
    client.head();
    client.reset();
    peer.is_left();
    proxy.has("/listeners/web/connections_active", 0);
    proxy.has("/clusters/api/connections_active", 0);
    proxy.has("/clusters/api/requests_active", 0);
}

#[test]
fn a_client_that_goes_within_its_body_cuts_the_upstream_request() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    for head in ["content-length: 10", "transfer-encoding: chunked"] {
        let mut client = proxy.connect();
        client.send(format!(
            "POST / HTTP/1.1\r\nhost: a\r\n{head}\r\n\r\n5\r\nhe"
        ));
        let mut peer = upstream.accept();
        peer.head();
        assert_eq!(peer.exactly(5), b"5\r\nhe");
        drop(client);
        assert!(peer.rest().unwrap_or_default().is_empty());
    }
}

#[test]
fn an_answer_reaches_a_client_whose_body_the_upstream_no_longer_takes() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n");
    let mut peer = upstream.accept();
    peer.head();
    peer.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig");
    let response = client.message();
    assert_eq!((response.status(), response.text()), (413, "big"));
    drop(peer);
    // Nobody reads any more; the end comes as an error or as a full window, not as a hang.
    let mut socket = client.socket();
    while socket.write(&[0; 8192]).is_ok_and(|n| n > 0) {}
}
