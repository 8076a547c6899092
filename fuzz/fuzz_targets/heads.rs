//! Request heads: no bytes crash the parser, and what it takes leaves with one strict reading.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::protocol::http1::{
    FieldStorage, HeadLimits, HeadScanner, RequestEdits, parse_request, write_request,
};
use meshcore::wire::listener::Underscores;

const LIMITS: HeadLimits =
    HeadLimits { bytes: 32 * 1024, count: 100, target: 8 * 1024, underscores: Underscores::Reject };

fuzz_target!(|bytes: &[u8]| {
    let Ok(Some(length)) = HeadScanner::default().scan(bytes, &LIMITS) else {
        return;
    };
    // A second look at a longer buffer finds the same end.
    let mut stepwise = HeadScanner::default();
    let half = length / 2;
    assert_eq!(stepwise.scan(&bytes[..half], &LIMITS), Ok(None));
    assert_eq!(stepwise.scan(bytes, &LIMITS), Ok(Some(length)));

    let mut storage = FieldStorage::new();
    let Ok(head) = parse_request(&bytes[..length], &mut storage, &LIMITS) else {
        return;
    };
    let edits = RequestEdits { client_ip: "192.0.2.1", proto: "http", ..RequestEdits::default() };
    let mut out = Vec::new();
    write_request(&head, &edits, &mut out);
    // Ours may have grown beyond the limits by what we added; nothing else may be wrong with it.
    let wide = HeadLimits { bytes: 64 * 1024, count: 200, target: 16 * 1024, ..LIMITS };
    assert_eq!(HeadScanner::default().scan(&out, &wide), Ok(Some(out.len())));
    let mut again = FieldStorage::new();
    let read = parse_request(&out, &mut again, &wide).expect("what we wrote is strict");
    assert_eq!((read.method, read.framing), (head.method, head.framing));
    assert_eq!(read.authority.text, head.authority.text);
});
