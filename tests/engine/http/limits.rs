//! Limits of heads, bodies and connections.

use serde_json::json;

use crate::stage::{Upstream, given};

#[test]
fn heads_and_bodies_beyond_their_limits_are_refused() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .listener(
            json!({"limits": {"head_bytes": 1000, "head_count": 5, "target_bytes": 50,
            "body_bytes": 10}}),
        )
        .start();
    let long = "a".repeat(60);
    let huge = "b".repeat(1000);
    let many = "x: y\r\n".repeat(6);
    let cases = [
        (
            format!("GET /{long} HTTP/1.1\r\nhost: a\r\n\r\n"),
            414,
            "request_target_too_long",
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: a\r\nx: {huge}\r\n\r\n"),
            431,
            "request_head_too_large",
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"),
            431,
            "request_head_too_large",
        ),
        (format!("GET /{huge}"), 414, "request_target_too_long"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 11\r\n\r\n".to_owned(),
            413,
            "request_body_too_large",
        ),
    ];
    for (request, status, code) in cases {
        let mut client = proxy.connect();
        client.send(&request);
        client.message().is_local(status, code);
        client.is_left();
    }
    upstream.is_untouched();
}

#[test]
fn chunks_beyond_the_limit_cut_the_upstream_request() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .listener(json!({"limits": {"body_bytes": 20}}))
        .start();
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let mut peer = upstream.accept();
    peer.head();
    assert_eq!(peer.exactly(10), b"5\r\nhello\r\n");
    client.send("a\r\n0123456789\r\n");
    client.message().is_local(413, "request_body_too_large");
    assert!(!peer.rest().unwrap_or_default().ends_with(b"0\r\n\r\n"));
}

#[test]
fn the_connection_limit_is_exact_over_workers() {
    let proxy = given()
        .workers(2)
        .listener(json!({"limits": {"connections": 5}}))
        .start();
    let mut open: Vec<_> = (0..5).map(|_| proxy.connect()).collect();
    for client in &mut open {
        client.get("/");
        client.message().is_local(503, "no_healthy_upstream");
    }
    for refused in 1..=4 {
        proxy.connect().is_left();
        proxy.has("/listeners/web/connections_refused_total", refused);
    }
    drop(open.pop());
    proxy.has("/listeners/web/connections_active", 4);
    let mut client = proxy.connect();
    client.get("/");
    client.message().is_local(503, "no_healthy_upstream");
    proxy.connect().is_left();
}

#[test]
fn upstream_connections_are_limited_over_workers() {
    let upstream = Upstream::new();
    let proxy = given()
        .workers(2)
        .to(upstream.address())
        .cluster(json!({"pool": {"max_connections": 3}}))
        .start();
    let mut clients: Vec<_> = (0..8).map(|_| proxy.connect()).collect();
    let mut peers = Vec::new();
    for (index, client) in clients.iter_mut().enumerate() {
        client.get("/");
        if index < 3 {
            let mut peer = upstream.accept();
            peer.message();
            peers.push(peer);
        } else {
            client.message().is_local(503, "upstream_overflow");
        }
    }
    upstream.is_untouched();
    proxy.has("/clusters/api/overflow_total", 5);
    for (peer, client) in peers.iter_mut().zip(&mut clients) {
        peer.answer("held");
        assert_eq!(client.message().text(), "held");
    }
}

#[test]
fn an_idle_pooled_connection_gives_way_to_an_upgrade() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .cluster(json!({"pool": {"max_connections": 1}}))
        .start();
    let mut client = proxy.connect();
    client.get("/");
    let mut pooled = upstream.accept();
    pooled.message();
    pooled.answer("ok");
    client.message();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
    pooled.ends();
    assert_eq!(upstream.accept().head().field("upgrade"), "x");
}
