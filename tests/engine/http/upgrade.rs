//! Upgrade and CONNECT: bytes both ways once the upstream has agreed.

use serde_json::json;

use crate::stage::{Upstream, given};

const ASKING: &str = "GET /ws HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\n\r\n";
const AGREEING: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\
    upgrade: websocket\r\n\r\n";

#[test]
fn bytes_right_behind_both_heads_arrive() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send(format!("{ASKING}early bird"));
    let mut peer = upstream.accept();
    let request = peer.head();
    assert_eq!(
        (request.field("upgrade"), request.field("connection")),
        ("websocket", "upgrade")
    );
    peer.send(format!("{AGREEING}and worm"));
    let response = client.head();
    assert_eq!(
        (response.status(), response.field("upgrade")),
        (101, "websocket")
    );
    assert_eq!(client.exactly(8), b"and worm");
    assert_eq!(peer.exactly(10), b"early bird");
    client.send([0, 255, 13, 10]);
    assert_eq!(peer.exactly(4), [0, 255, 13, 10]);
    client.half_close();
    peer.ends();
    peer.send("last words");
    drop(peer);
    assert_eq!(client.rest().unwrap(), b"last words");
}

#[test]
fn a_refused_upgrade_ends_the_connection() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send(format!("{ASKING}GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"));
    let mut peer = upstream.accept();
    peer.head();
    peer.answer("no");
    assert_eq!(client.message().text(), "no");
    client.is_left();
    upstream.is_untouched();
    proxy.has("/clusters/api/requests_total", 1);
}

#[test]
fn an_upgrade_that_no_route_takes_ends_the_connection() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .route(json!({"match": {"path": {"exact": "/other"}}}))
        .start();
    let mut client = proxy.connect();
    client.send(format!("{ASKING}GET /other HTTP/1.1\r\nhost: a\r\n\r\n"));
    client.message().is_local(404, "no_route");
    client.is_left();
    upstream.is_untouched();
}

#[test]
fn an_upgrade_never_takes_a_pooled_connection() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    let mut first = upstream.accept();
    first.message();
    first.answer("pooled");
    client.message();
    client.send(ASKING);
    upstream.accept().head();
}

#[test]
fn a_switch_that_nobody_asked_for_is_502() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.send(AGREEING);
    client.message().is_local(502, "upstream_protocol_error");
}

#[test]
fn connect_opens_a_tunnel_where_it_is_allowed() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .listener(json!({"http": {"allow_connect": true}}))
        .start();
    let mut client = proxy.connect();
    client.send("CONNECT db.test:5432 HTTP/1.1\r\nhost: db.test:5432\r\n\r\nfirst");
    let mut peer = upstream.accept();
    assert_eq!(client.head().status(), 200);
    assert_eq!(peer.exactly(5), b"first");
    peer.send("second");
    assert_eq!(client.exactly(6), b"second");
    client.half_close();
    peer.ends();
}

#[test]
fn connect_is_refused_by_default_and_what_follows_is_not_read() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send(
        "CONNECT a.test:80 HTTP/1.1\r\nhost: a.test:80\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
    );
    client.message().is_local(405, "connect_not_allowed");
    client.is_left();
    upstream.is_untouched();
}
