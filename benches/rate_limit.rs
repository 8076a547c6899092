//! What one decision of a rate limit costs: one bucket for all, or one for each key.

use divan::Bencher;
use meshcore::policy::rate_limit::RateLimit;
use meshcore::wire::Kind;
use meshcore::wire::Problems;
use meshcore::wire::route;

/// Keys that take turns: one, what a cache holds, and more than a table has places.
const KEYS: [u32; 3] = [1, 1_000, 100_000];

/// Decisions in a sample.
const DECISIONS: u32 = 1_000;

fn main() {
    divan::main();
}

fn run(bencher: Bencher<'_, '_>, key: &str, keys: u32) {
    let wire = route::RateLimit {
        name: "all".to_owned(),
        local: Some(route::Rate {
            requests: 1_000,
            per_ms: 1_000,
            burst: None,
        }),
        shared: None,
        service: None,
        key: key.to_owned(),
        status: 429,
        response_headers: true,
    };
    let mut problems = Problems::new(Kind::RouteTable, "bench");
    let limits = RateLimit::compile_all(&[wire], "limits", &mut problems);
    let limits = limits.unwrap_or_default();
    let (mut at, mut now) = (0_u32, 0);
    bencher.bench_local(|| {
        at = (at + 1) % keys;
        now += 100_000;
        limits
            .first()
            .map(|limit| limit.decide(&at.to_ne_bytes(), now))
    });
}

#[divan::bench(sample_size = DECISIONS)]
fn one_bucket(bencher: Bencher<'_, '_>) {
    run(bencher, "route", 1);
}

#[divan::bench(args = KEYS, sample_size = DECISIONS)]
fn by_key(bencher: Bencher<'_, '_>, keys: u32) {
    run(bencher, "source_address", keys);
}
