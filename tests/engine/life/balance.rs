//! Who gets the next request.

use std::collections::HashMap;

use serde_json::json;

use crate::stage::{Peer, Proxy, Server, Upstream, given};

fn ask(client: &mut Peer) -> String {
    client.get("/");
    client.message().text().to_owned()
}

fn three() -> [Server; 3] {
    ["A", "B", "C"].map(Server::named)
}

fn shares(proxy: &Proxy, servers: &[Server; 3], clients: usize, each: usize) -> Vec<u64> {
    let mut clients: Vec<Peer> = (0..clients).map(|_| proxy.connect()).collect();
    for _ in 0..each {
        for client in &mut clients {
            ask(client);
        }
    }
    servers.iter().map(Server::requests).collect()
}

#[test]
fn round_robin_on_one_worker_is_exact() {
    let servers = three();
    let proxy = servers
        .iter()
        .fold(given(), |given, server| given.to(server.address()))
        .start();
    let mut client = proxy.connect();
    let order: Vec<String> = (0..9_000).map(|_| ask(&mut client)).collect();
    let first: HashMap<&str, usize> = order.iter().take(3).map(|name| (&**name, 1)).collect();
    assert_eq!(first.len(), 3, "each of three in turn");
    for (index, name) in order.iter().enumerate() {
        assert_eq!(*name, order[index % 3], "request {index}");
    }
    assert_eq!(order[..3], ["A", "B", "C"]);
}

#[test]
fn round_robin_on_two_workers_is_even_but_for_one_each() {
    let servers = three();
    let proxy = servers
        .iter()
        .fold(given().workers(2), |given, server| {
            given.to(server.address())
        })
        .start();
    let shares = shares(&proxy, &servers, 16, 60);
    assert_eq!(shares.iter().sum::<u64>(), 960);
    for share in shares {
        assert!(share.abs_diff(320) <= 2, "{share}");
    }
}

/// Opens connections that nobody ends, each once the last is placed; says where each went.
fn placed(proxy: &Proxy, upstreams: &[Upstream], count: usize) -> Vec<usize> {
    const UPGRADE: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let mut open = Vec::new();
    let mut places = Vec::new();
    for _ in 0..count {
        let mut client = proxy.connect();
        client.send(UPGRADE);
        let (place, mut peer) = Upstream::accept_any(upstreams);
        peer.head();
        peer.send("HTTP/1.1 101 Go\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n");
        assert_eq!(client.head().status(), 101);
        places.push(place);
        open.push((client, peer));
    }
    places
}

#[test]
fn least_request_takes_a_true_minimum_over_workers() {
    for tcp in [false, true] {
        let upstreams = [(); 4].map(|()| Upstream::new());
        let base = if tcp { given().tcp() } else { given() };
        let proxy = upstreams
            .iter()
            .fold(base.workers(2), |given, upstream| {
                given.to(upstream.address())
            })
            .cluster(json!({"balance": "least_request"}))
            .start();
        // All that was opened stays open, so each round must reach every endpoint once more.
        for round in placed(&proxy, &upstreams, 16).chunks(4) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2, 3]);
        }
    }
}
