//! Writes docs/metrics.md from the list of names, and proves that it is current.

use std::fmt::Write as _;
use std::path::Path;

use crate::telemetry::blocks::{
    ClusterStats, EndpointStats, EngineStats, HealthCheckStats, HookStats, LimitServiceStats,
    ListenerStats, LogStats, OverloadStats, RouteStats, WorkerStats,
};
use crate::telemetry::guard::{EndpointGuardStats, GuardStats};
use crate::telemetry::metric::{Block, Source};

const HEAD: &str = "\
# Metrics

<!-- Generated from rust/telemetry/names.rs by `MESHCORE_WRITE_DOCS=1 cargo test --lib metrics_page`. -->

Served by the admin port at `/stats/prometheus` and `/metrics` as Prometheus text, at `/stats` as
text and JSON, and to embedding programs by `Engine.stats()` under the key given last. Times are
seconds, sizes bytes. Each worker counts for itself; what is shown is the sum.

Labels come from the configuration and from fixed tables, never from what a peer sent. What was
removed from the configuration leaves the exposition once nothing uses it any more. The statistics
also show clusters that nothing was counted for yet. Counters that are told apart by `error` or
`code_class` appear with their first count, histograms with their first duration. Their bounds are
powers of two of a microsecond, from 0.000064 to 67.108864 seconds; in the statistics they are
`count`, `sum`, `p50`, `p90`, `p99` and `p999`, within 12.5 %.

`meshcore_build_info{version}` is always 1. `meshcore_hook_counter_total{hook,counter}` is what a
native hook counts itself, in the statistics `hooks.NAME.counters`; it begins at zero when the hook
changes.
";

fn page() -> String {
    let mut out = HEAD.to_owned();
    section::<EngineStats>(&mut out, "Engine", "engine");
    section::<WorkerStats>(&mut out, "Workers", "workers.N");
    section::<ListenerStats>(&mut out, "Listeners", "listeners.NAME");
    section::<RouteStats>(&mut out, "Routes", "routes.TABLE.NAME");
    section::<ClusterStats>(&mut out, "Clusters", "clusters.NAME");
    section::<EndpointStats>(&mut out, "Endpoints", "clusters.NAME.endpoints.ADDRESS");
    let guard = "clusters.NAME.guard";
    section::<GuardStats>(&mut out, "Guarded clusters", guard);
    let guard = "clusters.NAME.endpoints.ADDRESS.guard";
    section::<EndpointGuardStats>(&mut out, "Endpoints of guarded clusters", guard);
    section::<LimitServiceStats>(&mut out, "Rate limit services", "rate_limit_services.NAME");
    section::<HookStats>(&mut out, "Hooks", "hooks.NAME");
    section::<HealthCheckStats>(&mut out, "Health checks", "clusters.NAME.health_checks");
    section::<LogStats>(&mut out, "Access logs", "access_logs.PATH");
    section::<OverloadStats>(&mut out, "Overload", "overload.MONITOR");
    out
}

fn section<B: Block>(out: &mut String, title: &str, place: &str) {
    let _ = write!(out, "\n## {title}\n\n");
    if !B::LABELS.is_empty() {
        let _ = write!(out, "Labels: `{}`. ", B::LABELS.join("`, `"));
    }
    let _ = write!(out, "Statistics: `{place}`.\n\n");
    out.push_str("| metric | kind | meaning | key |\n|---|---|---|---|\n");
    for metric in B::METRICS {
        let label = match metric.source {
            Source::Counters { label, .. } => format!("{{{label}}}"),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "| `{}{label}` | {} | {} | `{}` |",
            metric.name,
            metric.source.kind(),
            metric.help,
            metric.key()
        );
    }
}

#[test]
fn metrics_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    if std::env::var_os("MESHCORE_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).expect("docs/ can be written");
    }
    let written = std::fs::read_to_string(&path).expect("docs/metrics.md is there");
    assert!(
        written == page(),
        "docs/metrics.md is stale: MESHCORE_WRITE_DOCS=1 cargo test --lib metrics_page"
    );
}

#[test]
fn names_follow_the_conventions() {
    follow::<EngineStats>();
    follow::<WorkerStats>();
    follow::<ListenerStats>();
    follow::<RouteStats>();
    follow::<ClusterStats>();
    follow::<EndpointStats>();
    follow::<GuardStats>();
    follow::<EndpointGuardStats>();
    follow::<LimitServiceStats>();
    follow::<HookStats>();
    follow::<LogStats>();
    follow::<OverloadStats>();
}

fn follow<B: Block>() {
    let mut keys = std::collections::BTreeSet::new();
    for metric in B::METRICS {
        let name = metric.name;
        let prefix = format!("meshcore_{}_", B::SCOPE);
        assert!(name.starts_with(&prefix), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            metric.source.kind() == "counter",
            "{name}"
        );
        if metric.source.kind() == "histogram" {
            assert!(name.ends_with("_seconds"), "{name}");
        }
        assert!(metric.help.ends_with('.'), "{name}");
        assert!(keys.insert(metric.key()), "{name} is listed twice");
    }
}
