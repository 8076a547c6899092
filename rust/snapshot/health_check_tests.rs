use serde_json::{Value, json};

use super::check;
use crate::wire::{self, Kind, Problems};

/// The paths of what is wrong with these checks of a cluster.
fn paths(checks: &Value, more: &Value) -> Vec<String> {
    let mut written = json!({"name": "web", "health_checks": checks});
    for (key, value) in more.as_object().unwrap() {
        written[key] = value.clone();
    }
    let cluster: wire::Cluster = serde_json::from_value(written).unwrap();
    let mut problems = Problems::new(Kind::Cluster, "web");
    check(&cluster, &mut problems);
    let found = problems.into_vec();
    found.into_iter().map(|problem| problem.path).collect()
}

fn of(one: &Value) -> Vec<String> {
    let paths = paths(&json!([one]), &json!({}));
    let short = |path: &String| path.trim_start_matches("health_checks[0]").to_owned();
    paths.iter().map(short).collect()
}

#[test]
fn what_is_right_passes() {
    for one in [
        json!({"http": {}}),
        json!({"http": {"path": "/a?b=c", "host": "h:1", "method": "HEAD",
               "expected_statuses": ["200-299", "404"], "headers": {"x-a": "b"}}}),
        json!({"grpc": {}, "port": 5}),
        json!({"grpc": {"service": "a.B", "authority": "h"}, "unhealthy_interval_ms": 5}),
        json!({"tcp": {}}),
        json!({"tcp": {"send": {"text": "PING"}, "receive": {"hex": "2b504F4e47"}}}),
    ] {
        assert_eq!(of(&one), Vec::<String>::new(), "{one}");
    }
    let tls = json!({"tls": {}, "protocol": "auto"});
    assert!(paths(&json!([{"grpc": {}}]), &tls).is_empty());
}

#[test]
fn what_is_wrong_is_named() {
    for (one, path) in [
        (json!({}), ""),
        (json!({"http": {}, "tcp": {}}), ""),
        (json!({"http": {}, "interval_ms": 0}), ".interval"),
        (
            json!({"http": {}, "unhealthy_interval_ms": 0}),
            ".unhealthy_interval",
        ),
        (json!({"http": {}, "timeout_ms": 0}), ".timeout"),
        (
            json!({"http": {}, "unhealthy_threshold": 0}),
            ".unhealthy_threshold",
        ),
        (
            json!({"http": {}, "healthy_threshold": 0}),
            ".healthy_threshold",
        ),
        (json!({"http": {}, "jitter": 101}), ".jitter"),
        (json!({"http": {}, "port": 0}), ".port"),
        (json!({"http": {"path": "a"}}), ".http.path"),
        (json!({"http": {"path": "/a b"}}), ".http.path"),
        (json!({"http": {"host": "a b"}}), ".http.host"),
        (json!({"http": {"method": "A B"}}), ".http.method"),
        (json!({"http": {"method": "CONNECT"}}), ".http.method"),
        (
            json!({"http": {"expected_statuses": []}}),
            ".http.expected_statuses",
        ),
        (
            json!({"http": {"expected_statuses": ["300-299"]}}),
            ".http.expected_statuses",
        ),
        (
            json!({"http": {"headers": {"Host": "a"}}}),
            ".http.headers.Host",
        ),
        (
            json!({"http": {"headers": {"x-a": "a\r\nb"}}}),
            ".http.headers.x-a",
        ),
        (json!({"grpc": {"authority": "a@b"}}), ".grpc.authority"),
        (json!({"tcp": {"send": {"hex": "abc"}}}), ".tcp.send"),
        (json!({"tcp": {"receive": {"hex": "zz"}}}), ".tcp.receive"),
    ] {
        assert_eq!(of(&one), [path], "{one}");
    }
}

#[test]
fn checks_are_few_and_grpc_needs_http2() {
    let many = Value::Array(vec![json!({"tcp": {}}); 9]);
    assert_eq!(paths(&many, &json!({})), ["health_checks"]);
    let found = paths(&json!([{"grpc": {}}]), &json!({"tls": {}}));
    assert_eq!(found, ["health_checks[0].grpc"]);
}
