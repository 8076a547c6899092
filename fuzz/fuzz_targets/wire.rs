//! Resources that cross the border: no text crashes the reading, and what was read is written the
//! same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::wire::Delta;

fuzz_target!(|bytes: &[u8]| {
    let Ok(delta) = serde_json::from_slice::<Delta>(bytes) else { return };
    let text = serde_json::to_string(&delta).expect("what was read can be written");
    let again: Delta = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_string(&again).expect("the same"), text);
});
