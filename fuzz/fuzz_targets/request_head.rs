//! Request heads: no bytes crash it, splits change nothing, what is forwarded reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::protocol::HeadError;
use meshcore::protocol::head::values;
use meshcore::protocol::http1::{
    FieldStorage, HeadLimits, HeadScanner, RequestEdits, RequestHead, parse_request, write_request,
};
use meshcore::wire::listener::Underscores;

const LIMITS: HeadLimits = HeadLimits {
    bytes: 8192,
    count: 100,
    target: 1024,
    underscores: Underscores::Keep,
};

/// Larger than any input, for what we wrote ourselves.
const WIDE: HeadLimits = HeadLimits {
    bytes: 1 << 20,
    count: 256,
    target: 1 << 20,
    ..LIMITS
};

/// What must not change on the way.
fn facts(head: &RequestHead<'_, '_>) -> String {
    let fields = (0..=u8::MAX).zip(head.fields).filter(|(index, field)| {
        let own = field.name.eq_ignore_ascii_case("host");
        !own && !head.dropped.contains(*index) && !head.forwarded.contains(*index)
    });
    let fields: Vec<_> = fields.map(|(_, field)| (field.name, field.value)).collect();
    format!(
        "{} {} {:?} {:?} {:?} {} {:?} {} {fields:?}",
        head.method,
        head.path,
        head.query,
        head.authority,
        head.framing,
        head.expect_continue,
        head.upgrade,
        head.te_trailers,
    )
}

fn scan_bytewise(bytes: &[u8]) -> Result<Option<usize>, HeadError> {
    let mut scanner = HeadScanner::default();
    for end in 0..bytes.len() {
        let verdict = scanner.scan(&bytes[..end], &LIMITS);
        if verdict != Ok(None) {
            return verdict;
        }
    }
    scanner.scan(bytes, &LIMITS)
}

fuzz_target!(|bytes: &[u8]| {
    let found = HeadScanner::default().scan(bytes, &LIMITS);
    match (found, scan_bytewise(bytes)) {
        // Bytes beyond the head may be there already when all come at once.
        (found, bytewise) if found == bytewise => {}
        (Err(_), Err(_)) => {}
        other => panic!("splits change the verdict: {other:?}"),
    }
    let Ok(Some(length)) = found else { return };
    let mut storage = FieldStorage::new();
    let Ok(head) = parse_request(&bytes[..length], &mut storage, &LIMITS) else {
        return;
    };
    let before = facts(&head);
    let edits = RequestEdits {
        client_ip: "192.0.2.1",
        proto: "http",
        upgrade: true,
        ..RequestEdits::default()
    };
    let mut out = Vec::new();
    write_request(&head, &edits, &mut out);
    assert_eq!(
        HeadScanner::default().scan(&out, &WIDE),
        Ok(Some(out.len()))
    );
    let mut storage = FieldStorage::new();
    let again = parse_request(&out, &mut storage, &WIDE).expect("what was written is valid");
    assert_eq!(facts(&again), before);
    for name in ["host", "x-forwarded-for", "x-forwarded-proto"] {
        assert_eq!(values(again.fields, name).count(), 1, "{name}");
    }
});
