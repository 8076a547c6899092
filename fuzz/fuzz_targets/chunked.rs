//! Chunked bodies: no bytes crash it, splits change nothing, what is kept is clean when read again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use meshcore::protocol::BodyError;
use meshcore::protocol::http1::{ChunkMode, ChunkScanner};

/// Bytes kept, whether the message is complete, its payload.
type Walked = (Vec<u8>, bool, u64);

fn walk(mode: ChunkMode, input: &[u8], step: usize) -> Result<Walked, BodyError> {
    let mut scanner = ChunkScanner::new(mode);
    let (mut kept, mut buffer) = (Vec::new(), Vec::new());
    for piece in input.chunks(step) {
        buffer.extend_from_slice(piece);
        let scanned = scanner.scan(&mut buffer)?;
        assert!(scanned.kept <= scanned.consumed && scanned.consumed <= buffer.len());
        kept.extend_from_slice(&buffer[..scanned.kept]);
        buffer.drain(..scanned.consumed);
        if scanned.done {
            break;
        }
    }
    Ok((kept, scanner.is_done(), scanner.payload_total()))
}

fuzz_target!(|input: &[u8]| {
    if input.is_empty() {
        return;
    }
    for mode in [ChunkMode::Forward, ChunkMode::Decode, ChunkMode::Split] {
        let whole = walk(mode, input, input.len());
        for step in [1, 3, 16] {
            assert_eq!(walk(mode, input, step), whole, "by {step}");
        }
    }
    let Ok((kept, true, payload)) = walk(ChunkMode::Forward, input, input.len()) else {
        return;
    };
    let again = walk(ChunkMode::Forward, &kept, kept.len()).expect("what is kept is valid");
    assert_eq!(again, (kept.clone(), true, payload));
    let (decoded, ..) = walk(ChunkMode::Decode, input, 5).expect("both modes agree");
    assert_eq!(decoded.len() as u64, payload);
    let (again, ..) = walk(ChunkMode::Decode, &kept, 5).expect("what is kept is valid");
    assert_eq!(again, decoded);
});
