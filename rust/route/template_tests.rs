//! Values with operators.

use super::super::RequestView;
use super::super::tests::GET;
use super::{Operator, Template};
use crate::protocol::head::Field;
use crate::route::{Fact, TimeFormat, tell_of_request};

const FIELDS: [Field<'_>; 3] = [
    Field {
        name: "X-A",
        value: b"one",
    },
    Field {
        name: "x-a",
        value: b"two",
    },
    Field {
        name: "x-b",
        value: b"12345",
    },
];

const VIEW: RequestView<'_> = RequestView {
    fields: &FIELDS,
    path: "/p",
    query: Some("q=1&r=%41"),
    ..GET
};

/// Facts are told by their names.
fn tell(operator: &Operator, out: &mut Vec<u8>) {
    if !tell_of_request(operator, &VIEW, out)
        && let Operator::Fact(fact) = operator
    {
        out.extend_from_slice(format!("<{fact:?}>").as_bytes());
    }
}

fn render(text: &str) -> Option<String> {
    let template = Template::parse(text, true).expect("a valid value");
    let rendered = template.render(&mut tell)?;
    Some(String::from_utf8(rendered).expect("text"))
}

#[test]
fn operators_stand_for_what_is_told() {
    for (text, expected) in [
        ("", Some("")),
        ("plain 100%%", Some("plain 100%")),
        ("%REQ(x-a)%", Some("one")),
        ("a%REQ(X-None?X-B)%z", Some("a12345z")),
        ("%REQ(x-b):3%", Some("123")),
        ("%REQ(x-none)%", None),
        ("%REQ(x-none)%%REQ(x-nobody)%", None),
        ("t=%REQ(x-none)%", Some("t=")),
        (
            "%REQ(:path)% %REQ(:method)% %REQ(:authority)%",
            Some("/p?q=1&r=%41 GET example.com:8080"),
        ),
        ("%QUERY_PARAM(r)%", Some("%41")),
        ("%PROTOCOL%-%HOSTNAME%", Some("<Protocol>-<Hostname>")),
        ("%%REQ(x-a)%%", Some("%REQ(x-a)%")),
    ] {
        assert_eq!(render(text).as_deref(), expected, "{text}");
    }
}

#[test]
fn what_is_no_operator_is_refused_with_a_hint() {
    for text in [
        "100%",
        "%REQ(x-a)",
        "%REQ%",
        "%REQ()%",
        "%REQ(a b)%",
        "%REQ(a?b?c)%",
        "%REQ(a):x%",
        "%REQ(a):0%",
        "%NOBODY%",
        "%PROTOCOL(x)%",
        "%START_TIME(%Y)%",
        "a\r\nb",
        "a\0",
    ] {
        let refused = Template::parse(text, false).expect_err(text);
        assert!(!refused.hint.is_empty(), "{text}");
    }
    let many = "%PROTOCOL%".repeat(17);
    assert!(Template::parse(&many, false).is_err());
    assert!(Template::parse("%RESP(x)%", false).is_err());
    assert!(Template::parse("%RESPONSE_CODE%", false).is_err());
    assert!(Template::parse("%RESP(x)%", true).is_ok());
}

#[test]
fn times_have_three_more_forms() {
    for (text, format) in [
        ("%START_TIME%", TimeFormat::Iso),
        ("%START_TIME(%s)%", TimeFormat::Seconds),
        ("%START_TIME(%s%3f)%", TimeFormat::Milliseconds),
        ("%START_TIME(%s.%3f)%", TimeFormat::SecondsAndMilliseconds),
    ] {
        let mut seen = Vec::new();
        let template = Template::parse(text, false).expect("a valid value");
        template.render(&mut |operator, _| seen.push(operator.clone()));
        assert_eq!(seen, [Operator::StartTime(format)], "{text}");
    }
}

#[test]
fn a_settled_value_waits_for_the_response_alone() {
    let template = Template::parse("%REQ(x-a)%/%RESPONSE_CODE%%UPSTREAM_CLUSTER%", true)
        .expect("a valid value");
    let settled = template.settled(&mut tell);
    let mut asked = Vec::new();
    let rendered = settled.render(&mut |operator, out| {
        asked.push(operator.clone());
        out.extend_from_slice(b"200");
    });
    assert_eq!(rendered.as_deref(), Some(&b"one/200200"[..]));
    let facts = [Fact::Status, Fact::Cluster].map(Operator::Fact);
    assert_eq!(asked, facts);
}
