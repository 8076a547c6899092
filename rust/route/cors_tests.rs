//! What browsers are told.

use serde_json::{Value, json};

use super::super::headers::{Change, HeaderEdits};
use super::super::tests::GET;
use super::super::{Action, RequestView};
use super::CorsVerdict;
use crate::protocol::head::Field;
use crate::route::tests::compile_routes;

/// `name: value` of what a request gets, after a word for what it is.
fn judge(cors: &Value, method: &str, fields: &[(&str, &str)]) -> Vec<String> {
    let (table, problems) =
        compile_routes(&json!([{"name": "r", "to": [{"cluster": "c0"}], "cors": cors}]));
    assert_eq!(problems, []);
    let route = &table.routes()[0];
    assert!(matches!(route.action, Action::Forward(_)));
    let changes = route.changes.as_ref().expect("changes");
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| Field {
            name,
            value: value.as_bytes(),
        })
        .collect();
    let view = RequestView {
        method,
        fields: &fields,
        ..GET
    };
    match changes.cors.as_ref().expect("cors").judge(&view) {
        CorsVerdict::None => vec!["none".to_owned()],
        CorsVerdict::Preflight(edits) => shown("preflight", edits),
        CorsVerdict::Allowed(edits) => shown("allowed", edits),
    }
}

fn shown(verdict: &str, edits: HeaderEdits) -> Vec<String> {
    let field = |(name, change)| match change {
        Change::Set(value) | Change::Add(value) => {
            let value = value.render(&mut |_, _| {}).expect("text");
            format!("{name}: {}", String::from_utf8_lossy(&value))
        }
        Change::Remove => panic!("{name} is removed"),
    };
    let edits = edits
        .into_iter()
        .map(|edit| field((edit.name, edit.change)));
    std::iter::once(verdict.to_owned()).chain(edits).collect()
}

const PAGE: (&str, &str) = ("Origin", "https://a.example");
const ASKED: (&str, &str) = ("Access-Control-Request-Method", "PUT");

#[test]
fn an_allowed_origin_is_told_so() {
    let cors = json!({"allow_origins": [{"suffix": ".example"}], "allow_methods": ["GET", "PUT"],
        "allow_headers": ["x-a"], "expose_headers": ["x-b", "x-c"], "max_age_ms": 90_000});
    let origin = "access-control-allow-origin: https://a.example";
    let simple = [
        "allowed",
        origin,
        "vary: Origin",
        "access-control-expose-headers: x-b, x-c",
    ];
    assert_eq!(judge(&cors, "GET", &[PAGE]), simple);
    assert_eq!(
        judge(&cors, "OPTIONS", &[PAGE]),
        simple,
        "a request as others"
    );
    assert_eq!(
        judge(&cors, "GET", &[PAGE, ASKED]),
        simple,
        "only OPTIONS asks"
    );
    let preflight = [
        "preflight",
        origin,
        "vary: Origin",
        "access-control-allow-methods: GET, PUT",
        "access-control-allow-headers: x-a",
        "access-control-max-age: 90",
    ];
    assert_eq!(judge(&cors, "OPTIONS", &[PAGE, ASKED]), preflight);
}

#[test]
fn other_origins_are_told_nothing() {
    let wanted = |unmatched| {
        json!({"allow_origins": [{"exact": "https://b.example"}],
        "unmatched_preflights": unmatched})
    };
    for cors in [wanted("forward"), wanted("ignore"), json!({})] {
        assert_eq!(judge(&cors, "GET", &[PAGE]), ["none"]);
        assert_eq!(judge(&cors, "GET", &[]), ["none"]);
        assert_eq!(judge(&cors, "OPTIONS", &[("origin", ""), ASKED]), ["none"]);
    }
    assert_eq!(
        judge(&wanted("forward"), "OPTIONS", &[PAGE, ASKED]),
        ["none"]
    );
    assert_eq!(
        judge(&wanted("ignore"), "OPTIONS", &[PAGE, ASKED]),
        ["preflight"]
    );
}

#[test]
fn with_credentials_a_star_becomes_what_was_asked_for() {
    let cors = json!({"allow_origins": [{"exact": "*"}], "allow_methods": ["*"],
        "allow_headers": ["*"], "allow_credentials": true});
    let headers = ("Access-Control-Request-Headers", "x-a,x-b");
    let expected = [
        "preflight",
        "access-control-allow-origin: https://a.example",
        "access-control-allow-credentials: true",
        "vary: Origin",
        "access-control-allow-methods: PUT",
        "access-control-allow-headers: x-a,x-b",
    ];
    assert_eq!(judge(&cors, "OPTIONS", &[PAGE, ASKED, headers]), expected);
}
