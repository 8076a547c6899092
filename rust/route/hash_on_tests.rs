//! What keys are made of.

use super::*;
use crate::protocol::head::{Field, FieldSet};
use crate::wire::Kind;

const HASHERS: Hashers = Hashers {
    of: |bytes| bytes.iter().map(|byte| u64::from(*byte)).sum(),
    combine: |before, next| before * 1_000 + next,
};

fn compile(json: &str) -> Result<Box<HashOn>, Vec<String>> {
    let hash_on = serde_json::from_str(json).expect("a hash_on");
    let route = route::Route {
        hash_on,
        ..route::Route::default()
    };
    let mut problems = Problems::new(Kind::RouteTable, "web");
    let compiled = HashOn::compile(&route, "routes[0]", &mut problems);
    let found = problems.into_vec();
    compiled.ok_or_else(|| {
        found
            .into_iter()
            .map(|problem| format!("{} {}", problem.code, problem.path))
            .collect()
    })
}

fn key(json: &str, fields: &[(&str, &str)], query: Option<&str>) -> (Option<u64>, Vec<String>) {
    let hash_on = compile(json).expect("sound");
    let fields: Vec<Field<'_>> = fields
        .iter()
        .map(|(name, value)| Field {
            name,
            value: value.as_bytes(),
        })
        .collect();
    let view = RequestView {
        host: "a",
        path: "/",
        query,
        method: "A",
        scheme: "http",
        authority: "a",
        fields: &fields,
        hidden: FieldSet::EMPTY,
        identity: None,
    };
    let key = hash_on.key(&view, "!", HASHERS, &mut || 0xabc);
    let text = |edit: HeaderEdit| match edit.change {
        super::super::Change::Add(value) => {
            let value = value.render(&mut |_, _| {}).expect("a value");
            String::from_utf8(value).expect("text")
        }
        _ => String::new(),
    };
    (key.hash, key.cookies.into_iter().map(text).collect())
}

#[test]
fn parts_are_combined_in_order_and_a_terminal_one_ends() {
    let all = r#"[{"header": "X-A", "terminal": true}, {"query": "q"}, {"source_address": true}]"#;
    let one = [("x-a", "\u{1}")];
    assert_eq!(key(all, &one, Some("q=%")).0, Some(1));
    assert_eq!(key(all, &[], Some("p=1&q=%")).0, Some(37_033));
    assert_eq!(key(all, &[], None).0, Some(33));
    let several = [("x-a", "\u{1}"), ("X-A", "\u{2}")];
    assert_eq!(key(all, &several, None).0, Some(1_002));
    let scheme = r#"[{"header": ":method"}]"#;
    assert_eq!(key(scheme, &[], None).0, Some(65));
    assert_eq!(key(r#"[{"header": "x-b"}]"#, &one, None).0, None);
}

#[test]
fn cookies_are_found_and_given_where_they_have_a_time() {
    let plain = r#"[{"cookie": {"name": "c"}}]"#;
    assert_eq!(key(plain, &[], None), (None, vec![]));
    let fields = [("cookie", "cc=x; c=\u{5}; d=2")];
    assert_eq!(key(plain, &fields, None), (Some(5), vec![]));
    assert_eq!(key(plain, &[("cookie", "a; c=")], None).0, None);
    let value = "0000000000000abc";
    let hash = Some((HASHERS.of)(value.as_bytes()));
    let session = r#"[{"cookie": {"name": "c", "path": "", "ttl_ms": 0}}]"#;
    assert_eq!(key(session, &[], None), (hash, vec![format!("c={value}")]));
    assert_eq!(key(session, &fields, None), (Some(5), vec![]));
    let long = r#"[{"cookie": {"name": "c", "ttl_ms": 1500,
        "attributes": {"Secure": "", "SameSite": "Lax"}}}]"#;
    let given = format!("c={value}; Max-Age=2; Path=/; SameSite=Lax; Secure");
    assert_eq!(key(long, &[], None), (hash, vec![given]));
}

#[test]
fn what_is_no_part_of_a_key_is_refused() {
    for (json, problem) in [
        ("[{}]", "hash_on_ambiguous routes[0].hash_on[0]"),
        (
            r#"[{"header": "a", "query": "b"}]"#,
            "hash_on_ambiguous routes[0].hash_on[0]",
        ),
        (
            r#"[{"source_address": true}, {"header": "a b"}]"#,
            "header_invalid routes[0].hash_on[1].header",
        ),
        (
            r#"[{"cookie": {"name": "a;"}}]"#,
            "cookie_invalid routes[0].hash_on[0].cookie.name",
        ),
        (
            r#"[{"cookie": {"name": "a", "path": "/;x"}}]"#,
            "cookie_invalid routes[0].hash_on[0].cookie",
        ),
        (
            r#"[{"cookie": {"name": "a", "attributes": {"b": "c\r\nd"}}}]"#,
            "cookie_invalid routes[0].hash_on[0].cookie",
        ),
    ] {
        assert_eq!(compile(json).expect_err(json), [problem]);
    }
}
