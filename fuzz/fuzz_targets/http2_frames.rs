//! The guard of HTTP/2: no bytes crash it, splits change nothing, an excess is said once.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::protocol::http2::guard::{Excess, Guard, Role};

/// The verdict on all the parts, and where the counts stand.
fn walk<'a>(role: Role, parts: impl Iterator<Item = &'a [u8]>) -> (Option<Excess>, Guard) {
    let mut guard = Guard::new(role);
    let mut verdict = None;
    for part in parts {
        if let Err(excess) = guard.received(part) {
            assert_eq!(verdict.replace(excess), None, "said twice");
        }
    }
    (verdict, guard)
}

fuzz_target!(|input: &[u8]| {
    // The first bytes say how the rest is split, and how often it comes: floods take many frames.
    let Some((&[times, first, second, third], bytes)) = input.split_first_chunk() else {
        return;
    };
    let bytes = bytes.repeat(usize::from(times).min(32_768 / bytes.len().max(1)));
    for role in [Role::Server, Role::Client] {
        let whole = walk(role, std::iter::once(&bytes[..]));
        assert_eq!(walk(role, bytes.chunks(1)), whole, "byte by byte");
        let mut rest = &bytes[..];
        let mut sizes = [first, second, third].into_iter().cycle();
        let parts = std::iter::from_fn(|| {
            let size = usize::from(sizes.next()?).max(1);
            let (part, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            (!part.is_empty()).then_some(part)
        });
        assert_eq!(walk(role, parts), whole, "by {first}, {second}, {third}");
    }
});
