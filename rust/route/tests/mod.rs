//! Precedence, hosts, conditions and shares, case by case.

mod problems;

use serde_json::Value;
use serde_json::json;

use super::Action;
use super::ClusterSlot;
use super::RequestView;
use super::RouteTable;
use super::SniTable;
use crate::protocol::head::{Field, FieldSet};
use crate::wire::Kind;
use crate::wire::Problem;
use crate::wire::Problems;

/// Knows the clusters `c0`, `c1`, ….
fn resolve(name: &str) -> Option<ClusterSlot> {
    name.strip_prefix('c')?.parse().ok().map(ClusterSlot)
}

/// A table with a route to `c0` for each match; routes are named by their position.
fn compile(matches: &[Value]) -> (RouteTable, Vec<Problem>) {
    let route = |(index, it): (usize, &Value)| json!({"name": index.to_string(), "match": it, "to": [{"cluster": "c0"}]});
    let routes: Vec<_> = matches.iter().enumerate().map(route).collect();
    compile_routes(&json!(routes))
}

pub(super) fn compile_routes(routes: &Value) -> (RouteTable, Vec<Problem>) {
    let table = serde_json::from_value(json!({"name": "t", "routes": routes})).expect("a table");
    let mut problems = Problems::new(Kind::RouteTable, "t");
    let compiled = RouteTable::compile(&table, &mut resolve, &mut problems);
    (compiled, problems.into_vec())
}

fn sound(matches: &[Value]) -> RouteTable {
    let (table, problems) = compile(matches);
    assert_eq!(problems, []);
    table
}

pub(super) const GET: RequestView<'_> = RequestView {
    hidden: FieldSet::EMPTY,
    host: "example.com",
    path: "/",
    query: None,
    method: "GET",
    scheme: "http",
    authority: "example.com:8080",
    fields: &[],
    identity: None,
};

fn at(table: &RouteTable, view: &RequestView<'_>) -> Option<u32> {
    let found = table.find(view).map(|route| route.index);
    let (traced, considered) = table.trace(view);
    assert_eq!(traced.map(|route| route.index), found);
    let held = considered.iter().find(|it| it.failure.is_none());
    assert_eq!(held.map(|it| it.route).is_some(), found.is_some());
    found
}

fn at_path(table: &RouteTable, path: &str) -> Option<u32> {
    at(table, &RequestView { path, ..GET })
}

fn at_host(table: &RouteTable, host: &str) -> Option<u32> {
    at(table, &RequestView { host, ..GET })
}

#[test]
fn the_most_specific_host_wins_whatever_the_order() {
    let table = sound(&[
        json!({}),
        json!({"hosts": ["*.com"]}),
        json!({"hosts": ["*.example.com"]}),
        json!({"hosts": ["a.b.example.com", "[2001:db8::1]", "192.0.2.1"]}),
    ]);
    let cases = [
        ("a.b.example.com", 3),
        ("A.B.Example.COM", 3),
        ("[2001:DB8::1]", 3),
        ("192.0.2.1", 3),
        ("b.example.com", 2),
        ("x.y.Z.example.com", 2),
        ("example.com", 1),
        ("a.com", 1),
        ("com", 0),
        (".com", 0),
        ("", 0),
        ("example.org", 0),
    ];
    for (host, expected) in cases {
        assert_eq!(at_host(&table, host), Some(expected), "{host}");
    }
}

#[test]
fn a_host_longer_than_any_name_still_meets_wildcards_and_any() {
    let table = sound(&[json!({}), json!({"hosts": ["*.example.com"]})]);
    let long = "A.".repeat(5_000);
    assert_eq!(at_host(&table, &format!("{long}EXAMPLE.com")), Some(1));
    assert_eq!(at_host(&table, &format!("{long}example.org")), Some(0));
}

#[test]
fn where_no_route_of_a_host_matches_the_next_less_specific_host_is_tried() {
    let table = sound(&[
        json!({"path": {"prefix": "/shared"}}),
        json!({"hosts": ["*.example.com"], "path": {"prefix": "/wild"}}),
        json!({"hosts": ["a.example.com"], "path": {"exact": "/own"}}),
    ]);
    for (path, expected) in [
        ("/own", Some(2)),
        ("/wild/x", Some(1)),
        ("/shared", Some(0)),
        ("/no", None),
    ] {
        let view = RequestView {
            host: "a.example.com",
            path,
            ..GET
        };
        assert_eq!(at(&table, &view), expected, "{path}");
    }
}

#[test]
fn paths_go_from_exact_over_regex_to_the_longest_prefix() {
    let table = sound(&[
        json!({"path": {"prefix": "/"}}),
        json!({"path": {"prefix": "/v2/"}}),
        json!({"path": {"prefix": "/v2/users"}}),
        json!({"path": {"regex": "/v2/users/[0-9]+"}}),
        json!({"path": {"exact": "/v2/users/1"}}),
        json!({"path": {"exact": "/v2/slash/"}}),
    ]);
    let cases = [
        ("/v2/users/1", 4),
        ("/v2/users/23", 3),
        ("/v2/users/23/x", 2),
        ("/v2/users/x", 2),
        ("/v2/users/", 2),
        ("/v2/users", 2),
        ("/v2/usersx", 1),
        ("/v2", 1),
        ("/v2/", 1),
        ("/v2/slash/", 5),
        ("/v2/slash", 1),
        ("/v2x", 0),
        ("/V2", 0),
        ("/", 0),
        ("*", 0),
        ("", 0),
    ];
    for (path, expected) in cases {
        assert_eq!(at_path(&table, path), Some(expected), "{path}");
    }
}

#[test]
fn a_regex_meets_the_whole_path_and_keeps_its_meaning() {
    let table = sound(&[
        json!({"path": {"regex": "/a|/b"}}),
        json!({"path": {"regex": "(?i)/users/x.*"}}),
        json!({"path": {"regex": "/users/(x1|x2)", }, "methods": ["GET"]}),
    ]);
    for (path, expected) in [
        ("/a", Some(0)),
        ("/b", Some(0)),
        ("/ab", None),
        ("/x/b", None),
    ] {
        assert_eq!(at_path(&table, path), expected, "{path}");
    }
    assert_eq!(at_path(&table, "/USERS/X1"), Some(1));
    assert_eq!(at_path(&table, "/users/x1"), Some(2), "its method is named");
}

#[test]
fn ties_go_to_method_then_headers_then_query_then_identity_then_order() {
    let table = sound(&[
        json!({}),
        json!({}),
        json!({"identity": {"prefix": "spiffe://"}}),
        json!({"query": {"q": {"present": true}}}),
        json!({"headers": {"a": {"exact": "1"}}}),
        json!({"headers": {"a": {"exact": "1"}, "b": {"present": true}}}),
        json!({"methods": ["GET", "PUT"]}),
    ]);
    let field = |name, value| Field { name, value };
    let all = [field("A", b"1".as_slice()), field("B", b"")];
    let put = RequestView {
        method: "PUT",
        fields: &all,
        query: Some("q"),
        identity: Some("spiffe://x"),
        ..GET
    };
    let other = RequestView {
        method: "get",
        ..put
    };
    assert_eq!(at(&table, &put), Some(6));
    assert_eq!(at(&table, &other), Some(5), "methods are case-sensitive");
    let cases = [
        (&all[..1], Some("q"), Some("spiffe://x"), 4),
        (&all[1..], Some("q"), Some("spiffe://x"), 3),
        (&[], None, Some("spiffe://x"), 2),
        (&[], None, Some("x"), 0),
    ];
    for (fields, query, identity, expected) in cases {
        let view = RequestView {
            query,
            fields,
            identity,
            ..other
        };
        assert_eq!(at(&table, &view), Some(expected));
    }
}

#[test]
fn fields_match_by_any_value_and_parameters_by_the_first() {
    let one = |condition: Value| sound(&[json!({"headers": {"x": condition}})]);
    let fields = [("X", "one"), ("x", "two"), ("y", "three")].map(|(name, value)| Field {
        name,
        value: value.as_bytes(),
    });
    let view = RequestView {
        fields: &fields,
        ..GET
    };
    for (condition, holds) in [
        (json!({"exact": "two"}), true),
        (json!({"exact": "three"}), false),
        (json!({"prefix": "tw"}), true),
        (json!({"suffix": "ne"}), true),
        (json!({"contains": "w"}), true),
        (json!({"contains": "x"}), false),
        (json!({"regex": "t.o"}), true),
        (json!({"regex": "t"}), false),
        (json!({"present": true}), true),
        (json!({"present": false}), false),
    ] {
        assert_eq!(
            at(&one(condition.clone()), &view).is_some(),
            holds,
            "{condition}"
        );
    }
    let table = sound(&[
        json!({"query": {"a": {"exact": "1"}, "b": {"exact": ""}, "c": {"present": false}}}),
    ]);
    for (query, holds) in [
        (Some("b&a=1"), true),
        (Some("a=1&b=&a=2"), true),
        (Some("a=2&a=1&b"), false),
        (Some("a=%31&b"), false),
        (Some("a=1&b&c"), false),
        (None, false),
    ] {
        assert_eq!(
            at(&table, &RequestView { query, ..GET }).is_some(),
            holds,
            "{query:?}"
        );
    }
}

#[test]
fn ten_thousand_hosts_are_all_found_in_any_case() {
    let matches: Vec<_> = (0..10_000)
        .map(|n| match n % 2 {
            0 => json!({"hosts": [format!("h{n}.example.com")]}),
            _ => json!({"hosts": [format!("*.H{n}.Example.com")]}),
        })
        .collect();
    let table = sound(&matches);
    assert_eq!(table.routes().len(), 10_000);
    for n in 0..10_000 {
        let host = if n % 2 == 0 {
            format!("H{n}.exAmple.com")
        } else {
            format!("x.y.h{n}.EXAMPLE.com")
        };
        assert_eq!(at_host(&table, &host), Some(n), "{host}");
        assert_eq!(
            at_host(&table, &host.to_ascii_lowercase()),
            Some(n),
            "{host}"
        );
    }
    assert_eq!(at_host(&table, "h10000.example.com"), None);
    assert_eq!(at_host(&table, "h1.example.com"), None);
}

#[test]
fn a_split_gives_each_cluster_its_share_of_the_numbers() {
    let (table, problems) = compile_routes(&json!([{"name": "a", "to": [
        {"cluster": "c7", "weight": 0}, {"cluster": "c1", "weight": 90}, {"cluster": "c2", "weight": 10}]}]));
    assert_eq!(problems, []);
    let Action::Forward(split) = &table.routes()[0].action else {
        panic!("it goes somewhere");
    };
    let slot = |random| split.pick(random).map_or(u32::MAX, |share| share.cluster.0);
    let mut seen = [0; 8];
    for step in 0..1_000 {
        seen[slot(step * (u64::MAX / 1_000) + u64::MAX / 2_000) as usize] += 1;
    }
    assert_eq!(seen, [0, 900, 100, 0, 0, 0, 0, 0]);
    assert_eq!(slot(0), 1);
    assert_eq!(slot(u64::MAX), 2);
    assert_eq!(
        split.targets().map(|(slot, _)| slot.0).collect::<Vec<_>>(),
        [7, 1, 2]
    );
}

#[test]
fn server_names_take_the_most_specific_route_or_the_default() {
    let mut problems = Problems::new(Kind::Listener, "l");
    let to = |cluster: &str| json!([{"cluster": cluster}]);
    let routes: Vec<_> = serde_json::from_value(json!([
        {"sni": ["*.example.com", "example.org"], "to": to("c1")},
        {"sni": ["A.example.com"], "to": to("c2")},
    ]))
    .expect("routes");
    let default: Vec<_> = serde_json::from_value(to("c3")).expect("targets");
    let table = SniTable::compile(&routes, &default, &mut resolve, &mut problems);
    let goes = |table: &SniTable, sni| table.find(sni)?.pick(0).map(|share| share.cluster.0);
    assert_eq!(goes(&table, Some("a.Example.com")), Some(2));
    assert_eq!(goes(&table, Some("b.example.com")), Some(1));
    assert_eq!(goes(&table, Some("example.org")), Some(1));
    assert_eq!(goes(&table, Some("example.com")), Some(3));
    assert_eq!(goes(&table, None), Some(3));
    let table = SniTable::compile(&routes, &[], &mut resolve, &mut problems);
    assert_eq!(goes(&table, None), None);
    assert_eq!(problems.into_vec(), []);
}
