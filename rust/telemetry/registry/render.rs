//! Writes merged numbers: Prometheus text, and JSON for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::{Key, Owned, Table, Tables};
use crate::telemetry::blocks::ClusterStats;
use crate::telemetry::histogram::{LE_POWERS, Snapshot};
use crate::telemetry::metric::{Block, Metric, Source};

/// A metric's number, summed over the workers.
enum Sum {
    Counter(u64),
    Gauge(i64),
    Counters(&'static str, Vec<(&'static str, u64)>),
    Durations(Option<Box<Snapshot>>),
}

/// The text exposition of everything.
pub(super) fn prometheus(tables: &Tables) -> String {
    let mut out = String::new();
    out.push_str("# HELP meshcore_build_info The version that runs.\n");
    out.push_str("# TYPE meshcore_build_info gauge\n");
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(out, "meshcore_build_info{{version=\"{version}\"}} 1");
    families(&mut out, &tables.engine);
    families(&mut out, &tables.workers);
    families(&mut out, &tables.listeners);
    families(&mut out, &tables.routes);
    families(&mut out, &tables.clusters);
    families(&mut out, &tables.endpoints);
    families(&mut out, &tables.guards);
    families(&mut out, &tables.endpoint_guards);
    families(&mut out, &tables.limit_services);
    families(&mut out, &tables.hooks);
    families(&mut out, &tables.health_checks);
    families(&mut out, &tables.logs);
    families(&mut out, &tables.overload);
    out
}

/// What native hooks count themselves: the hook, the counter, its number.
pub(super) fn hook_counters(out: &mut String, counters: &[(&str, &str, u64)]) {
    const NAME: &str = "meshcore_hook_counter_total";
    if counters.is_empty() {
        return;
    }
    let _ = writeln!(out, "# HELP {NAME} What native hooks count themselves.");
    let _ = writeln!(out, "# TYPE {NAME} counter");
    for (hook, counter, value) in counters {
        let labels = with(&with("", "hook", hook), "counter", counter);
        sample(out, NAME, &labels, value);
    }
}

/// Everything as nested objects.
pub(super) fn json<'c>(tables: &Tables, configured: impl IntoIterator<Item = &'c str>) -> Value {
    let mut clusters = by_name(&tables.clusters);
    let nothing = Value::Object(numbers::<ClusterStats>(&[]));
    for name in configured {
        clusters.entry(name).or_insert_with(|| nothing.clone());
    }
    for (key, owned) in tables.endpoints.iter() {
        let cluster = clusters.entry(&*key.0).or_insert_with(|| json!({}));
        cluster["endpoints"][&*key.1] = Value::Object(numbers(owned));
    }
    for (key, owned) in tables.guards.iter() {
        let cluster = clusters.entry(&*key.0).or_insert_with(|| json!({}));
        cluster["guard"] = Value::Object(numbers(owned));
    }
    for (key, owned) in tables.endpoint_guards.iter() {
        let cluster = clusters.entry(&*key.0).or_insert_with(|| json!({}));
        cluster["endpoints"][&*key.1]["guard"] = Value::Object(numbers(owned));
    }
    for (key, owned) in tables.health_checks.iter() {
        let cluster = clusters.entry(&*key.0).or_insert_with(|| json!({}));
        cluster["health_checks"] = Value::Object(numbers(owned));
    }
    let mut routes = Map::new();
    for (key, owned) in tables.routes.iter() {
        let table = routes.entry(&*key.0).or_insert_with(|| json!({}));
        table[&*key.1] = Value::Object(numbers(owned));
    }
    let engine = tables
        .engine
        .values()
        .next()
        .map_or_else(Map::new, |owned| numbers(owned));
    json!({
        "engine": engine,
        "workers": by_name(&tables.workers),
        "listeners": by_name(&tables.listeners),
        "routes": routes,
        "clusters": clusters,
        "rate_limit_services": by_name(&tables.limit_services),
        "hooks": by_name(&tables.hooks),
        "access_logs": by_name(&tables.logs),
        "overload": by_name(&tables.overload),
    })
}

fn sum<B: Block>(metric: &Metric<B>, owned: &[Owned<B>]) -> Sum {
    let blocks = owned.iter().map(|owned| &*owned.block);
    match metric.source {
        Source::Counter(read) => Sum::Counter(
            blocks
                .map(|block| read(block).value())
                .fold(0, u64::wrapping_add),
        ),
        Source::Gauge(read) => Sum::Gauge(
            blocks
                .map(|block| read(block).value())
                .fold(0, i64::wrapping_add),
        ),
        Source::Counters {
            label,
            values,
            read,
        } => {
            let mut sums: Vec<_> = values.iter().map(|value| (*value, 0u64)).collect();
            for block in blocks {
                for (sum, counter) in sums.iter_mut().zip(read(block)) {
                    sum.1 = sum.1.wrapping_add(counter.value());
                }
            }
            sums.retain(|(_, sum)| *sum > 0);
            Sum::Counters(label, sums)
        }
        Source::Durations(read) => {
            let mut merged: Option<Box<Snapshot>> = None;
            for histogram in blocks.filter_map(|block| read(block).get()) {
                merged.get_or_insert_default().merge(histogram);
            }
            Sum::Durations(merged)
        }
    }
}

fn families<B: Block>(out: &mut String, table: &Table<B>) {
    if table.is_empty() {
        return;
    }
    for metric in B::METRICS {
        let kind = metric.source.kind();
        let Metric { name, help, .. } = metric;
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (key, owned) in table {
            samples(out, name, &labels::<B>(key), sum(metric, owned));
        }
    }
}

fn samples(out: &mut String, name: &str, labels: &str, sum: Sum) {
    match sum {
        Sum::Counter(value) => sample(out, name, labels, value),
        Sum::Gauge(value) => sample(out, name, labels, value),
        Sum::Counters(label, sums) => {
            for (value, sum) in sums {
                sample(out, name, &with(labels, label, value), sum);
            }
        }
        Sum::Durations(Some(snapshot)) => histogram(out, name, labels, &snapshot),
        Sum::Durations(None) => {}
    }
}

fn histogram(out: &mut String, name: &str, labels: &str, snapshot: &Snapshot) {
    let count = snapshot.count();
    let bucket = format!("{name}_bucket");
    for power in LE_POWERS {
        let le = seconds(1 << power);
        sample(
            out,
            &bucket,
            &with(labels, "le", &le),
            snapshot.below(power),
        );
    }
    sample(out, &bucket, &with(labels, "le", "+Inf"), count);
    sample(
        out,
        &format!("{name}_sum"),
        labels,
        seconds(snapshot.sum_us()),
    );
    sample(out, &format!("{name}_count"), labels, count);
}

fn sample(out: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = if labels.is_empty() {
        writeln!(out, "{name} {value}")
    } else {
        writeln!(out, "{name}{{{labels}}} {value}")
    };
}

/// Microseconds as decimal seconds, exactly.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn labels<B: Block>(key: &Key) -> String {
    let values = [&key.0, &key.1];
    let pairs = B::LABELS.iter().zip(values);
    pairs.fold(String::new(), |labels, (label, value)| {
        with(&labels, label, value)
    })
}

fn with(labels: &str, label: &str, value: &str) -> String {
    let comma = if labels.is_empty() { "" } else { "," };
    let mut out = format!("{labels}{comma}{label}=\"");
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

fn by_name<B: Block>(table: &Table<B>) -> Map<String, Value> {
    let entries = table.iter();
    entries
        .map(|(key, owned)| (key.0.to_string(), Value::Object(numbers(owned))))
        .collect()
}

fn numbers<B: Block>(owned: &[Owned<B>]) -> Map<String, Value> {
    let numbers = B::METRICS.iter().map(|metric| {
        let value = match sum(metric, owned) {
            Sum::Counter(value) => json!(value),
            Sum::Gauge(value) => json!(value),
            Sum::Counters(_, sums) => Value::Object(
                sums.iter()
                    .map(|(at, n)| ((*at).to_owned(), json!(n)))
                    .collect(),
            ),
            Sum::Durations(snapshot) => durations(&snapshot.unwrap_or_default()),
        };
        (metric.key().to_owned(), value)
    });
    numbers.collect()
}

/// Counts and quantiles; a quantile of nothing is null.
fn durations(snapshot: &Snapshot) -> Value {
    let quantile = |q| snapshot.quantile(q).map(in_seconds);
    json!({
        "count": snapshot.count(),
        "sum": in_seconds(snapshot.sum_us()),
        "p50": quantile(0.5),
        "p90": quantile(0.9),
        "p99": quantile(0.99),
        "p999": quantile(0.999),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53 microseconds, which is 285 years"
)]
fn in_seconds(us: u64) -> f64 {
    us as f64 / 1e6
}
