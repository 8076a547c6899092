//! What is wrong with a table is noted all at once, each with its place.

use serde_json::json;

use super::compile_routes;
use super::resolve;
use crate::route::SniTable;
use crate::wire::Kind;
use crate::wire::Problem;
use crate::wire::Problems;

/// (code, path) of each problem.
fn places(problems: &[Problem]) -> Vec<(&str, &str)> {
    problems.iter().map(|it| (it.code, &*it.path)).collect()
}

#[test]
fn every_problem_is_noted_with_its_place() {
    let (_, problems) = compile_routes(&json!([
        {"name": "a", "to": []},
        {"name": "a", "to": [{"cluster": "c0", "weight": 0}, {"cluster": "nobody"}], "match": {
            "hosts": ["ok.com", "a.*.com", "x:80", "", "x.", "ä.com", "[1]"],
            "path": {"exact": "no-slash"},
            "methods": ["GET", "G T"],
            "headers": {"b d": {"present": true}, "x": {"regex": "("}, "y": {"contains": ""}},
            "query": {"a=b": {"exact": ""}},
            "identity": {"regex": "[z-a]"},
        }},
        {"name": "b", "to": [{"cluster": "c0", "weight": 0}], "match": {"path": {"prefix": "/a?b"}}},
        {"name": "c", "to": [{"cluster": "c0"}], "match": {"path": {"regex": "a)|(b"}}},
        {"name": "d", "to": [{"cluster": "c0"}], "match": {"path": {"regex": "\\w{500}"}}},
        {"name": "e", "to": [{"cluster": "c0"}], "match": {"path": {"regex": "a".repeat(5_000)}}},
    ]));
    let expected = [
        ("route_name_duplicate", "routes[1].name"),
        ("targets_empty", "routes[0].to"),
        ("host_invalid", "routes[1].match.hosts[1]"),
        ("host_invalid", "routes[1].match.hosts[2]"),
        ("host_invalid", "routes[1].match.hosts[3]"),
        ("host_invalid", "routes[1].match.hosts[4]"),
        ("host_invalid", "routes[1].match.hosts[5]"),
        ("host_invalid", "routes[1].match.hosts[6]"),
        ("path_invalid", "routes[1].match.path.exact"),
        ("method_invalid", "routes[1].match.methods[1]"),
        ("header_name_invalid", "routes[1].match.headers.b d"),
        ("regex_invalid", "routes[1].match.headers.x.regex"),
        ("match_empty", "routes[1].match.headers.y.contains"),
        ("query_name_invalid", "routes[1].match.query.a=b"),
        ("regex_invalid", "routes[1].match.identity.regex"),
        ("cluster_unknown", "routes[1].to[1].cluster"),
        ("path_invalid", "routes[2].match.path.prefix"),
        ("weights_zero", "routes[2].to"),
        ("regex_invalid", "routes[3].match.path.regex"),
        ("regex_invalid", "routes[4].match.path.regex"),
        ("regex_invalid", "routes[5].match.path.regex"),
    ];
    assert_eq!(places(&problems), expected);
}

#[test]
fn problems_of_what_a_route_does_are_noted_with_their_place() {
    let to = json!([{"cluster": "c0"}]);
    let (_, problems) = compile_routes(&json!([
        {"name": "a", "to": to, "redirect": {"scheme": "https"}},
        {"name": "b", "redirect": {"scheme": "https"}, "direct_response": {"status": 200}},
        {"name": "c", "direct_response": {"status": 199}},
        {"name": "d", "direct_response": {"status": 200, "body": "a", "body_base64": "YQ=="}},
        {"name": "e", "direct_response": {"status": 200, "body_base64": "YQ"}},
        {"name": "f", "direct_response": {"status": 200, "body": "a".repeat((1 << 20) + 1)}},
        {"name": "g", "direct_response": {"status": 200, "content_type": "a\n"}},
        {"name": "h", "to": to,
            "request_headers": {"set": {"Host": "a"}, "add": {"x": "%RESP(y)%"}, "remove": ["te"]},
            "response_headers": {"set": {"x y": ""}, "add": {"x": "%RESP(y)%", "z": "%"}},
            "cors": {"allow_origins": [{"regex": "["}], "allow_headers": ["x", "y z"]}},
        {"name": "i", "to": [{"cluster": "c0", "host_rewrite": "a b",
            "request_headers": {"remove": ["connection"]}}]},
    ]));
    let expected = [
        ("action_ambiguous", "routes[0]"),
        ("action_ambiguous", "routes[1]"),
        ("status_invalid", "routes[2].direct_response.status"),
        ("body_ambiguous", "routes[3].direct_response"),
        ("body_invalid", "routes[4].direct_response.body_base64"),
        ("body_too_large", "routes[5].direct_response"),
        (
            "content_type_invalid",
            "routes[6].direct_response.content_type",
        ),
        ("header_not_editable", "routes[7].request_headers.set.Host"),
        ("header_value_invalid", "routes[7].request_headers.add.x"),
        ("header_not_editable", "routes[7].request_headers.remove[0]"),
        ("header_name_invalid", "routes[7].response_headers.set.x y"),
        ("header_value_invalid", "routes[7].response_headers.add.z"),
        ("regex_invalid", "routes[7].cors.allow_origins[0].regex"),
        ("cors_name_invalid", "routes[7].cors.allow_headers[1]"),
        (
            "header_not_editable",
            "routes[8].to[0].request_headers.remove[0]",
        ),
        ("host_invalid", "routes[8].to[0].host_rewrite"),
    ];
    assert_eq!(places(&problems), expected);
    assert!(problems.iter().all(|problem| !problem.hint.is_empty()));
}

#[test]
fn sni_problems_are_noted_with_their_place() {
    let mut problems = Problems::new(Kind::Listener, "l");
    let routes: Vec<_> = serde_json::from_value(json!([
        {"sni": ["a.com", "*"], "to": [{"cluster": "c1"}]},
        {"sni": ["A.com", "a..b"], "to": [{"cluster": "nobody"}]},
        {"sni": [], "to": [{"cluster": "c1", "weight": 0}]},
    ]))
    .expect("routes");
    let default: Vec<_> = serde_json::from_value(json!([{"cluster": "x"}])).expect("targets");
    SniTable::compile(&routes, &default, &mut resolve, &mut problems);
    let expected = [
        ("sni_duplicate", "sni_routes[1].sni[0]"),
        ("sni_invalid", "sni_routes[1].sni[1]"),
        ("cluster_unknown", "sni_routes[1].to[0].cluster"),
        ("sni_empty", "sni_routes[2].sni"),
        ("weights_zero", "sni_routes[2].to"),
        ("cluster_unknown", "to[0].cluster"),
    ];
    assert_eq!(places(&problems.into_vec()), expected);
}
