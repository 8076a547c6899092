//! FR-12 to FR-22: lines, names, values, targets and what they mean.

use super::LIMITS;
use super::ask_request;
use super::get;
use super::refused;
use super::target;
use crate::error::ErrorKind;
use crate::protocol::error::HeadError;
use crate::protocol::head::Version;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::RequestHead;
use crate::wire::listener::Underscores;

fn ask<R>(bytes: &[u8], question: impl FnOnce(&RequestHead<'_, '_>) -> R) -> R {
    ask_request(bytes, &LIMITS, question).expect("a valid request")
}

/// Names of the fields that are dropped for every upstream.
fn dropped(bytes: &[u8], limits: &HeadLimits) -> Vec<String> {
    ask_request(bytes, limits, |head| {
        let fields = (0..=u8::MAX).zip(head.fields);
        let dropped = fields.filter(|(index, _)| head.dropped.contains(*index));
        dropped.map(|(_, field)| field.name.to_owned()).collect()
    })
    .expect("a valid request")
}

/// What each head is refused for.
fn all_refused(cases: &[(&str, &str, HeadError)]) {
    for (id, head, wanted) in cases {
        assert_eq!(refused(head.as_bytes()), Some(*wanted), "{id} {head:?}");
    }
}

#[test]
fn broken_lines_are_refused() {
    use HeadError::{BareLf, FieldName, FieldValue, StartLine};
    all_refused(&[
        (
            "FR-12",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\rC: d\r\n\r\n",
            FieldValue,
        ),
        (
            "FR-12",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\r\n\r\n",
            FieldValue,
        ),
        (
            "FR-12",
            "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n",
            StartLine,
        ),
        ("FR-12", "GET /\rHTTP/1.1\r\nHost: a\r\n\r\n", StartLine),
        ("FR-12", "GET / HTTP/1.1\nHost: a\r\n\r\n", BareLf),
        ("FR-12", "GET / HTTP/1.1\r \nHost: a\r\n\r\n", BareLf),
        ("FR-13", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", FieldName),
        (
            "FR-13",
            "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
            FieldName,
        ),
        ("FR-13", "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n", FieldName),
        (
            "FR-13",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n",
            FieldName,
        ),
        ("FR-14", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", FieldName),
        (
            "FR-14",
            "GET / HTTP/1.1\r\nHost: a\r\nA\t: b\r\n\r\n",
            FieldName,
        ),
        (
            "FR-14",
            "GET / HTTP/1.1\r\nHost: a\r\nAbc\r\n\r\n",
            FieldName,
        ),
        (
            "FR-14",
            "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            FieldName,
        ),
    ]);
}

#[test]
fn request_lines_have_one_form() {
    use HeadError::{StartLine, Version};
    all_refused(&[
        ("RFC 9112 3", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", Version),
        ("RFC 9112 3", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", Version),
        ("RFC 9112 3", "GET / http/1.1\r\nHost: a\r\n\r\n", Version),
        ("RFC 9112 3", "GET /\r\nHost: a\r\n\r\n", StartLine),
        (
            "RFC 9112 3",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            StartLine,
        ),
        ("RFC 9112 3", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", Version),
        (
            "RFC 9112 3",
            "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
            StartLine,
        ),
        (
            "RFC 9112 3",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            Version,
        ),
        (
            "RFC 9112 3",
            "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n",
            StartLine,
        ),
        (
            "RFC 9112 3",
            " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            StartLine,
        ),
    ]);
}

#[test]
fn every_byte_in_a_name_or_value_is_judged_at_every_place() {
    for byte in 0..=u8::MAX {
        for padding in [0, 3, 40] {
            let pad = "x".repeat(padding);
            let name = [pad.as_bytes(), &[byte], pad.as_bytes()].concat();
            let line = |name: &[u8], value: &[u8]| {
                [
                    b"GET / HTTP/1.1\r\nHost: a\r\nN",
                    name,
                    b": ",
                    value,
                    b"\r\n\r\n",
                ]
                .concat()
            };
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^`|~".contains(&byte);
            // A colon ends the name, and what follows is value.
            let valid = token || byte == b':';
            let verdict = refused(&line(&name, b"v"));
            assert_eq!(
                verdict.is_none(),
                valid,
                "FR-15 {byte:#04x} after {padding}: {verdict:?}"
            );
            let text = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            let verdict = refused(&line(b"", &name));
            assert_eq!(
                verdict.is_none(),
                text,
                "FR-16 {byte:#04x} after {padding}: {verdict:?}"
            );
        }
    }
}

#[test]
fn underscores_are_refused_dropped_or_kept_but_never_as_an_alias() {
    let head = get("Plain_Name: 1\r\nTransfer_Encoding: chunked\r\nX_Forwarded_Proto: https\r\n");
    let limits = |underscores| HeadLimits {
        underscores,
        ..LIMITS
    };
    assert_eq!(refused(&head), Some(HeadError::Underscore), "FR-15");
    let all = ["Plain_Name", "Transfer_Encoding", "X_Forwarded_Proto"];
    assert_eq!(dropped(&head, &limits(Underscores::Drop)), all, "FR-15");
    assert_eq!(
        dropped(&head, &limits(Underscores::Keep)),
        all[1..],
        "FR-15, HT-1"
    );
    assert_eq!(refused(&get("Cookie: a_b=1\r\n")), None);
}

#[test]
fn expectations_other_than_continue_get_417() {
    for value in ["y 100-continue", "100-continue, y", "200-ok", ""] {
        let error = refused(&get(&format!("Expect: {value}\r\n"))).expect("a refusal");
        assert_eq!(
            error.kind(),
            ErrorKind::ExpectationFailed,
            "FR-19 {value:?}"
        );
    }
    let waits = get("Expect: 100-Continue\r\nContent-Length: 1\r\n");
    assert!(
        ask(&waits, |head| head.expect_continue
            && head.dropped.contains(2)),
        "FR-19"
    );
    let old = b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    assert!(!ask(old, |head| head.expect_continue), "FR-19");
    assert_eq!(dropped(old, &LIMITS), ["Expect", "Content-Length"], "FR-19");
}

#[test]
fn upgrades_are_taken_only_where_they_are_harmless() {
    let upgrade = |head: &[u8]| ask(head, |head| head.upgrade.map(<[u8]>::to_vec));
    let wanted = get("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n");
    assert_eq!(upgrade(&wanted).as_deref(), Some(&b"websocket"[..]));
    for (id, lines) in [
        ("FR-20", "Upgrade: websocket\r\n"),
        ("FR-20", "Connection: Upgrade\r\n"),
        (
            "FR-20",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n",
        ),
        (
            "FR-20",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
        ),
        (
            "FR-20",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: H2C\r\nHTTP2-Settings: x\r\n",
        ),
        (
            "FR-20",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: other\r\n",
        ),
    ] {
        assert_eq!(upgrade(&get(lines)), None, "{id} {lines:?}");
    }
}

#[test]
fn connection_drops_what_it_names_but_not_what_we_own() {
    let head = get(
        "X-Hop: 1\r\nX-Forwarded-User: u\r\nAuthorization: b\r\nConnection: x-hop, X-Forwarded-User\r\n\
         Connection: authorization, host, X-Meshcore-Peer, x-request-id, close, X-Later\r\n\
         X-Later: 2\r\nX-Request-Id: 3\r\nKeep-Alive: 5\r\nProxy-Connection: close\r\nTE: gzip\r\n",
    );
    let wanted = [
        "X-Hop",
        "Connection",
        "Connection",
        "X-Later",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
    ];
    assert_eq!(dropped(&head, &LIMITS), wanted, "FR-21");
    assert!(!ask(&head, |head| head.keep_alive || head.te_trailers));
    let many = get(&format!("Connection: {}\r\n", "a,".repeat(33)));
    assert_eq!(refused(&many), Some(HeadError::TooManyOptions), "FR-21");
}

#[test]
fn bounds_have_their_statuses() {
    let long = refused(&target("GET", &format!("/{}", "a".repeat(1024))));
    assert_eq!(long.map(HeadError::kind), Some(ErrorKind::TargetTooLong));
    let fields = refused(&get(&"A: b\r\n".repeat(100)));
    assert_eq!(fields.map(HeadError::kind), Some(ErrorKind::HeadTooLarge));
    assert_eq!(refused(&get(&"A: b\r\n".repeat(99))), None);
    let wide = HeadLimits {
        bytes: 1 << 20,
        count: 10_000,
        ..LIMITS
    };
    let most = ask_request(&get(&"A: b\r\n".repeat(255)), &wide, |head| {
        head.fields.len()
    });
    assert_eq!(most, Ok(256));
    let more = ask_request(&get(&"A: b\r\n".repeat(256)), &wide, |_| ());
    assert_eq!(more, Err(HeadError::TooManyFields));
    let method = refused(&target(&"M".repeat(33), "/"));
    assert_eq!(method.map(HeadError::kind), Some(ErrorKind::NotImplemented));
}

#[test]
fn the_last_field_of_256_is_dropped_like_the_first() {
    let wide = HeadLimits {
        bytes: 1 << 20,
        count: 256,
        ..LIMITS
    };
    let head = get(&format!("{}Keep-Alive: 5\r\n", "A: b\r\n".repeat(254)));
    assert_eq!(dropped(&head, &wide), ["Keep-Alive"]);
}

#[test]
fn keep_alive_follows_the_version() {
    for (version, option, wanted) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: keep-alive, close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        (
            "1.0",
            "Connection: keep-alive\r\nConnection: close\r\n",
            false,
        ),
    ] {
        let head = format!("GET / HTTP/{version}\r\nHost: a\r\n{option}\r\n");
        assert_eq!(
            ask(head.as_bytes(), |head| head.keep_alive),
            wanted,
            "{head:?}"
        );
    }
    assert_eq!(ask(&get(""), |head| head.version), Version::Http11);
}
