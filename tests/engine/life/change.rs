//! Configuration that changes while traffic runs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::stage::{Peer, Proxy, Server, Upstream, eventually, given};

fn answered(client: &mut Peer) -> String {
    client.get("/");
    let response = client.message();
    assert_eq!(response.status(), 200, "{response:?}");
    response.text().to_owned()
}

/// Requests on kept and on new connections from `threads` threads, until `change` is done.
fn under_load(proxy: &Proxy, threads: usize, change: impl FnOnce()) -> u64 {
    let (done, count) = (AtomicBool::new(false), AtomicU64::new(0));
    let at = proxy.address("web");
    let ask = || {
        while !done.load(Ordering::SeqCst) {
            let mut client = Peer::connect(at);
            for _ in 0..20 {
                answered(&mut client);
                count.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(ask);
        }
        change();
        done.store(true, Ordering::SeqCst);
    });
    count.load(Ordering::SeqCst)
}

#[test]
fn endpoints_routes_and_listeners_change_under_load_without_a_failure() {
    let (one, two) = (Server::named("one"), Server::named("two"));
    let given = given().workers(2).to(one.address());
    let before = given.delta();
    let proxy = given.start();
    let (route, listener) = (&before["route_tables"][0], &before["listeners"][0]);
    let requests = under_load(&proxy, 4, || {
        for turn in 0..60 {
            let both = [one.address(), two.address()];
            proxy.endpoints(&both[turn % 2..=1]);
            proxy.endpoints(&both);
            let mut table = route.clone();
            table["routes"][0]["timeout_ms"] = json!(10_000 + turn);
            proxy.apply(&json!({"route_tables": [table]})).unwrap();
            let mut second = listener.clone();
            second["name"] = json!("second");
            second["limits"] = json!({"connections": turn + 1});
            proxy.apply(&json!({"listeners": [second]})).unwrap();
            answered(&mut Peer::connect(proxy.address("second")));
            remove(&proxy, &[("Listener", "second")]);
        }
    });
    assert!(requests > 100, "{requests}");
    assert!(one.requests() > 0 && two.requests() > 0);
    proxy.has("/clusters/api/requests_active", 0);
}

fn remove(proxy: &Proxy, keys: &[(&str, &str)]) {
    let keys: Vec<Value> = keys
        .iter()
        .map(|(kind, name)| json!({"kind": kind, "name": name}))
        .collect();
    proxy.apply(&json!({"remove": keys})).unwrap();
}

#[test]
fn a_removed_endpoint_gets_nothing_more_and_its_pool_closes() {
    let (one, two) = (Upstream::new(), Upstream::new());
    let proxy = given().to(one.address()).start();
    let mut client = proxy.connect();
    client.get("/");
    let mut pooled = one.accept();
    pooled.message();
    pooled.answer("one");
    client.message();
    let mut client = proxy.connect();
    client.get("/running");
    pooled.message();
    proxy.endpoints(&[two.address()]);
    pooled.answer("finished");
    assert_eq!(client.message().text(), "finished");
    pooled.ends();
    client.get("/next");
    let mut next = two.accept();
    next.message();
    next.answer("two");
    assert_eq!(client.message().text(), "two");
    one.is_untouched();
}

#[test]
fn an_idle_connection_of_a_removed_listener_makes_one_more_request() {
    let server = Server::named("kept");
    let proxy = given().to(server.address()).start();
    let mut client = proxy.connect();
    assert_eq!(answered(&mut client), "kept");
    let at = proxy.address("web");
    remove(&proxy, &[("Listener", "web")]);
    client.get("/");
    let response = client.message();
    assert_eq!(
        (response.text(), response.field("connection")),
        ("kept", "close")
    );
    client.ends();
    eventually(|| match std::net::TcpStream::connect(at) {
        Ok(_) => Err("the removed listener still accepts".to_owned()),
        Err(_) => Ok(()),
    });
}

#[test]
fn a_connection_of_a_removed_listener_reaches_no_stranger() {
    let (ours, stranger) = (Server::named("ours"), Server::named("stranger"));
    let proxy = given().to(ours.address()).start();
    let mut client = proxy.connect();
    assert_eq!(answered(&mut client), "ours");
    remove(
        &proxy,
        &[
            ("Listener", "web"),
            ("RouteTable", "web"),
            ("Cluster", "api"),
            ("Endpoints", "api"),
        ],
    );
    // The new cluster takes the slot that the old routes still name.
    let new = json!({
        "clusters": [{"name": "new"}],
        "endpoints": [{"name": "new", "endpoints": [{"address": stranger.address()}]}],
    });
    proxy.apply(&new).unwrap();
    assert_eq!(answered(&mut client), "ours");
    assert_eq!(stranger.requests(), 0);
}

#[test]
fn a_listener_that_moves_leaves_its_old_address() {
    let server = Server::named("moved");
    let given = given().to(server.address());
    let mut listener = given.delta()["listeners"][0].clone();
    let proxy = given.start();
    let old = proxy.address("web");
    listener["address"] = json!("127.0.0.2:0");
    proxy.apply(&json!({"listeners": [listener]})).unwrap();
    assert_ne!(proxy.address("web"), old);
    assert_eq!(answered(&mut proxy.connect()), "moved");
    eventually(|| match std::net::TcpStream::connect(old) {
        Ok(_) => Err("the old address still accepts".to_owned()),
        Err(_) => Ok(()),
    });
}

#[test]
fn listeners_exchange_their_addresses_in_one_change() {
    let (one, two) = (Server::named("one"), Server::named("two"));
    let listener = |name: &str, address: &str| json!({"name": name, "address": address, "protocol": "tcp", "to": [{"cluster": name}]});
    let proxy = given()
        .also(json!({
            "listeners": [listener("one", "127.0.0.1:0"), listener("two", "127.0.0.1:0")],
            "clusters": [{"name": "one"}, {"name": "two"}],
            "endpoints": [
                {"name": "one", "endpoints": [{"address": one.address()}]},
                {"name": "two", "endpoints": [{"address": two.address()}]},
            ],
        }))
        .start();
    // Fixed ports, so that they can be named; the kernel has just chosen them.
    let at = [proxy.address("one"), proxy.address("two")];
    let fix = |first: usize| {
        json!({"listeners": [
            listener("one", &at[first].to_string()),
            listener("two", &at[1 - first].to_string()),
        ]})
    };
    remove(&proxy, &[("Listener", "one"), ("Listener", "two")]);
    eventually(|| {
        proxy
            .apply(&fix(0))
            .map(drop)
            .map_err(|why| format!("{why:?}"))
    });
    assert_eq!(answered(&mut Peer::connect(at[0])), "one");
    proxy.apply(&fix(1)).unwrap();
    assert_eq!(answered(&mut Peer::connect(at[0])), "two");
    assert_eq!(answered(&mut Peer::connect(at[1])), "one");
}

#[test]
fn numbers_of_what_is_gone_are_dropped() {
    let server = Server::named("x");
    let gone = Server::named("y");
    let proxy = given().to(server.address()).to(gone.address()).start();
    let mut client = proxy.connect();
    answered(&mut client);
    answered(&mut client);
    proxy.endpoints(&[server.address()]);
    answered(&mut client);
    proxy.endpoints(&[server.address()]);
    let stats = proxy.engine.stats();
    let endpoints = stats["clusters"]["api"]["endpoints"].as_object().unwrap();
    assert_eq!(endpoints.keys().collect::<Vec<_>>(), [&server.address()]);
}
