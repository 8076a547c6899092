//! Response heads: no bytes crash it, and what a client gets reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::protocol::edits::AnswerEdits;
use meshcore::protocol::head::Version;
use meshcore::protocol::http1::{
    FieldStorage, HeadLimits, HeadScanner, RequestMethod, ResponseEdits, ResponseHead,
    parse_response, write_response,
};

const LIMITS: HeadLimits = HeadLimits::response(8192, 100);
const WIDE: HeadLimits = HeadLimits::response(1 << 20, 256);

/// What must not change on the way.
fn facts(head: &ResponseHead<'_, '_>) -> String {
    let fields = (0..=u8::MAX).zip(head.fields);
    let fields = fields.filter(|(index, _)| !head.dropped.contains(*index));
    let fields: Vec<_> = fields.map(|(_, field)| (field.name, field.value)).collect();
    format!(
        "{} {:?} {:?} {:?} {fields:?}",
        head.status, head.reason, head.framing, head.length
    )
}

fuzz_target!(|bytes: &[u8]| {
    for method in [
        RequestMethod::Other,
        RequestMethod::Head,
        RequestMethod::Connect,
    ] {
        let Ok(Some(length)) = HeadScanner::default().scan(bytes, &LIMITS) else {
            return;
        };
        let mut storage = FieldStorage::new();
        let Ok(head) = parse_response(&bytes[..length], &mut storage, &LIMITS, method) else {
            return;
        };
        for downstream_version in [Version::Http10, Version::Http11] {
            let edits = ResponseEdits {
                keep_alive: true,
                downstream_version,
                own: AnswerEdits::default(),
                upgrade: true,
            };
            let mut out = Vec::new();
            let stays = write_response(&head, &edits, &mut out);
            assert_eq!(
                HeadScanner::default().scan(&out, &WIDE),
                Ok(Some(out.len()))
            );
            let mut storage = FieldStorage::new();
            let again = parse_response(&out, &mut storage, &WIDE, method).expect("valid");
            assert_eq!(again.framing, head.framing_for(downstream_version));
            assert!(!stays || again.keep_alive || head.framing.is_empty());
            if downstream_version == Version::Http11 {
                assert_eq!(facts(&again), facts(&head));
            }
        }
    }
});
