//! What one head costs: finding its end, reading it, writing it for the other side.

#![expect(
    clippy::expect_used,
    reason = "a bench of an invalid head would measure nothing"
)]

use divan::Bencher;
use divan::black_box;
use meshcore::protocol::edits::AnswerEdits;
use meshcore::protocol::head::Version;
use meshcore::protocol::http1::FieldStorage;
use meshcore::protocol::http1::HeadLimits;
use meshcore::protocol::http1::HeadScanner;
use meshcore::protocol::http1::RequestEdits;
use meshcore::protocol::http1::RequestMethod;
use meshcore::protocol::http1::ResponseEdits;
use meshcore::protocol::http1::parse_request;
use meshcore::protocol::http1::parse_response;
use meshcore::protocol::http1::write_request;
use meshcore::protocol::http1::write_response;
use meshcore::protocol::path::normalize;
use meshcore::wire::listener::PathNormalization;
use meshcore::wire::listener::Underscores;

const REQUEST: &[u8] = b"GET /api/v1/items/42?verbose=1 HTTP/1.1\r\n\
    Host: shop.example.com:8080\r\n\
    User-Agent: curl/8.9.1\r\n\
    Accept: application/json, text/plain;q=0.9, */*;q=0.8\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Accept-Language: en-GB,en;q=0.5\r\n\
    Cookie: session=4f1d6a0c9be24c5f; theme=dark\r\n\
    Authorization: Bearer c2VjcmV0LXRva2VuLWZvci1hLWJlbmNo\r\n\
    Connection: keep-alive\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: nginx/1.22.1\r\n\
    Date: Thu, 01 Oct 2026 10:00:00 GMT\r\n\
    Content-Type: application/json\r\n\
    Content-Length: 1024\r\n\
    ETag: \"66fbc8a1-400\"\r\n\
    Cache-Control: max-age=60\r\n\
    Connection: keep-alive\r\n\r\n";

const LIMITS: HeadLimits = HeadLimits {
    bytes: 32 * 1024,
    count: 100,
    target: 8 * 1024,
    underscores: Underscores::Reject,
};

fn main() {
    divan::main();
}

#[divan::bench]
fn scan() -> Option<usize> {
    HeadScanner::default()
        .scan(black_box(REQUEST), &LIMITS)
        .ok()?
}

#[divan::bench]
fn request() -> bool {
    let mut storage = FieldStorage::new();
    let head = parse_request(black_box(REQUEST), &mut storage, &LIMITS);
    black_box(&head).is_ok()
}

#[divan::bench]
fn response() -> bool {
    let mut storage = FieldStorage::new();
    let head = parse_response(
        black_box(RESPONSE),
        &mut storage,
        &LIMITS,
        RequestMethod::Other,
    );
    black_box(&head).is_ok()
}

#[divan::bench]
fn request_out(bencher: Bencher<'_, '_>) {
    let mut storage = FieldStorage::new();
    let head = parse_request(REQUEST, &mut storage, &LIMITS).expect("a valid request");
    let edits = RequestEdits {
        client_ip: "203.0.113.77",
        proto: "http",
        request_id: Some(b"0af7651916cd43dd8448eb211c80319c"),
        ..RequestEdits::default()
    };
    let mut out = Vec::with_capacity(4096);
    bencher.bench_local(|| {
        out.clear();
        write_request(black_box(&head), black_box(&edits), &mut out);
        out.len()
    });
}

#[divan::bench]
fn response_out(bencher: Bencher<'_, '_>) {
    let mut storage = FieldStorage::new();
    let head = parse_response(RESPONSE, &mut storage, &LIMITS, RequestMethod::Other)
        .expect("a valid response");
    let edits = ResponseEdits {
        keep_alive: true,
        downstream_version: Version::Http11,
        own: AnswerEdits::default(),
        upgrade: false,
    };
    let mut out = Vec::with_capacity(4096);
    bencher.bench_local(|| {
        out.clear();
        write_response(black_box(&head), black_box(&edits), &mut out)
    });
}

#[divan::bench(args = ["/api/v1/items/42", "/a%20b/c.html", "/a/../b"])]
fn path(path: &str) -> bool {
    normalize(black_box(path), PathNormalization::Base).is_ok()
}
