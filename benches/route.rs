//! What one route match costs, and that it doesn't grow with hosts and routes.

use divan::Bencher;
use divan::black_box;
use meshcore::protocol::head::{Field, FieldSet};
use meshcore::route::ClusterSlot;
use meshcore::route::RequestView;
use meshcore::route::RouteTable;
use meshcore::wire;
use meshcore::wire::Kind;
use meshcore::wire::Problems;
use meshcore::wire::route::Match;
use meshcore::wire::route::PathMatch;
use meshcore::wire::route::Route;
use meshcore::wire::route::RouteOrder;
use meshcore::wire::route::StringMatch;
use meshcore::wire::route::Target;

/// Requests go to so many of the hosts or routes in turn, so that caches are as in traffic; each
/// sample visits all of them.
const VISITED: u32 = 1_000;

fn main() {
    divan::main();
}

fn table(count: usize, matches: impl Fn(usize) -> Match) -> RouteTable {
    let target = Target {
        cluster: "c".to_owned(),
        ..Target::default()
    };
    let route = |index| Route {
        name: format!("r{index}"),
        matches: matches(index),
        to: vec![target.clone()],
        ..Route::default()
    };
    let table = wire::RouteTable {
        name: "bench".to_owned(),
        order: RouteOrder::Specific,
        routes: (0..count).map(route).collect(),
    };
    let mut problems = Problems::new(Kind::RouteTable, "bench");
    let compiled = RouteTable::compile(&table, &mut |_| Some(ClusterSlot(0)), &mut problems);
    assert!(problems.is_empty());
    compiled
}

/// Matches each of `requests` (host, path) in turn; all must find a route.
fn run(bencher: Bencher<'_, '_>, table: &RouteTable, requests: &[(String, String)]) {
    let fields = [
        ("Host", "ignored"),
        ("User-Agent", "bench"),
        ("Accept", "*/*"),
        ("X-Canary", "1"),
    ]
    .map(|(name, value)| Field {
        name,
        value: value.as_bytes(),
    });
    let mut turn = requests.iter().cycle();
    bencher.bench_local(|| {
        let (host, path) = turn.next().map_or(("", ""), |(host, path)| (host, path));
        let view = RequestView {
            host,
            path,
            query: None,
            method: "GET",
            scheme: "http",
            authority: host,
            fields: &fields,
            hidden: FieldSet::EMPTY,
            identity: None,
        };
        let route = table.find(black_box(&view));
        assert!(route.is_some());
        route.map(|route| route.index)
    });
}

fn spread(count: usize, request: impl Fn(usize) -> (String, String)) -> Vec<(String, String)> {
    // A prime step visits all parts of the table in no order that a cache could foresee.
    (0..VISITED as usize)
        .map(|turn| request(turn * 7_919 % count))
        .collect()
}

#[divan::bench(args = [10, 10_000], sample_size = VISITED)]
fn hosts(bencher: Bencher<'_, '_>, count: usize) {
    let host = |index| format!("h{index}.example.com");
    let table = table(count, |index| Match {
        hosts: vec![host(index)],
        ..Match::default()
    });
    run(
        bencher,
        &table,
        &spread(count, |index| (host(index), "/a/b".to_owned())),
    );
}

#[divan::bench(args = [10, 10_000], sample_size = VISITED)]
fn wildcard_hosts(bencher: Bencher<'_, '_>, count: usize) {
    let table = table(count, |index| Match {
        hosts: vec![format!("*.h{index}.example.com")],
        ..Match::default()
    });
    let request = |index| (format!("X.h{index}.example.com"), "/a/b".to_owned());
    run(bencher, &table, &spread(count, request));
}

#[divan::bench(args = [10, 10_000], sample_size = VISITED)]
fn prefixes(bencher: Bencher<'_, '_>, count: usize) {
    let table = table(count, |index| Match {
        path: Some(PathMatch::Prefix(format!("/api/v1/s{index}"))),
        ..Match::default()
    });
    let request = |index| {
        (
            "example.com".to_owned(),
            format!("/api/v1/s{index}/items/1"),
        )
    };
    run(bencher, &table, &spread(count, request));
}

#[divan::bench(args = [10, 10_000], sample_size = VISITED)]
fn regexes(bencher: Bencher<'_, '_>, count: usize) {
    let table = table(count, |index| Match {
        path: Some(PathMatch::Regex(format!("/s{index}/[0-9]+"))),
        ..Match::default()
    });
    let request = |index| ("example.com".to_owned(), format!("/s{index}/12"));
    run(bencher, &table, &spread(count, request));
}

#[divan::bench(sample_size = VISITED)]
fn prefix_with_a_header_condition(bencher: Bencher<'_, '_>) {
    let table = table(10, |index| {
        let condition = StringMatch::Exact("1".to_owned());
        Match {
            path: Some(PathMatch::Prefix(format!("/s{index}"))),
            headers: [("x-canary".to_owned(), condition)].into(),
            ..Match::default()
        }
    });
    let request = |index| ("example.com".to_owned(), format!("/s{index}/a"));
    run(bencher, &table, &spread(10, request));
}
