//! Blocks are found again, merged over workers, forgotten, and rendered as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Registry, Resource};
use crate::error::ErrorKind;

fn used() -> Registry {
    let registry = Registry::new();
    for worker in 0..2 {
        let cluster = registry.cluster(worker, "api \"v1\"\\\n");
        cluster.requests_total.add(3);
        cluster.requests_active.add(1);
        cluster.responses.record(200);
        cluster.responses.record(503);
        cluster.local_replies.record(ErrorKind::NoEndpoint);
        cluster.latency.record(1_000);
        cluster.latency.record(70_000_000);
        let endpoint = registry.endpoint(worker, "api \"v1\"\\\n", "127.0.0.1:9001");
        endpoint.requests_total.increment();
        registry.route(worker, "web", "r0").requests_total.add(2);
        registry.listener(worker, "web").connections_total.add(5);
        registry.worker(worker).panics_total.add(0);
    }
    registry.engine().generation.set(7);
    registry.log("/dev/stdout").lines_total.add(6);
    registry
}

#[test]
fn the_same_name_gives_the_same_block() {
    let registry = Registry::new();
    let first = registry.cluster(0, "a");
    assert!(Arc::ptr_eq(&first, &registry.cluster(0, "a")));
    assert!(!Arc::ptr_eq(&first, &registry.cluster(1, "a")));
    assert!(!Arc::ptr_eq(&first, &registry.cluster(0, "b")));
}

#[test]
fn json_sums_the_workers() {
    let stats = used().to_json([]);
    let cluster = &stats["clusters"]["api \"v1\"\\\n"];
    assert_eq!(cluster["requests_total"], 6);
    assert_eq!(cluster["requests_active"], 2);
    assert_eq!(cluster["responses_total"]["5xx"], 2);
    assert_eq!(cluster["local_replies_total"]["no_healthy_upstream"], 2);
    assert_eq!(cluster["request_duration_seconds"]["count"], 4);
    assert_eq!(cluster["request_duration_seconds"]["sum"], 140.002);
    assert_eq!(cluster["endpoints"]["127.0.0.1:9001"]["requests_total"], 2);
    assert_eq!(stats["routes"]["web"]["r0"]["requests_total"], 4);
    assert_eq!(stats["listeners"]["web"]["connections_total"], 10);
    assert_eq!(stats["workers"]["1"]["panics_total"], 0);
    assert_eq!(stats["engine"]["generation"], 7);
    assert_eq!(stats["access_logs"]["/dev/stdout"]["lines_total"], 6);
}

#[test]
fn a_configured_cluster_stands_there_before_its_first_request() {
    let stats = used().to_json(["idle", "api \"v1\"\\\n"]);
    assert_eq!(stats["clusters"]["idle"]["requests_total"], 0);
    assert_eq!(stats["clusters"]["api \"v1\"\\\n"]["requests_total"], 6);
}

#[test]
fn forgetting_a_cluster_takes_its_endpoints_along() {
    let registry = used();
    registry.cluster(0, "other").requests_total.increment();
    registry.forget(Resource::Cluster("api \"v1\"\\\n"));
    let stats = registry.to_json([]);
    let left: Vec<_> = stats["clusters"].as_object().unwrap().keys().collect();
    assert_eq!(left, ["other"]);
    assert_eq!(
        registry.cluster(0, "api \"v1\"\\\n").requests_total.value(),
        0
    );
}

#[test]
fn single_resources_are_forgotten() {
    let registry = used();
    registry.route(0, "web", "r1");
    registry.forget(Resource::Route("web", "r0"));
    registry.forget(Resource::Endpoint("api \"v1\"\\\n", "127.0.0.1:9001"));
    registry.forget(Resource::Listener("web"));
    let stats = registry.to_json([]);
    assert!(stats["routes"]["web"].get("r0").is_none());
    assert!(stats["routes"]["web"].get("r1").is_some());
    assert!(
        stats["clusters"]["api \"v1\"\\\n"]
            .get("endpoints")
            .is_none()
    );
    assert!(stats["listeners"].get("web").is_none());
    registry.forget(Resource::RouteTable("web"));
    assert!(registry.to_json([])["routes"].get("web").is_none());
}

#[test]
fn only_what_is_neither_held_nor_configured_is_swept() {
    let registry = used();
    let held = registry.cluster(1, "api \"v1\"\\\n");
    registry.forget_unused(|resource| resource == Resource::Route("web", "r0"));
    let stats = registry.to_json([]);
    // The other worker's share stays too: a sum must not go back.
    assert_eq!(stats["clusters"]["api \"v1\"\\\n"]["requests_total"], 6);
    assert_eq!(stats["routes"]["web"]["r0"]["requests_total"], 4);
    assert!(stats["listeners"].get("web").is_none());
    assert_eq!(stats["engine"]["generation"], 7);
    drop(held);
    registry.forget_unused(|_| false);
    let stats = registry.to_json([]);
    assert_eq!(stats["clusters"], serde_json::json!({}));
    assert_eq!(stats["routes"], serde_json::json!({}));
}

#[test]
fn blocks_are_handed_out_while_a_reader_reads() {
    let registry = used();
    let reading = registry.tables();
    registry.route(0, "web", "new").requests_total.increment();
    registry.route(0, "web", "r0").requests_total.increment();
    assert_eq!(reading.routes.len(), 1);
    drop(reading);
    let stats = registry.to_json([]);
    assert_eq!(stats["routes"]["web"]["new"]["requests_total"], 1);
    assert_eq!(stats["routes"]["web"]["r0"]["requests_total"], 5);
}

#[test]
fn the_exposition_reads_as_expected() {
    let registry = Registry::new();
    registry.engine().generation.set(2);
    for worker in 0..2 {
        let route = registry.route(worker, "web", "say \"hi\"");
        route.requests_total.add(2);
        route.responses.record(204);
        route.latency.record(100);
    }
    let expected = format!(
        "\
# HELP meshcore_build_info The version that runs.
# TYPE meshcore_build_info gauge
meshcore_build_info{{version=\"{}\"}} 1
# HELP meshcore_engine_generation The generation that every worker runs.
# TYPE meshcore_engine_generation gauge
meshcore_engine_generation 2
# HELP meshcore_engine_applies_total Deltas applied.
# TYPE meshcore_engine_applies_total counter
meshcore_engine_applies_total 0
# HELP meshcore_engine_applies_refused_total Deltas refused; they changed nothing.
# TYPE meshcore_engine_applies_refused_total counter
meshcore_engine_applies_refused_total 0
# HELP meshcore_engine_overload_stage What is refused: 0 nothing, 1 idle connections, 2 low priority, 3 all but high, 4 everything new.
# TYPE meshcore_engine_overload_stage gauge
meshcore_engine_overload_stage 0
# HELP meshcore_route_requests_total Requests that matched.
# TYPE meshcore_route_requests_total counter
meshcore_route_requests_total{{route_table=\"web\",route=\"say \\\"hi\\\"\"}} 4
# HELP meshcore_route_rate_limited_total Requests that a limit of the route refused.
# TYPE meshcore_route_rate_limited_total counter
meshcore_route_rate_limited_total{{route_table=\"web\",route=\"say \\\"hi\\\"\"}} 0
# HELP meshcore_route_fault_delays_total Requests that the route's fault delayed.
# TYPE meshcore_route_fault_delays_total counter
meshcore_route_fault_delays_total{{route_table=\"web\",route=\"say \\\"hi\\\"\"}} 0
# HELP meshcore_route_fault_aborts_total Requests that the route's fault refused.
# TYPE meshcore_route_fault_aborts_total counter
meshcore_route_fault_aborts_total{{route_table=\"web\",route=\"say \\\"hi\\\"\"}} 0
# HELP meshcore_route_responses_total Responses sent, the proxy's own included, by class of status.
# TYPE meshcore_route_responses_total counter
meshcore_route_responses_total{{route_table=\"web\",route=\"say \\\"hi\\\"\",code_class=\"2xx\"}} 2
# HELP meshcore_route_request_duration_seconds From the request's head to the response's last byte.
# TYPE meshcore_route_request_duration_seconds histogram
meshcore_route_request_duration_seconds_bucket{{route_table=\"web\",route=\"say \\\"hi\\\"\",le=\"0.000064\"}} 0
meshcore_route_request_duration_seconds_bucket{{route_table=\"web\",route=\"say \\\"hi\\\"\",le=\"0.000128\"}} 2
",
        env!("CARGO_PKG_VERSION")
    );
    let rendered = registry.render_prometheus(&[]);
    assert!(rendered.starts_with(&expected), "{rendered}");
    let labels = "{route_table=\"web\",route=\"say \\\"hi\\\"\"}";
    let end = format!(
        "meshcore_route_request_duration_seconds_sum{labels} 0.0002\n\
         meshcore_route_request_duration_seconds_count{labels} 2\n"
    );
    assert!(rendered.ends_with(&end), "{rendered}");
}

#[test]
fn the_exposition_is_well_formed() {
    let samples = check(&used().render_prometheus(&[]));
    let labels = "{cluster=\"api \\\"v1\\\"\\\\\\n\"";
    let count = format!("meshcore_cluster_request_duration_seconds_count{labels}}}");
    assert_eq!(samples.get(&count).map(String::as_str), Some("4"));
    let inf = format!("meshcore_cluster_request_duration_seconds_bucket{labels},le=\"+Inf\"}}");
    assert_eq!(samples.get(&inf).map(String::as_str), Some("4"));
    let last =
        format!("meshcore_cluster_request_duration_seconds_bucket{labels},le=\"67.108864\"}}");
    assert_eq!(samples.get(&last).map(String::as_str), Some("2"));
}

/// Reads an exposition as strictly as the format is written: families in one piece with their help
/// and kind before them, no series twice, no bucket below the one before. Returns its samples.
fn check(text: &str) -> BTreeMap<String, String> {
    let mut samples = BTreeMap::new();
    let mut families = BTreeSet::new();
    let (mut family, mut kind) = (String::new(), String::new());
    let mut last_bucket = (String::new(), 0u64);
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(families.insert(name.to_owned()), "{name} is in pieces");
            assert!(!help.is_empty());
            family = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            kind = rest.strip_prefix(&format!("{family} ")).unwrap().to_owned();
            assert!(["counter", "gauge", "histogram"].contains(&&*kind));
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            let base = suffixes(&kind)
                .iter()
                .find_map(|end| name.strip_suffix(end));
            assert_eq!(base, Some(&*family), "{line}");
            check_labels(&series[name.len()..]);
            value.parse::<f64>().unwrap();
            let doubled = samples.insert(series.to_owned(), value.to_owned());
            assert_eq!(doubled, None, "{series} stands twice");
            if let Some((labels, _)) = series.split_once("le=\"") {
                let count = value.parse().unwrap();
                assert!(labels != last_bucket.0 || count >= last_bucket.1, "{line}");
                last_bucket = (labels.to_owned(), count);
            }
        }
    }
    samples
}

fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "histogram" => &["_bucket", "_sum", "_count"],
        _ => &[""],
    }
}

/// `{name="value",…}` with `\\`, `\"` and `\n` as the only escapes, or nothing.
fn check_labels(labels: &str) {
    let Some(mut rest) = labels.strip_prefix('{') else {
        assert_eq!(labels, "");
        return;
    };
    loop {
        let (name, after) = rest.split_once("=\"").unwrap();
        let legal = |letter: char| letter.is_ascii_lowercase() || letter == '_';
        assert!(!name.is_empty() && name.chars().all(legal), "{labels}");
        let mut end = None;
        let mut letters = after.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\\' => assert!(matches!(letters.next(), Some((_, '\\' | '"' | 'n')))),
                '"' => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let tail = &after[end.expect("a value ends") + 1..];
        if tail == "}" {
            return;
        }
        rest = tail.strip_prefix(',').unwrap();
    }
}

#[test]
fn what_native_hooks_count_stands_beside_the_rest() {
    let text = Registry::default().render_prometheus(&[("a \"b\"", "hits", 3), ("c", "misses", 0)]);
    let (_, counters) = text
        .split_once("# TYPE meshcore_hook_counter_total counter\n")
        .unwrap();
    assert_eq!(
        counters,
        "meshcore_hook_counter_total{hook=\"a \\\"b\\\"\",counter=\"hits\"} 3\n\
         meshcore_hook_counter_total{hook=\"c\",counter=\"misses\"} 0\n"
    );
}
