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

#[test]
fn what_is_left_out_stays_and_a_schemes_own_port_goes() {
    let at = |authority, scheme| RequestView {
        authority,
        scheme,
        path: "/foo/bar",
        query: Some("q=1"),
        ..GET
    };
    let plain = at("a.example", "http");
    let odd = at("a.example:8080", "http");
    let secure = at("[::1]:443", "https");
    for (redirect, view, expected) in [
        (
            json!({"scheme": "https"}),
            &plain,
            "https://a.example/foo/bar?q=1",
        ),
        (
            json!({"scheme": "https"}),
            &odd,
            "https://a.example:8080/foo/bar?q=1",
        ),
        (
            json!({"scheme": "https", "port": 443}),
            &odd,
            "https://a.example/foo/bar?q=1",
        ),
        (
            json!({"scheme": "https", "port": 8443}),
            &odd,
            "https://a.example:8443/foo/bar?q=1",
        ),
        (json!({"port": 80}), &odd, "http://a.example/foo/bar?q=1"),
        (json!({"port": 80}), &secure, "https://[::1]:80/foo/bar?q=1"),
        (json!({"path": "/x"}), &secure, "https://[::1]/x?q=1"),
        (
            json!({"scheme": "http"}),
            &secure,
            "http://[::1]:443/foo/bar?q=1",
        ),
        (
            json!({"host": "b.example"}),
            &odd,
            "http://b.example/foo/bar?q=1",
        ),
        (
            json!({"host": "b.example:80"}),
            &odd,
            "http://b.example/foo/bar?q=1",
        ),
        (
            json!({"host": "b.example:81"}),
            &odd,
            "http://b.example:81/foo/bar?q=1",
        ),
        (
            json!({"host": "b.example", "port": 82}),
            &odd,
            "http://b.example:82/foo/bar?q=1",
        ),
        (json!({"path": "/x?r=2"}), &plain, "http://a.example/x?r=2"),
        (json!({"prefix": "/"}), &plain, "http://a.example//bar?q=1"),
        (json!({"path": "/x"}), &at("", "http"), "/x?q=1"),
    ] {
        assert_eq!(
            location(&redirect, view),
            expected,
            "{redirect} of {view:?}"
        );
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
