//! The wire format: no JSON crashes the compiler, and every problem says where and what.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::engine::check;

fuzz_target!(|bytes: &[u8]| {
    for problem in check(bytes, Vec::new()) {
        assert!(!problem.code.is_empty() && !problem.message.is_empty());
    }
});
