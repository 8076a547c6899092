//! Chunked bodies: no bytes crash the scanner, and a split changes nothing of what it keeps.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::protocol::http1::chunked::{ChunkMode, ChunkScanner, Scanned};

/// What is kept of `bytes` and whether the message ended, looked at in pieces of `size`.
fn kept(bytes: &[u8], mode: ChunkMode, size: usize) -> Option<(Vec<u8>, bool)> {
    let mut scanner = ChunkScanner::new(mode);
    let (mut out, mut waiting) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        waiting.extend_from_slice(piece);
        let Scanned { consumed, kept, done } = scanner.scan(&mut waiting).ok()?;
        assert!(kept <= consumed && consumed <= waiting.len());
        out.extend_from_slice(&waiting[..kept]);
        waiting.drain(..consumed);
        if done {
            return Some((out, true));
        }
    }
    Some((out, false))
}

fuzz_target!(|bytes: &[u8]| {
    if bytes.is_empty() {
        return;
    }
    let whole = kept(bytes, ChunkMode::Forward, bytes.len());
    for size in [1, 7] {
        assert_eq!(kept(bytes, ChunkMode::Forward, size), whole);
    }
    // What was forwarded is itself a valid message that means the same.
    if let Some((forwarded, true)) = whole {
        let (payload, _) = kept(bytes, ChunkMode::Decode, bytes.len()).expect("valid before");
        let read = kept(&forwarded, ChunkMode::Decode, forwarded.len());
        assert_eq!(read, Some((payload, true)));
    }
});
