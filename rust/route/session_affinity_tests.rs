//! What a client carries, and what it is given.

use super::*;
use crate::protocol::head::{Field, FieldSet};
use crate::wire::Kind;

fn compile(json: &str) -> Result<Arc<SessionAffinity>, Vec<String>> {
    let route = route::Route {
        session_affinity: serde_json::from_str(json).expect("an affinity"),
        ..route::Route::default()
    };
    let mut problems = Problems::new(Kind::RouteTable, "web");
    let compiled = SessionAffinity::compile(&route, "routes[0]", &mut problems);
    let found = problems.into_vec().into_iter();
    compiled.ok_or_else(|| {
        found
            .map(|problem| format!("{} {}", problem.code, problem.path))
            .collect()
    })
}

fn named(json: &str, name: &str, value: &str) -> Option<String> {
    let fields = [Field {
        name,
        value: value.as_bytes(),
    }];
    compile(json).expect("sound").named(&RequestView {
        host: "a",
        path: "/",
        query: None,
        method: "A",
        scheme: "http",
        authority: "a",
        fields: &fields,
        hidden: FieldSet::EMPTY,
        identity: None,
    })
}

const COOKIE: &str = r#"{"cookie": {"name": "s"}}"#;
const HEADER: &str = r#"{"header": "X-Session"}"#;

#[test]
fn an_address_is_read_from_what_carries_it() {
    // base64 of 10.0.0.1:80
    let carried = "MTAuMC4wLjE6ODA=";
    let found = Some("10.0.0.1:80".to_owned());
    assert_eq!(
        named(COOKIE, "Cookie", &format!("a=1; s={carried}; b=2")),
        found
    );
    assert_eq!(named(HEADER, "x-session", carried), found);
}

#[test]
fn what_names_nothing_is_no_name() {
    for value in ["", "s=", "s=%%", "s=/w==", "t=MTAuMC4wLjE6ODA="] {
        assert_eq!(named(COOKIE, "cookie", value), None, "{value}");
    }
    let long = STANDARD.encode([b'a'; NAME_MAX]);
    assert_eq!(named(HEADER, "x-session", &long), None);
    assert_eq!(named(HEADER, "x-sessions", "MTAuMC4wLjE6ODA="), None);
}

#[test]
fn a_session_has_one_carrier() {
    let refused = |json: &str| compile(json).expect_err("unsound");
    let ambiguous = ["session_ambiguous routes[0].session_affinity"];
    assert_eq!(refused("{}"), ambiguous);
    let both = r#"{"header": "a", "cookie": {"name": "s"}}"#;
    assert_eq!(refused(both), ambiguous);
    let header = ["header_invalid routes[0].session_affinity.header"];
    assert_eq!(refused(r#"{"header": "a b"}"#), header);
    let cookie = ["cookie_invalid routes[0].session_affinity.cookie.name"];
    assert_eq!(refused(r#"{"cookie": {"name": "a;"}}"#), cookie);
}
