//! Bodies far larger than any buffer, and streams without an end.

use std::thread;

use crate::stage::{Peer, Upstream, given, noise};

const SIZE: usize = 100 * 1024 * 1024;

/// Not a power of two, so that a block that is lost or doubled shifts what follows.
const BLOCK: usize = 1_000_003;

fn send_all(peer: &mut Peer, chunked: bool) {
    let block = noise(BLOCK, 7);
    let mut left = SIZE;
    while left > 0 {
        let take = left.min(BLOCK);
        if chunked {
            peer.send(format!("{take:x}\r\n"));
        }
        peer.send(&block[..take]);
        if chunked {
            peer.send("\r\n");
        }
        left -= take;
    }
    if chunked {
        peer.send("0\r\n\r\n");
    }
}

fn receive_all(peer: &mut Peer, chunked: bool) {
    let block = noise(BLOCK, 7);
    let mut left = SIZE;
    while left > 0 {
        let take = left.min(BLOCK);
        if chunked {
            let line = format!("{take:x}\r\n");
            assert_eq!(peer.exactly(line.len()), line.as_bytes());
        }
        assert!(
            peer.exactly(take) == block[..take],
            "with {left} bytes to come"
        );
        if chunked {
            assert_eq!(peer.exactly(2), b"\r\n");
        }
        left -= take;
    }
    if chunked {
        assert_eq!(peer.exactly(5), b"0\r\n\r\n");
    }
}

fn both_ways(chunked: bool) {
    let framing = if chunked {
        "transfer-encoding: chunked".to_owned()
    } else {
        format!("content-length: {SIZE}")
    };
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    let mut client = proxy.connect();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = upstream.accept();
            peer.head();
            receive_all(&mut peer, chunked);
            peer.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n"));
            send_all(&mut peer, chunked);
        });
        client.send(format!("PUT / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n"));
        send_all(&mut client, chunked);
        assert_eq!(client.head().status(), 200);
        receive_all(&mut client, chunked);
    });
    client.get("/again");
    proxy.has("/clusters/api/requests_total", 2);
}

#[test]
fn a_hundred_mebibytes_pass_through_the_kernel() {
    both_ways(false);
}

#[test]
fn a_hundred_mebibytes_of_chunks_pass() {
    both_ways(true);
}

#[test]
fn each_event_is_passed_on_at_once_and_a_new_snapshot_ends_nothing() {
    let upstream = Upstream::new();
    let proxy = given().to(upstream.address()).start();
    for framing in ["transfer-encoding: chunked\r\n", ""] {
        let mut client = proxy.connect();
        client.get("/");
        let mut peer = upstream.accept();
        peer.message();
        let head = format!("HTTP/1.1 200 OK\r\n{framing}content-type: text/event-stream\r\n\r\n");
        peer.send(head);
        client.head();
        for event in 0..30 {
            let text = format!("data: {event:4}\n\n");
            let sent = if framing.is_empty() {
                text
            } else {
                format!("{:x}\r\n{text}\r\n", text.len())
            };
            peer.send(&sent);
            assert_eq!(client.exactly(sent.len()), sent.as_bytes());
            if event % 10 == 5 {
                // Even without the endpoint that it comes from.
                proxy.endpoints(&[]);
                proxy.endpoints(&[upstream.address()]);
            }
        }
    }
}
