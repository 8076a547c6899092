//! HTTP/2 written frame by frame (RFC 9113 §4, RFC 7541 §6.2.2), so that what no library would send
//! can be sent too; of what comes back only frame heads are read.

use crate::exchange::Ask;
use crate::message::Lines;

/// What a client begins with, and SETTINGS that say nothing.
pub const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The flag of DATA and HEADERS that ends a stream.
pub const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

/// Appends a frame.
pub fn frame(out: &mut Vec<u8>, (kind, flags): (u8, u8), stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("a small payload");
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// A header block without compression.
fn block(lines: &Lines) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in lines {
        out.push(0);
        for text in [name, value] {
            string(&mut out, text);
        }
    }
    out
}

/// A string literal with its length, seven bits at a time (RFC 7541 §5.1).
fn string(out: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    if length < 0x7f {
        out.push(u8::try_from(length).expect("seven bits"));
    } else {
        out.push(0x7f);
        length -= 0x7f;
        while length >= 0x80 {
            out.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
            length >>= 7;
        }
        out.push(u8::try_from(length).expect("seven bits"));
    }
    out.extend_from_slice(text);
}

/// The fields of a request's head in their order.
fn head(ask: &Ask) -> Lines {
    let line = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
    let mut pseudo = vec![line(":method", &ask.method), line(":scheme", b"http")];
    if ask.method != b"CONNECT" || ask.protocol.is_some() {
        pseudo.push(line(":path", &ask.path));
    }
    if let Some(authority) = &ask.authority {
        pseudo.push(line(":authority", authority));
    }
    if let Some(protocol) = &ask.protocol {
        pseudo.push(line(":protocol", protocol));
    }
    if ask.oddity & 0b1 != 0 {
        pseudo.push(line(":path", &ask.path));
    }
    if ask.oddity & 0b10 != 0 {
        pseudo.remove(0);
    }
    let mut rest = ask.lines.clone();
    if let Some(length) = ask.length {
        rest.push(line("content-length", length.to_string().as_bytes()));
    }
    if ask.oddity & 0b100 != 0 {
        rest.push(line("x-before", b""));
        return [rest, pseudo].concat();
    }
    [pseudo, rest].concat()
}

/// Appends a request with all that follows it; its last frame ends the stream.
pub fn request(out: &mut Vec<u8>, stream: u32, ask: &Ask) {
    let flag = |last: bool| if last { END_STREAM } else { 0 };
    let trailers = !ask.trailers.is_empty();
    let alone = ask.pieces.is_empty() && !trailers;
    // Two frames for one head, where a bit says so.
    let block = self::block(&head(ask));
    let (first, second) = match ask.oddity & 0b1000 {
        0 => (&block[..], None),
        _ => (&block[..block.len() / 2], Some(&block[block.len() / 2..])),
    };
    let ends = if second.is_none() { END_HEADERS } else { 0 };
    frame(out, (HEADERS, ends | flag(alone)), stream, first);
    if let Some(second) = second {
        frame(out, (9, END_HEADERS), stream, second);
    }
    for (index, piece) in ask.pieces.iter().enumerate() {
        let last = !trailers && index + 1 == ask.pieces.len();
        frame(out, (DATA, flag(last)), stream, piece);
    }
    if trailers {
        let block = self::block(&ask.trailers);
        frame(out, (HEADERS, END_HEADERS | END_STREAM), stream, &block);
    }
}

/// Whether what came from the server says that a stream, or all of them, are over.
pub fn is_over(bytes: &[u8], stream: u32) -> bool {
    let mut rest = bytes;
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let [l2, l1, l0, kind, flags, id @ ..] = *head;
        let length = u32::from_be_bytes([0, l2, l1, l0]);
        let ends = matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        let ours = u32::from_be_bytes(id) == stream && (ends || kind == RST_STREAM);
        if ours || kind == GOAWAY {
            return true;
        }
        rest = behind.get(length as usize..).unwrap_or_default();
    }
    false
}
