//! The PROXY protocol, demanded of clients and sent to upstreams.

use serde_json::json;

use crate::stage::{Upstream, given};

const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

#[test]
fn the_address_in_a_header_is_the_clients() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .listener(json!({"proxy_protocol": true}))
        .start();
    let v2 = [
        V2_SIGNATURE,
        &[0x21, 0x11, 0, 12, 9, 8, 7, 6, 127, 0, 0, 1, 0, 80, 1, 187],
    ]
    .concat();
    let v1 = b"PROXY TCP4 9.8.7.6 127.0.0.1 80 443\r\n".to_vec();
    let mut peer = None;
    for header in [v1, v2] {
        let mut client = proxy.connect();
        client.send([&header[..], b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"].concat());
        let peer = peer.get_or_insert_with(|| upstream.accept());
        assert_eq!(peer.message().field("x-forwarded-for"), "9.8.7.6");
        peer.answer("ok");
        assert_eq!(client.message().text(), "ok");
    }
    let mut without = proxy.connect();
    without.get("/");
    without.is_left();
    proxy.has("/listeners/web/bad_requests_total", 1);
}

#[test]
fn an_upstream_is_told_the_clients_address() {
    for version in ["v1", "v2"] {
        let upstream = Upstream::new();
        let proxy = given()
            .tcp()
            .to(upstream.address())
            .cluster(json!({"proxy_protocol": version}))
            .start();
        let mut client = proxy.connect();
        client.send("payload");
        let mut peer = upstream.accept();
        let (from, to) = (client.address(), proxy.address("web"));
        let expected = if version == "v1" {
            let (source, target) = (from.port(), to.port());
            format!("PROXY TCP4 127.0.0.1 127.0.0.1 {source} {target}\r\n").into_bytes()
        } else {
            let mut header = V2_SIGNATURE.to_vec();
            header.extend([0x21, 0x11, 0, 12, 127, 0, 0, 1, 127, 0, 0, 1]);
            header.extend(from.port().to_be_bytes());
            header.extend(to.port().to_be_bytes());
            header
        };
        assert_eq!(peer.exactly(expected.len()), expected);
        assert_eq!(peer.exactly(7), b"payload");
    }
}

#[test]
fn a_connection_with_a_header_serves_no_other_client() {
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .cluster(json!({"proxy_protocol": "v1"}))
        .start();
    for _ in 0..2 {
        let mut client = proxy.connect();
        client.get("/");
        let mut peer = upstream.accept();
        let header = format!(
            "PROXY TCP4 127.0.0.1 127.0.0.1 {} ",
            client.address().port()
        );
        assert_eq!(peer.exactly(header.len()), header.as_bytes());
        let port = format!("{}\r\n", proxy.address("web").port());
        assert_eq!(peer.exactly(port.len()), port.as_bytes());
        assert_eq!(peer.message().target(), "/");
        peer.answer("ok");
        assert_eq!(client.message().text(), "ok");
        peer.ends();
    }
}
