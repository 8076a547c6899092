//! Heads with two readings are refused, and nothing behind them is read (hardening, FR-1 to FR-22).

use crate::stage::{Upstream, given};

const BEHIND: &str = "GET /behind HTTP/1.1\r\nhost: a\r\n\r\n";

/// What a head may not say, after `POST / HTTP/1.1` and a Host.
const AMBIGUOUS: &[&str] = &[
    "content-length: 3\r\ntransfer-encoding: chunked\r\n",
    "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
    "transfer-encoding: ,chunked\r\n",
    "transfer-encoding: chunked, chunked\r\n",
    "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
    "transfer-encoding: \u{b}chunked\r\n",
    "content-length: 5, 5\r\n",
    "content-length: 5\r\ncontent-length: 5\r\n",
    "content-length: +5\r\n",
    "content-length: 0x10\r\n",
    "content-length: 18446744073709551616\r\n",
    "content-length:\r\n",
    "x : 1\r\n",
    " x: 1\r\n",
    "x: 1\r\n y\r\n",
    ": 1\r\n",
    "no-colon\r\n",
    "x_y: 1\r\n",
    "x: a\0b\r\n",
    "x: a\rb\r\n",
    "x: a\nb: c\r\n",
    "host: b\r\n",
];

#[test]
fn ambiguous_heads_are_refused_and_never_forwarded() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    for fields in AMBIGUOUS {
        let mut client = proxy.connect();
        client.send(format!(
            "POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\n{BEHIND}"
        ));
        let response = client.message();
        assert_eq!(response.status(), 400, "{fields:?}");
        assert_eq!(
            response.field("x-meshcore-error"),
            "bad_request",
            "{fields:?}"
        );
        assert_eq!(response.field("connection"), "close", "{fields:?}");
        client.is_left();
    }
    upstream.is_untouched();
    let refused = i64::try_from(AMBIGUOUS.len()).unwrap();
    assert_eq!(proxy.stat("/listeners/web/bad_requests_total"), refused);
    proxy.has("/listeners/web/requests_active", 0);
}

#[test]
fn request_lines_with_two_readings_are_refused() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let lines = [
        "GET / HTTP/1.1\nhost: a\n\n",
        "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /#f HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET http://u@a/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a:0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a:65536\r\n\r\n",
        "GET / HTTP/2.0\r\nhost: a\r\n\r\n",
    ];
    for line in lines {
        let mut client = proxy.connect();
        client.send(format!("{line}{BEHIND}"));
        let status = client.message().status();
        assert!([400, 505].contains(&status), "{line:?}: {status}");
        client.is_left();
    }
    upstream.is_untouched();
}

#[test]
fn an_unknown_coding_is_501() {
    let proxy = given().start();
    let mut client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n");
    client.message().is_local(501, "not_implemented");
}

#[test]
fn bad_chunks_cut_the_upstream_request_short() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    for bad in [
        "5\nhello",
        "0x5\r\nhello\r\n",
        "3\r\nhello\r\n",
        "11111111111111111\r\n",
        "5;\na\r\n",
    ] {
        let mut client = proxy.connect();
        client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n");
        let mut peer = upstream.accept();
        assert!(peer.head().is_chunked());
        assert_eq!(peer.exactly(7), b"2\r\nok\r\n");
        client.send(bad);
        client.message().is_local(400, "bad_request");
        let forwarded = peer.rest().unwrap_or_default();
        assert!(
            !forwarded.ends_with(b"0\r\n\r\n"),
            "{bad:?}: it must not look complete"
        );
        client.is_left();
    }
}

#[test]
fn absolute_form_wins_over_host() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("GET http://Real.test:80/a?b HTTP/1.1\r\nhost: fake.test\r\n\r\n");
    let mut peer = upstream.accept();
    let request = peer.message();
    assert_eq!(request.target(), "/a?b");
    assert!(
        request.field("host").eq_ignore_ascii_case("real.test:80"),
        "{request:?}"
    );
}

#[test]
fn hop_by_hop_fields_end_here_and_ours_cannot_be_nominated_away() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send(
        "GET / HTTP/1.1\r\nhost: a\r\nconnection: x-secret, x-forwarded-for\r\nx-secret: 1\r\n\
         keep-alive: 5\r\nx-forwarded-for: 6.6.6.6\r\n\r\n",
    );
    let mut peer = upstream.accept();
    let request = peer.message();
    assert_eq!(
        (request.field("x-secret"), request.field("keep-alive")),
        ("", "")
    );
    assert_eq!(request.field("x-forwarded-for"), "127.0.0.1");
    assert_eq!(request.field("x-request-id").len(), 36);
}
