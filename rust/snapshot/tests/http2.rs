//! What HTTP/2 adds: bounds, and the ALPN names of either side.

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::{Cluster, Listener};
use super::House;

/// A house that knows the certificate `server` and trusts it as `ca`.
fn house() -> House {
    let mut house = House::default();
    let issued = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let (pem, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let credentials = &mut house.credentials;
    credentials.insert("ca", pem.as_bytes(), None).unwrap();
    credentials
        .insert("server", pem.as_bytes(), Some(key.as_bytes()))
        .unwrap();
    house
}

fn cluster(house: &mut House, protocol: &str, alpn: &[&str]) -> Arc<Cluster> {
    let delta = json!({"clusters": [{"name": "a", "protocol": protocol,
        "tls": {"ca": "ca", "alpn": alpn}}]});
    let snapshot = house.apply(delta).unwrap();
    snapshot.clusters[0].clone().unwrap()
}

fn listener(house: &mut House, protocol: &str, alpn: &[&str]) -> Arc<Listener> {
    let delta = json!({
        "listeners": [{"name": "l", "address": "127.0.0.1:0", "protocol": protocol,
            "route_table": "t", "to": [{"cluster": "a"}],
            "tls": {"certificates": ["server"], "alpn": alpn}}],
        "route_tables": [{"name": "t", "routes": [{"name": "r", "to": [{"cluster": "a"}]}]}],
        "clusters": [{"name": "a"}],
    });
    Arc::clone(&house.apply(delta).unwrap().listeners[0])
}

/// Protocol, names in the document, names for HTTP/1 and bytes, names for HTTP/2.
type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], Option<&'a [&'a str]>);

fn texts(names: &[Vec<u8>]) -> Vec<&str> {
    let texts = names.iter().map(|name| std::str::from_utf8(name).unwrap());
    texts.collect()
}

#[test]
fn numbers_out_of_range_are_told_with_their_key() {
    let bad = |streams: u32, stream: u32, connection: u32| {
        json!({"max_concurrent_streams": streams, "initial_stream_window_size": stream,
            "initial_connection_window_size": connection})
    };
    let paths = |http2: Value| -> Vec<String> {
        let delta = json!({"clusters": [{"name": "a", "http2": http2}],
            "listeners": [{"name": "l", "address": "127.0.0.1:0", "protocol": "tcp",
                "to": [{"cluster": "a"}], "http2": http2}]});
        let Err(problems) = House::default().apply(delta) else {
            return Vec::new();
        };
        let told = problems.into_iter().map(|problem| {
            assert_eq!(problem.code, "limit_invalid");
            format!("{} {}", problem.kind, problem.path)
        });
        told.collect()
    };
    let all = [
        "Cluster http2.max_concurrent_streams",
        "Cluster http2.initial_stream_window_size",
        "Cluster http2.initial_connection_window_size",
        "Listener http2.max_concurrent_streams",
        "Listener http2.initial_stream_window_size",
        "Listener http2.initial_connection_window_size",
    ];
    let largest = 0x7FFF_FFFF;
    assert_eq!(paths(bad(0, 16 * 1024 - 1, 65_534)), all);
    assert_eq!(paths(bad(largest + 1, largest + 1, largest + 1)), all);
    assert!(paths(bad(1, 16 * 1024, 65_535)).is_empty());
    assert!(paths(bad(largest, largest, largest)).is_empty());
}

#[test]
fn a_ping_may_not_be_due_at_once() {
    let delta = json!({"clusters": [{"name": "a", "http2": {"keepalive_timeout_ms": 0}}]});
    let problems = House::default().apply(delta).unwrap_err();
    let told: Vec<_> = problems.iter().map(|one| (one.code, &*one.path)).collect();
    assert_eq!(told, [("timeout_zero", "http2.keepalive_timeout")]);
}

#[test]
fn a_cluster_offers_what_its_protocol_needs() {
    let both: &[&str] = &["h2", "http/1.1"];
    let cases: [Case<'_>; 8] = [
        ("http1", &[], &[], None),
        ("http1", &["x"], &["x"], None),
        ("http2", &[], &[], Some(&["h2"])),
        ("http2", both, both, Some(both)),
        ("auto", &[], &[], Some(both)),
        (
            "auto",
            &["http/1.1", "h2"],
            &["http/1.1", "h2"],
            Some(&["http/1.1", "h2"]),
        ),
        ("same", &[], &[], Some(&["h2"])),
        ("same", both, &["http/1.1"], Some(&["h2"])),
    ];
    let mut house = house();
    for (protocol, named, http1, h2) in cases {
        let cluster = cluster(&mut house, protocol, named);
        let tls = cluster.tls.as_ref().unwrap();
        assert_eq!(texts(&tls.config.alpn_protocols), http1, "{protocol}");
        let tls_h2 = cluster.tls_h2.as_ref();
        let offered = tls_h2.map(|tls| texts(&tls.config.alpn_protocols));
        assert_eq!(offered.as_deref(), h2, "{protocol}");
    }
}

#[test]
fn a_cluster_without_tls_offers_nothing() {
    let plain = json!({"clusters": [{"name": "a", "protocol": "http2"}]});
    let cluster = house().apply(plain).unwrap().clusters[0].clone().unwrap();
    assert!(cluster.tls.is_none() && cluster.tls_h2.is_none());
}

#[test]
fn sessions_live_on_until_section_or_protocol_change() {
    let mut house = house();
    let first = cluster(&mut house, "same", &[]);
    let second = cluster(&mut house, "same", &[]);
    let same = |one: &Cluster, other: &Cluster| {
        let forms = |cluster: &Cluster| [cluster.tls.clone(), cluster.tls_h2.clone()];
        let pairs = forms(one).into_iter().zip(forms(other));
        let kept = pairs.map(|(one, other)| Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
        kept.collect::<Vec<_>>()
    };
    assert_eq!(same(&first, &second), [true, true]);
    let changed = cluster(&mut house, "http2", &[]);
    assert_eq!(same(&second, &changed), [false, false]);
    let named = cluster(&mut house, "http2", &["h2"]);
    assert_eq!(same(&changed, &named), [false, false]);
    let without = cluster(&mut house, "http1", &["h2"]);
    assert!(without.tls.is_some() && without.tls_h2.is_none());
}

#[test]
fn a_listener_accepts_what_its_protocol_speaks() {
    let mut house = house();
    let accepted = |listener: &Listener| {
        let config = &listener.tls.as_ref().unwrap().config;
        texts(&config.alpn_protocols).join(" ")
    };
    let bytes = listener(&mut house, "tcp", &[]);
    assert_eq!(accepted(&bytes), "");
    // The section is the same; what it means is not.
    let http = listener(&mut house, "http", &[]);
    assert_eq!(accepted(&http), "h2 http/1.1 http/1.0");
    let again = listener(&mut house, "http", &[]);
    assert!(Arc::ptr_eq(
        http.tls.as_ref().unwrap(),
        again.tls.as_ref().unwrap()
    ));
    assert_eq!(
        accepted(&listener(&mut house, "http", &["http/1.1"])),
        "http/1.1"
    );
}
