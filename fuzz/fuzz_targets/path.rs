//! Paths and authorities: no text crashes them, and the normal form is its own normal form.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::protocol::authority::host_for_match;
use meshcore::protocol::detect::{Detected, detect};
use meshcore::protocol::path::normalize;
use meshcore::wire::listener::PathNormalization;

fuzz_target!(|bytes: &[u8]| {
    let half = detect(&bytes[..bytes.len() / 2]);
    assert!(half == Detected::NeedMore || half == detect(bytes));
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(host) = host_for_match(text) {
        assert_eq!(host_for_match(&host).as_ref(), Ok(&host));
    }
    for mode in [
        PathNormalization::None,
        PathNormalization::Base,
        PathNormalization::MergeSlashes,
        PathNormalization::DecodeAndMergeSlashes,
    ] {
        let Ok(normal) = normalize(text, mode) else {
            continue;
        };
        assert_eq!(normalize(&normal, mode).as_ref(), Ok(&normal));
        if mode != PathNormalization::None && normal.starts_with('/') {
            assert!(
                normal
                    .split('/')
                    .all(|segment| segment != "." && segment != "..")
            );
            assert!(!normal.contains('\\'));
        }
    }
});
