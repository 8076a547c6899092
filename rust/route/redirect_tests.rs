//! Where clients are sent.

use serde_json::{Value, json};

use super::super::RequestView;
use super::super::tests::GET;
use super::Redirect;
use crate::wire::{Kind, Problems};

fn compile(path: &Value, redirect: &Value) -> Result<Redirect, Vec<&'static str>> {
    let path = serde_json::from_value::<Option<_>>(path.clone()).expect("a path match");
    let redirect = serde_json::from_value(redirect.clone()).expect("a redirect");
    let mut problems = Problems::new(Kind::RouteTable, "t");
    let compiled = Redirect::compile(&redirect, path.as_ref(), "r", &mut problems);
    let found = problems.into_vec().into_iter();
    compiled.ok_or_else(|| found.map(|it| it.code).collect())
}

fn location(redirect: &Value, view: &RequestView<'_>) -> String {
    let redirect = compile(&json!({"string_prefix": "/foo"}), redirect).expect("a valid redirect");
    redirect.location(view).expect("a short path")
}

fn at<'a>(authority: &'a str, scheme: &'a str) -> RequestView<'a> {
    RequestView {
        authority,
        scheme,
        path: "/foo/bar",
        query: Some("q=1"),
        ..GET
    }
}

#[test]
fn what_is_left_out_stays() {
    let view = at("a.example:8080", "http");
    for (redirect, expected) in [
        (
            json!({"scheme": "https"}),
            "https://a.example:8080/foo/bar?q=1",
        ),
        (json!({"host": "b.example"}), "http://b.example/foo/bar?q=1"),
        (json!({"port": 81}), "http://a.example:81/foo/bar?q=1"),
        (json!({"path": "/x"}), "http://a.example:8080/x?q=1"),
        (json!({"path": "/x?r=2"}), "http://a.example:8080/x?r=2"),
        (json!({"prefix": "/"}), "http://a.example:8080//bar?q=1"),
    ] {
        assert_eq!(location(&redirect, &view), expected, "{redirect}");
    }
    let nowhere = at("", "http");
    assert_eq!(location(&json!({"path": "/x"}), &nowhere), "/x?q=1");
}

#[test]
fn a_schemes_own_port_is_not_written() {
    let (plain, secure) = (at("a:8080", "http"), at("[::1]:443", "https"));
    for (redirect, view, expected) in [
        (
            json!({"scheme": "https", "port": 443}),
            &plain,
            "https://a/",
        ),
        (
            json!({"scheme": "https", "port": 80}),
            &plain,
            "https://a:80/",
        ),
        (json!({"port": 80}), &plain, "http://a/"),
        (json!({"port": 80}), &secure, "https://[::1]:80/"),
        (json!({"port": 443}), &secure, "https://[::1]/"),
        (json!({"scheme": "http"}), &secure, "http://[::1]:443/"),
        (json!({"host": "b:80"}), &plain, "http://b/"),
        (json!({"host": "b:81"}), &plain, "http://b:81/"),
        (json!({"host": "b:81", "port": 82}), &plain, "http://b:82/"),
    ] {
        let found = location(&redirect, view);
        assert_eq!(found, format!("{expected}foo/bar?q=1"), "{redirect}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let exact = json!({"exact": "/foo"});
    for (redirect, code) in [
        (json!({}), "redirect_empty"),
        (json!({"code": 301}), "redirect_empty"),
        (json!({"scheme": "ftp"}), "scheme_invalid"),
        (
            json!({"scheme": "https", "code": 300}),
            "redirect_code_invalid",
        ),
        (json!({"host": "a b"}), "host_invalid"),
        (json!({"path": "x"}), "path_invalid"),
        (json!({"path": "/x", "prefix": "/y"}), "rewrite_ambiguous"),
        (json!({"prefix": "/y"}), "rewrite_without_prefix"),
    ] {
        let found = compile(&exact, &redirect).expect_err("a problem");
        assert_eq!(found, [code], "{redirect}");
    }
    for code in [301, 302, 303, 307, 308] {
        let redirect = compile(&exact, &json!({"scheme": "https", "code": code}));
        assert_eq!(redirect.map(|it| it.status), Ok(code));
    }
}
