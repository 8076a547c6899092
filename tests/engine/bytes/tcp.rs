//! Bytes both ways, each direction ended as its sender ended it.

use std::io::{Read, Write};
use std::thread;

use crate::stage::{Peer, Upstream, given, nobody, noise};

#[test]
fn each_direction_ends_alone() {
    let upstream = Upstream::new();
    let proxy = given().tcp().to(upstream.address()).start();
    // The client ends first.
    let mut client = proxy.connect();
    client.send("question");
    let mut peer = upstream.accept();
    assert_eq!(peer.exactly(8), b"question");
    client.half_close();
    peer.ends();
    peer.send("answer");
    assert_eq!(client.exactly(6), b"answer");
    peer.half_close();
    client.ends();
    // The server does.
    let mut client = proxy.connect();
    let mut peer = upstream.accept();
    peer.send("greeting");
    peer.half_close();
    assert_eq!(client.rest().unwrap(), b"greeting");
    client.send("reply");
    assert_eq!(peer.exactly(5), b"reply");
    client.half_close();
    peer.ends();
    proxy.has("/listeners/web/connections_active", 0);
    proxy.has("/clusters/api/connections_active", 0);
}

#[test]
fn a_reset_is_passed_on_both_ways() {
    let upstream = Upstream::new();
    let proxy = given().tcp().to(upstream.address()).start();
    let mut client = proxy.connect();
    client.send("x");
    let mut peer = upstream.accept();
    assert_eq!(peer.exactly(1), b"x");
    client.reset();
    peer.is_cut();
    let mut client = proxy.connect();
    client.send("x");
    let mut peer = upstream.accept();
    assert_eq!(peer.exactly(1), b"x");
    peer.reset();
    client.is_cut();
}

#[test]
fn a_refused_connect_is_a_reset_or_the_next_endpoint() {
    let upstream = Upstream::new();
    let proxy = given().tcp().to(nobody()).to(upstream.address()).start();
    for _ in 0..4 {
        let mut client = proxy.connect();
        client.send("hello");
        assert_eq!(upstream.accept().exactly(5), b"hello");
    }
    proxy.endpoints(&[nobody()]);
    Peer::is_turned_away(proxy.address("web"));
}

#[test]
fn both_directions_carry_much_at_once() {
    const SIZE: usize = 32 * 1024 * 1024;
    let upstream = Upstream::new();
    let proxy = given().tcp().to(upstream.address()).start();
    let client = proxy.connect();
    let (up, down) = (noise(SIZE, 3), noise(SIZE, 5));
    let peer = upstream.accept();
    thread::scope(|scope| {
        for (peer, sends, receives) in [(&client, &up, &down), (&peer, &down, &up)] {
            let (mut reading, mut writing) = (peer.socket(), peer.socket());
            scope.spawn(move || {
                writing.write_all(sends).unwrap();
                writing.shutdown(std::net::Shutdown::Write).unwrap();
            });
            scope.spawn(move || {
                let mut received = Vec::with_capacity(SIZE);
                reading.read_to_end(&mut received).unwrap();
                assert!(received == *receives);
            });
        }
    });
    drop((client, peer));
    proxy.has("/listeners/web/connections_active", 0);
    assert_eq!(
        proxy.stat("/clusters/api/tx_bytes_total"),
        i64::try_from(SIZE).unwrap()
    );
    assert_eq!(
        proxy.stat("/clusters/api/rx_bytes_total"),
        i64::try_from(SIZE).unwrap()
    );
}

#[test]
fn a_connection_without_bytes_ends_after_its_idle_time() {
    let upstream = Upstream::new();
    let proxy = given()
        .tcp()
        .to(upstream.address())
        .listener(serde_json::json!({"timeouts": {"stream_idle_ms": 40}}))
        .start();
    let mut client = proxy.connect();
    let mut peer = upstream.accept();
    client.is_cut();
    peer.is_cut();
}
