//! Paths in place of others.

use serde_json::{Value, json};

use super::{Rewrite, TooLong};
use crate::wire::{Kind, Problems};

fn compile(path: &Value, rewrite: &Value) -> Result<Rewrite, Vec<(&'static str, String)>> {
    let path = serde_json::from_value::<Option<_>>(path.clone()).expect("a path match");
    let rewrite = serde_json::from_value(rewrite.clone()).expect("a rewrite");
    let mut problems = Problems::new(Kind::RouteTable, "t");
    let compiled = Rewrite::compile(&rewrite, path.as_ref(), "r", &mut problems);
    let found = problems.into_vec().into_iter();
    compiled.ok_or_else(|| found.map(|it| (it.code, it.path)).collect())
}

fn made(path: &Value, rewrite: &Value, from: &str) -> String {
    let rewrite = compile(path, rewrite).expect("a valid rewrite");
    let made = rewrite.path(from).expect("a short path");
    made.unwrap_or_else(|| panic!("{from} stays"))
}

/// The table of Gateway API's `ReplacePrefixMatch`.
#[test]
fn whole_segments_replace_whole_segments() {
    for (from, prefix, with, expected) in [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
        ("/foo", "/", "/xyz", "/xyz/foo"),
    ] {
        let found = made(&json!({"prefix": prefix}), &json!({"prefix": with}), from);
        assert_eq!(found, expected, "{from}: {prefix} -> {with}");
    }
    assert_eq!(made(&json!(null), &json!({"prefix": "/x"}), "/a"), "/x/a");
}

/// As a `VirtualService` has it.
#[test]
fn mere_text_replaces_mere_text() {
    for (from, prefix, with, expected) in [
        ("/foo/baz", "/foo", "/", "//baz"),
        ("/foobar", "/foo", "/x", "/xbar"),
        ("/foo/baz", "/foo/", "/", "/baz"),
        ("/foobar", "/foo", "", "/bar"),
    ] {
        let found = made(
            &json!({"string_prefix": prefix}),
            &json!({"prefix": with}),
            from,
        );
        assert_eq!(found, expected, "{from}: {prefix} -> {with}");
    }
}

#[test]
fn a_pattern_replaces_every_match() {
    let regex = |pattern, substitution| json!({"regex": {"pattern": pattern, "substitution": substitution}});
    for (pattern, substitution, from, expected) in [
        (
            "^/service/([^/]+)(/.*)$",
            r"\2/instance/\1",
            "/service/foo/v1/api",
            "/v1/api/instance/foo",
        ),
        ("one", "two", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/two/zzz"),
        (
            "^(.*?)one(.*)$",
            r"\1two\2",
            "/xxx/one/yyy/one/zzz",
            "/xxx/two/yyy/one/zzz",
        ),
        ("(?i)/xxx/", "/yyy/", "/aaa/XxX/bbb", "/aaa/yyy/bbb"),
        ("(a)|b", r"<\1>", "/ab", "/<a><>"),
        ("^/api", "", "/api/x", "/x"),
        ("^/api/", "", "/api/x", "/x"),
        ("/a", r"/\\\0", "/a", r"/\/a"),
        ("nothing", "x", "/a", "/a"),
    ] {
        let found = made(&json!(null), &regex(pattern, substitution), from);
        assert_eq!(found, expected, "{pattern} -> {substitution}");
    }
    let growing = compile(&json!(null), &regex(".", &"x".repeat(1_000))).expect("a valid rewrite");
    assert_eq!(growing.path(&"/".repeat(4_000)), Err(TooLong));
}

#[test]
fn a_path_is_replaced_but_not_an_asterisk() {
    let whole = compile(&json!({"exact": "/a"}), &json!({"path": "/b"})).expect("a valid rewrite");
    assert_eq!(whole.path("/a"), Ok(Some("/b".to_owned())));
    assert_eq!(whole.path("*"), Ok(None));
    let host = compile(&json!(null), &json!({"host": "a.example:80"})).expect("a valid rewrite");
    assert_eq!(host.path("/a"), Ok(None));
    assert_eq!(host.host.as_deref(), Some("a.example:80"));
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let exact = json!({"exact": "/a"});
    for (path, rewrite, code, at) in [
        (
            &exact,
            json!({"path": "/a", "prefix": "/b"}),
            "rewrite_ambiguous",
            "r",
        ),
        (
            &exact,
            json!({"prefix": "/b"}),
            "rewrite_without_prefix",
            "r.prefix",
        ),
        (&exact, json!({"path": "a"}), "path_invalid", "r.path"),
        (&exact, json!({"path": "/a?b"}), "path_invalid", "r.path"),
        (&exact, json!({"path": "/a b"}), "path_invalid", "r.path"),
        (&exact, json!({"host": "a/b"}), "host_invalid", "r.host"),
        (&exact, json!({"host": "a:0"}), "host_invalid", "r.host"),
        (&exact, json!({"host": "*.a"}), "host_invalid", "r.host"),
        (
            &exact,
            json!({"regex": {"pattern": "(", "substitution": ""}}),
            "regex_invalid",
            "r.regex.pattern",
        ),
        (
            &exact,
            json!({"regex": {"pattern": "a", "substitution": r"\1"}}),
            "substitution_invalid",
            "r.regex.substitution",
        ),
        (
            &exact,
            json!({"regex": {"pattern": "a", "substitution": r"\x"}}),
            "substitution_invalid",
            "r.regex.substitution",
        ),
        (
            &exact,
            json!({"regex": {"pattern": "a", "substitution": "?"}}),
            "substitution_invalid",
            "r.regex.substitution",
        ),
    ] {
        let found = compile(path, &rewrite).expect_err("a problem");
        assert_eq!(found, [(code, at.to_owned())], "{rewrite}");
    }
}
