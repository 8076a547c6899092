//! What leaves: exact bytes, and the property that it is strictly valid when read again.

use std::borrow::Cow;

use super::LIMITS;
use super::ask_request;
use super::ask_response;
use super::get;
use crate::protocol::edits::AnswerEdits;
use crate::protocol::head::Version;
use crate::protocol::head::values;
use crate::protocol::http1::HeadLimits;
use crate::protocol::http1::LocalReply;
use crate::protocol::http1::RequestEdits;
use crate::protocol::http1::RequestMethod;
use crate::protocol::http1::ResponseEdits;
use crate::protocol::http1::write_local_reply;
use crate::protocol::http1::write_request;
use crate::protocol::http1::write_response;

const EDITS: RequestEdits<'_> = RequestEdits {
    method: None,
    framing: None,
    path: None,
    authority: None,
    client_ip: "192.0.2.7",
    proto: "http",
    keep_forwarded: false,
    request_id: None,
    via: None,
    upgrade: true,
    websocket_key: None,
    grpc_timeout: None,
    fields: None,
};

fn forward(bytes: &[u8], edits: &RequestEdits<'_>) -> String {
    let mut out = Vec::new();
    ask_request(bytes, &LIMITS, |head| write_request(head, edits, &mut out))
        .expect("a valid request");
    String::from_utf8(out).expect("ASCII")
}

fn answer(bytes: &[u8], edits: &ResponseEdits<'_>) -> (String, bool) {
    let mut out = Vec::new();
    let stays = ask_response(bytes, RequestMethod::Other, |head| {
        write_response(head, edits, &mut out)
    });
    (
        String::from_utf8(out).expect("ASCII"),
        stays.expect("a valid response"),
    )
}

#[test]
fn fields_pass_untouched_and_ours_are_added() {
    let head = get("aCCept:  */*\r\nConnection: close\r\nContent-Length: 007\r\n");
    let wanted = "GET / HTTP/1.1\r\nHost: a.example\r\naCCept: */*\r\nx-forwarded-for: 192.0.2.7\r\n\
        x-forwarded-proto: http\r\nx-request-id: 9\r\nvia: 1.1 mesh\r\ncontent-length: 7\r\n\r\n";
    let edits = RequestEdits {
        request_id: Some(b"9"),
        via: Some("mesh"),
        ..EDITS
    };
    assert_eq!(forward(&head, &edits), wanted);
}

#[test]
fn a_stranger_cannot_speak_as_a_proxy() {
    let head = get(
        "X-Forwarded-For: 1\r\nx-forwarded-PROTO: https\r\nX-Forwarded-Prefix: /a\r\nForwarded: for=1\r\n\
         X-Envoy-Original-Path: /b\r\nX-Forwarded-Client-Cert: By=c\r\nl5d-client-id: d\r\n\
         X-Meshcore-Peer: e\r\nX-Request-Id: f\r\n",
    );
    let wanted = "GET / HTTP/1.1\r\nHost: a.example\r\nx-forwarded-for: 192.0.2.7\r\n\
        x-forwarded-proto: http\r\nx-request-id: 9\r\n\r\n";
    let edits = RequestEdits {
        request_id: Some(b"9"),
        ..EDITS
    };
    assert_eq!(forward(&head, &edits), wanted, "HT-1");
}

#[test]
fn a_trusted_proxy_is_believed_and_added_to() {
    let head = get(
        "X-Forwarded-For: 1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 2\r\nX-Request-Id: f\r\n",
    );
    let wanted = "GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 1\r\nX-Forwarded-Proto: https\r\n\
        X-Request-Id: f\r\nx-forwarded-for: 2, 192.0.2.7\r\n\r\n";
    let edits = RequestEdits {
        keep_forwarded: true,
        ..EDITS
    };
    assert_eq!(forward(&head, &edits), wanted);
    let unknown = RequestEdits {
        client_ip: "",
        ..edits
    };
    assert_eq!(
        forward(&head, &unknown)
            .matches("X-Forwarded-For: 2\r\n")
            .count(),
        1
    );
}

#[test]
fn an_absolute_target_rewrites_host() {
    let head = b"GET http://b.example:81?q HTTP/1.1\r\nA: b\r\nHost: a.example\r\n\r\n";
    let begins = "GET /?q HTTP/1.1\r\nhost: b.example:81\r\nA: b\r\nx-forwarded-for";
    assert!(forward(head, &EDITS).starts_with(begins), "FR-22");
    let options = b"OPTIONS http://b.example HTTP/1.1\r\nHost: a.example\r\n\r\n";
    assert!(forward(options, &EDITS).starts_with("OPTIONS * HTTP/1.1\r\nhost: b.example\r\n"));
    let connect = b"CONNECT b.example:1 HTTP/1.1\r\nHost: a.example\r\n\r\n";
    assert!(
        forward(connect, &EDITS)
            .starts_with("CONNECT b.example:1 HTTP/1.1\r\nhost: b.example:1\r\n")
    );
}

#[test]
fn path_and_host_can_be_replaced() {
    let head = b"GET /a/../b?c=/../d HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let edits = RequestEdits {
        path: Some("/b"),
        authority: Some("e.example"),
        ..EDITS
    };
    let text = forward(head, &edits);
    assert!(text.starts_with("GET /b?c=/../d HTTP/1.1\r\nhost: e.example\r\nx-forwarded-for"));
    let old = b"GET / HTTP/1.0\r\n\r\n";
    assert!(forward(old, &EDITS).starts_with("GET / HTTP/1.1\r\nhost: \r\nx-forwarded-for"));
}

#[test]
fn what_is_for_the_next_hop_is_named_in_connection() {
    let head = get("Connection: Upgrade, TE\r\nUpgrade: websocket\r\nTE: trailers, gzip\r\n");
    let ends = "connection: upgrade, te\r\nupgrade: websocket\r\nte: trailers\r\n\r\n";
    assert!(forward(&head, &EDITS).ends_with(ends));
    let refused = RequestEdits {
        upgrade: false,
        ..EDITS
    };
    assert!(forward(&head, &refused).ends_with("connection: te\r\nte: trailers\r\n\r\n"));
}

#[test]
fn keys_and_deadlines_are_replaced() {
    let head = get("Sec-WebSocket-Key: a\r\nGRPC-Timeout: 9S\r\ngrpc-timeout: 8S\r\nX: y\r\n");
    let edits = RequestEdits {
        websocket_key: Some(b"k"),
        grpc_timeout: Some(b"5S"),
        ..EDITS
    };
    let wanted = "GET / HTTP/1.1\r\nHost: a.example\r\nX: y\r\nx-forwarded-for: 192.0.2.7\r\n\
        x-forwarded-proto: http\r\ngrpc-timeout: 5S\r\nsec-websocket-key: k\r\n\r\n";
    assert_eq!(forward(&head, &edits), wanted);
}

/// Facts that must survive being forwarded.
fn facts(bytes: &[u8]) -> Option<Vec<String>> {
    ask_request(bytes, &LIMITS, |head| {
        let own = |name: &str| {
            [
                "host",
                "content-length",
                "transfer-encoding",
                "x-forwarded-for",
            ]
            .contains(&name)
        };
        let mut facts = vec![
            format!("{} {} {:?}", head.method, head.path, head.query),
            format!(
                "{:?} {:?} {:?}",
                head.authority, head.framing, head.expect_continue
            ),
            format!("{:?} {}", head.upgrade, head.te_trailers),
        ];
        let fields = (0..=u8::MAX).zip(head.fields).filter(|(index, field)| {
            !head.dropped.contains(*index)
                && !head.forwarded.contains(*index)
                && !own(&field.name.to_ascii_lowercase())
        });
        facts.extend(fields.map(|(_, field)| format!("{}: {:?}", field.name, field.value)));
        facts
    })
    .ok()
}

#[test]
fn forwarded_bytes_mean_what_came() {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/http1/request/valid");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("fixtures") {
        let path = entry.expect("a readable entry").path();
        let bytes = std::fs::read(&path).expect("a readable file");
        let mut out = Vec::new();
        ask_request(&bytes, &LIMITS, |head| {
            write_request(head, &EDITS, &mut out);
        })
        .expect("valid");
        assert_eq!(facts(&out), facts(&bytes), "{}", path.display());
        let names = ask_request(&out, &LIMITS, |head| {
            ["x-forwarded-for", "x-forwarded-proto", "host"]
                .map(|name| values(head.fields, name).count())
        });
        assert_eq!(names, Ok([1, 1, 1]), "{}", path.display());
        seen += 1;
    }
    assert!(seen > 10);
}

#[test]
fn a_response_is_framed_for_the_clients_version() {
    let chunked = b"HTTP/1.0 200 OK\r\n\r\n";
    let coded = b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nServer: s\r\nConnection: x\r\nX: 1\r\n\r\n";
    let sized = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nKeep-Alive: 1\r\n\r\n";
    let edits = |keep_alive, downstream_version| ResponseEdits {
        keep_alive,
        downstream_version,
        own: AnswerEdits::default(),
        upgrade: false,
    };
    let (new, old) = (Version::Http11, Version::Http10);
    let ok = "HTTP/1.1 200 OK\r\n";
    let cases = [
        (
            &coded[..],
            edits(true, new),
            "HTTP/1.1 200 Fine\r\nServer: s\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            true,
        ),
        (
            coded,
            edits(true, old),
            "HTTP/1.1 200 Fine\r\nServer: s\r\nconnection: close\r\n\r\n".to_owned(),
            false,
        ),
        (
            sized,
            edits(true, new),
            format!("{ok}content-length: 3\r\n\r\n"),
            true,
        ),
        (
            sized,
            edits(true, old),
            format!("{ok}content-length: 3\r\nconnection: keep-alive\r\n\r\n"),
            true,
        ),
        (
            sized,
            edits(false, new),
            format!("{ok}content-length: 3\r\nconnection: close\r\n\r\n"),
            false,
        ),
        (
            chunked,
            edits(true, new),
            format!("{ok}connection: close\r\n\r\n"),
            false,
        ),
    ];
    for (head, edits, wanted, stays) in cases {
        assert_eq!(answer(head, &edits), (wanted, stays), "{edits:?}");
    }
}

#[test]
fn interim_and_switching_responses_say_nothing_of_the_connection() {
    let edits = ResponseEdits {
        keep_alive: true,
        downstream_version: Version::Http11,
        own: AnswerEdits::default(),
        upgrade: true,
    };
    let early = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(
        answer(early, &edits).0,
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    );
    let switch = b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nA: b\r\n\r\n";
    let wanted = "HTTP/1.1 101 Go\r\nA: b\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(answer(switch, &edits).0, wanted);
}

#[test]
fn local_replies_are_whole_and_safe() {
    let reply = LocalReply {
        status: 404,
        fields: &[(Cow::Borrowed("x-a"), Cow::Borrowed(b"a\r\nSet-Cookie: b"))],
        length: 9,
        close: true,
        head_request: false,
        version: Version::Http11,
    };
    let mut out = Vec::new();
    assert!(write_local_reply(&reply, &mut out), "the body follows");
    let head = "HTTP/1.1 404 Not Found\r\nx-a: a??Set-Cookie: b\r\ncontent-length: 9\r\n\
        connection: close\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&out), head);
    out.clear();
    let headed = LocalReply {
        head_request: true,
        ..reply
    };
    assert!(!write_local_reply(&headed, &mut out));
    assert_eq!(String::from_utf8_lossy(&out), head);
    out.clear();
    let bodiless = LocalReply {
        status: 204,
        fields: &[],
        ..reply
    };
    assert!(!write_local_reply(&bodiless, &mut out));
    let head = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&out), head);
    let wide = HeadLimits::response(4096, 10);
    assert!(wide.target > 4096);
}
