//! A change that is refused changes nothing, and says all that is wrong.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::stage::{Proxy, Server, given};

fn codes(proxy: &Proxy, delta: &Value) -> Vec<&'static str> {
    let problems = proxy.apply(delta).expect_err("refused");
    let mut codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
    codes.sort_unstable();
    codes
}

#[test]
fn all_problems_are_told_at_once_and_nothing_changes() {
    let server = Server::named("same");
    let proxy = given().to(server.address()).start();
    let before = (proxy.engine.generation(), proxy.engine.listeners());
    let delta = json!({
        "listeners": [
            {"name": "two", "address": "nonsense", "route_table": "web"},
            {"name": "three", "address": "127.0.0.1:0", "route_table": "nowhere"},
        ],
        "clusters": [{"name": "new", "timeouts": {"connect_ms": 0}}],
        "endpoints": [
            {"name": "api", "endpoints": []},
            {"name": "unknown", "endpoints": []},
            {"name": "new", "endpoints": [{"address": "1.2.3:x", "weight": 0}]},
        ],
        "route_tables": [{"name": "web", "routes": [
            {"name": "r", "to": [{"cluster": "missing"}], "match": {"path": {"regex": "("}}}]}],
    });
    let codes = codes(&proxy, &delta);
    for code in [
        "address_invalid",
        "cluster_unknown",
        "route_table_unknown",
        "timeout_zero",
        "weight_invalid",
    ] {
        assert!(codes.contains(&code), "{code} is not in {codes:?}");
    }
    assert!(codes.len() >= 8, "{codes:?}");
    assert_eq!(
        (proxy.engine.generation(), proxy.engine.listeners()),
        before
    );
    proxy.has("/engine/applies_refused_total", 1);
    let mut client = proxy.connect();
    client.get("/");
    assert_eq!(
        client.message().text(),
        "same",
        "the endpoints are as before"
    );
}

#[test]
fn what_is_still_used_is_not_removed() {
    let proxy = given().start();
    for (kind, name) in [("Cluster", "api"), ("RouteTable", "web")] {
        let delta = json!({"remove": [{"kind": kind, "name": name}]});
        assert_eq!(codes(&proxy, &delta), ["in_use"], "{kind}");
    }
}

#[test]
fn a_port_that_another_serves_is_refused() {
    let proxy = given().start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let delta = json!({"listeners": [
        {"name": "new", "address": address, "route_table": "web"}]});
    assert_eq!(codes(&proxy, &delta), ["address_in_use"]);
    drop(taken);
    proxy.apply(&delta).unwrap();
}

#[test]
fn the_form_is_strict() {
    let proxy = given().start();
    assert_eq!(codes(&proxy, &json!({"listener": []})), ["wire_invalid"]);
    let twice = json!({"clusters": [{"name": "a"}, {"name": "a"}]});
    assert_eq!(codes(&proxy, &twice), ["name_taken"]);
}

#[test]
fn check_says_the_same_and_needs_no_engine() {
    let sound = given().delta().to_string();
    assert_eq!(meshcore::engine::check(sound.as_bytes(), Vec::new()), []);
    let problems = meshcore::engine::check(
        br#"{"endpoints": [{"name": "x", "endpoints": []}]}"#,
        Vec::new(),
    );
    assert_eq!(problems[0].code, "cluster_unknown");
}
