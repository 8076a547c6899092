//! The access log: one line a request, with the flag of what failed.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::stage::{Upstream, eventually, given, nobody};

#[test]
fn every_request_has_a_line_with_its_flag() {
    let path = std::env::temp_dir().join(format!("meshcore-test-{}.log", std::process::id()));
    let upstream = Upstream::new();
    let proxy = given()
        .to(upstream.address())
        .listener(json!({"access_log": {"path": path, "format": "json"}}))
        .also(json!({
            "clusters": [{"name": "down"}, {"name": "empty"}],
            "endpoints": [{"name": "down", "endpoints": [{"address": nobody()}]}],
        }))
        .route(json!({"match": {"path": {"prefix": "/ok"}}}))
        .start();
    let routes = json!({"route_tables": [{"name": "web", "routes": [
        {"name": "ok", "match": {"path": {"prefix": "/ok"}}, "to": [{"cluster": "api"}]},
        {"name": "down", "match": {"path": {"prefix": "/down"}}, "to": [{"cluster": "down"}]},
        {"name": "empty", "match": {"path": {"prefix": "/empty"}}, "to": [{"cluster": "empty"}]},
    ]}]});
    proxy.apply(&routes).unwrap();
    for target in ["/down", "/empty", "/nowhere", "/bad\0"] {
        let mut client = proxy.connect();
        client.get(target);
        client.message();
    }
    let mut client = proxy.connect();
    client.get("/ok");
    let mut peer = upstream.accept();
    peer.message();
    peer.answer("fine");
    client.message();
    client.get("/ok/gone");
    peer.message();
    drop(peer);
    client.message();
    let expected = [
        ("/down", 503, "UF"),
        ("/empty", 503, "UH"),
        ("/nowhere", 404, "NR"),
        ("/ok", 200, "-"),
        ("/ok/gone", 502, "UC"),
    ];
    eventually(|| {
        let lines = lines(&path);
        let found = |(target, status, flag): &(&str, i64, &str)| {
            lines.get(*target) == Some(&(*status, (*flag).to_owned()))
        };
        let bad = lines.values().any(|line| *line == (400, "DPE".to_owned()));
        if expected.iter().all(found) && bad && lines.len() == 6 {
            Ok(())
        } else {
            Err(format!("{lines:?}"))
        }
    });
    std::fs::remove_file(path).unwrap();
}

/// Status and flags by path.
fn lines(path: &std::path::Path) -> HashMap<String, (i64, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = |line: &str| -> Option<(String, (i64, String))> {
        let line: Value = serde_json::from_str(line).ok()?;
        let flags = line["response_flags"].as_str().unwrap_or("-").to_owned();
        let path = line["path"].as_str().unwrap_or_default().to_owned();
        Some((path, (line["response_code"].as_i64()?, flags)))
    };
    text.lines().filter_map(line).collect()
}
