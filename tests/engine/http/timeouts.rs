//! Every wait has an end, and says whose it was.

use serde_json::json;

use crate::stage::{Upstream, given};

#[test]
fn a_connect_that_nobody_answers_is_504() {
    let (deaf, _filling) = Upstream::deaf();
    let proxy = given()
        .to(deaf.address())
        .cluster(json!({"timeouts": {"connect_ms": 40}}))
        .start();
    let mut client = proxy.connect();
    client.get("/");
    client.message().is_local(504, "upstream_connect_timeout");
    proxy.has("/clusters/api/connect_failures_total", 1);
}

#[test]
fn a_request_that_takes_too_long_is_504() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .route(json!({"timeout_ms": 40}))
        .start();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    client.message().is_local(504, "request_timeout");
    peer.is_left();
}

#[test]
fn a_response_that_does_not_begin_in_time_is_504() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .route(json!({"response_header_timeout_ms": 40}))
        .start();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    // An interim head is not the answer's.
    peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    assert_eq!(client.message().status(), 103);
    client.message().is_local(504, "response_header_timeout");
    peer.is_left();
}

#[test]
fn neither_a_slow_request_nor_a_slow_answer_is_late_to_begin() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .route(json!({"response_header_timeout_ms": 40}))
        .listener(json!({"timeouts": {"stream_idle_ms": 120}}))
        .start();
    // Not whole yet, so nobody has to answer it.
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf");
    let _peer = upstream.accept();
    client.message().is_local(408, "request_body_timeout");
    // Begun: from now on it may take its time.
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
    assert_eq!(client.head().status(), 200);
    client.is_cut();
    proxy.has("/listeners/web/local_replies_total/stream_idle_timeout", 1);
}

#[test]
fn a_response_that_takes_too_long_is_cut() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .route(json!({"timeout_ms": 60}))
        .start();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf");
    assert_eq!(client.head().status(), 200);
    client.is_cut();
    peer.is_left();
    // What has passed is counted all the same.
    proxy.has("/clusters/api/rx_bytes_total", 4);
    proxy.has("/listeners/web/tx_bytes_total", 4);
}

#[test]
fn a_stream_that_stops_says_which_side_stopped() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .listener(json!({"timeouts": {"stream_idle_ms": 40}}))
        .start();
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nhalf");
    let mut peer = upstream.accept();
    client.message().is_local(408, "request_body_timeout");
    peer.is_left();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    client.message().is_local(504, "stream_idle_timeout");
    peer.is_left();
}

#[test]
fn a_head_that_does_not_end_is_408() {
    let proxy = given()
        .listener(json!({"timeouts": {"header_ms": 40}}))
        .start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nho");
    client.message().is_local(408, "request_head_timeout");
    client.ends();
}

#[test]
fn an_idle_connection_ends_in_silence() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .listener(json!({"timeouts": {"idle_ms": 40}}))
        .start();
    proxy.connect().ends();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.answer("ok");
    client.message();
    client.ends();
}

#[test]
fn the_idle_time_counts_after_an_answer_of_our_own_too() {
    // The header timeout must not end what only waits for its next request.
    let proxy = given()
        .route(json!({"match": {"path": {"exact": "/there"}}}))
        .listener(json!({"timeouts": {"header_ms": 1, "idle_ms": 60_000}}))
        .start();
    let mut client = proxy.connect();
    for _ in 0..50 {
        client.get("/gone");
        client.message().is_local(404, "no_route");
    }
}
