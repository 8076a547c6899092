//! Keeps what peers sent inside its place in a line: no byte of theirs ends a line or a quote.

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `bytes` for a quoted place of a text line: all but printable ASCII becomes `\xHH`, and so
/// do `"` and `\`. Nothing is lost and every line splits the same way for every reader.
pub(super) fn text(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| !plain(*byte)) {
        let (clean, tail) = rest.split_at(at);
        out.extend_from_slice(clean);
        if let Some((byte, after)) = tail.split_first() {
            out.extend_from_slice(b"\\x");
            out.extend(nibbles(*byte));
            rest = after;
        }
    }
    out.extend_from_slice(rest);
}

/// Appends `bytes` as a JSON string with its quotes. Control characters, the C1 ones that terminals
/// obey included, are escaped; bytes that are not UTF-8 become U+FFFD.
pub(super) fn json(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if bytes.iter().all(|byte| plain(*byte)) {
        out.extend_from_slice(bytes);
    } else {
        for chunk in bytes.utf8_chunks() {
            chunk.valid().chars().for_each(|one| character(one, out));
            if !chunk.invalid().is_empty() {
                out.extend_from_slice(b"\\ufffd");
            }
        }
    }
    out.push(b'"');
}

fn character(one: char, out: &mut Vec<u8>) {
    match one {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        // Every control character is below U+0100.
        _ if one.is_control() => {
            out.extend_from_slice(b"\\u00");
            out.extend(nibbles(u8::try_from(one).unwrap_or(0)));
        }
        _ => out.extend_from_slice(one.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

fn plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn nibbles(byte: u8) -> [u8; 2] {
    [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]
}

#[cfg(test)]
mod tests {
    use super::{json, text};

    fn every_byte() -> Vec<u8> {
        (0..=255).collect()
    }

    #[test]
    fn text_stays_in_one_line_and_one_quote() {
        let mut out = Vec::new();
        text(&every_byte(), &mut out);
        assert!(out.iter().all(|byte| matches!(byte, b' '..=b'~')));
        assert!(!out.contains(&b'"'));
        assert!(out.starts_with(b"\\x00\\x01"));
        assert!(out.ends_with(b"\\xFE\\xFF"));
    }

    #[test]
    fn text_keeps_what_is_plain() {
        let mut out = Vec::new();
        text(b"/a?b=c d\"e\\f", &mut out);
        assert_eq!(out, b"/a?b=c d\\x22e\\x5Cf");
    }

    #[test]
    fn json_is_read_back_by_a_json_reader() {
        let given = "h\u{e9} \"q\" \\ \u{1}\u{7f}\u{9b}\n\u{1f600}";
        let mut out = Vec::new();
        json(given.as_bytes(), &mut out);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), given);
        assert!(!out.contains(&0x7f));
    }

    #[test]
    fn json_of_any_bytes_is_valid() {
        let mut out = Vec::new();
        json(&every_byte(), &mut out);
        let read: String = serde_json::from_slice(&out).unwrap();
        assert_eq!(read.matches('\u{fffd}').count(), 128);
    }
}
