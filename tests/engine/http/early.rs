//! Answers before the request's end: interim ones, and final ones.

use crate::stage::{Upstream, given};

const EXPECTING: &str =
    "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";

#[test]
fn a_100_is_the_upstreams() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send(EXPECTING);
    let mut peer = upstream.accept();
    assert_eq!(peer.head().field("expect"), "100-continue");
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.head().status(), 100);
    client.send("body");
    assert_eq!(peer.exactly(4), b"body");
    peer.answer("done");
    assert_eq!(client.message().text(), "done");
    client.get("/again");
    assert_eq!(peer.message().target(), "/again");
}

#[test]
fn a_final_answer_instead_of_a_100_ends_both_connections() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send(EXPECTING);
    let mut peer = upstream.accept();
    peer.head();
    peer.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 2\r\n\r\nno");
    let response = client.message();
    assert_eq!(
        (response.status(), response.field("connection")),
        (417, "close")
    );
    client.ends();
    peer.is_left();
}

#[test]
fn an_unknown_expectation_is_417() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nhost: a\r\nexpect: y 100-continue\r\n\r\n");
    client.message().is_local(417, "expectation_failed");
    client.ends();
    upstream.is_untouched();
}

#[test]
fn an_early_answer_ends_the_connection_without_reading_on() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("POST /one HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nbegun");
    let mut peer = upstream.accept();
    peer.head();
    peer.answer("enough");
    let response = client.message();
    assert_eq!(
        (response.text(), response.field("connection")),
        ("enough", "close")
    );
    // The rest of the body looks like a request and must not become one.
    client.send("GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n");
    client.half_close();
    client.is_left();
    peer.is_left();
    upstream.is_untouched();
    proxy.has("/clusters/api/requests_total", 1);
}

#[test]
fn interim_answers_pass_and_a_storm_of_them_ends() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n");
    assert_eq!(client.head().field("link"), "</a>");
    peer.send("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100));
    let mut interim = 1;
    let last = loop {
        let message = client.message();
        if message.status() != 103 {
            break message;
        }
        interim += 1;
    };
    last.is_local(502, "upstream_protocol_error");
    assert_eq!(interim, 16);
    peer.is_left();
}

#[test]
fn an_old_client_gets_no_interim_answers() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    let mut peer = upstream.accept();
    peer.message();
    peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    peer.answer("final");
    assert_eq!(client.message().text(), "final");
}
