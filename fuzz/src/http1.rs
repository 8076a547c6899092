//! HTTP/1 as somebody else reads and writes it. What is read may be lenient: a message of the
//! client that the proxy refuses needs no reading here. What the proxy writes has to be strict.

use crate::message::{Lines, elements, trimmed, values};

/// A message taken apart.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The method; empty for a response.
    pub method: Vec<u8>,
    /// The target; empty for a response.
    pub target: Vec<u8>,
    /// 0 for a request.
    pub status: u16,
    /// The minor version.
    pub minor: u8,
    /// All fields.
    pub lines: Lines,
    /// The body without framing.
    pub body: Vec<u8>,
    /// All trailers.
    pub trailers: Lines,
    /// How it was framed.
    pub framing: Framing,
    /// Bytes from its first to its last.
    pub length: usize,
}

/// How a body was framed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Framing {
    /// Without one.
    #[default]
    None,
    /// By Content-Length.
    Length(usize),
    /// By chunks.
    Chunked,
    /// By the connection's end.
    UntilClose,
}

/// What bytes are.
#[derive(Debug, Clone)]
pub enum Read {
    /// They begin with a message.
    Whole(Message),
    /// They may once more have come.
    Partial,
    /// They never will.
    Broken,
}

/// More fields than any input has room for.
const FIELDS: usize = 4096;

/// Reads a request.
pub fn request(bytes: &[u8]) -> Read {
    let mut slots = vec![httparse::EMPTY_HEADER; FIELDS];
    let mut raw = httparse::Request::new(&mut slots);
    let length = match raw.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Read::Partial,
        Err(_) => return Read::Broken,
    };
    let mut message = Message {
        method: raw.method.unwrap_or_default().into(),
        target: raw.path.unwrap_or_default().into(),
        minor: raw.version.unwrap_or_default(),
        lines: lines(raw.headers),
        length,
        ..Message::default()
    };
    match declared(&message.lines) {
        None => Read::Broken,
        Some(Framing::Chunked) if message.minor == 0 => Read::Broken,
        Some(framing) => {
            message.framing = framing;
            body(message, &bytes[length..], false)
        }
    }
}

/// Reads a response to a request of this method; `ended` says that no more will come.
pub fn response(bytes: &[u8], method: &[u8], ended: bool) -> Read {
    if !b"HTTP/".starts_with(&bytes[..bytes.len().min(5)]) {
        return Read::Broken;
    }
    let mut slots = vec![httparse::EMPTY_HEADER; FIELDS];
    let mut raw = httparse::Response::new(&mut slots);
    let length = match raw.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Read::Partial,
        Err(_) => return Read::Broken,
    };
    let mut message = Message {
        status: raw.code.unwrap_or_default(),
        minor: raw.version.unwrap_or_default(),
        lines: lines(raw.headers),
        length,
        ..Message::default()
    };
    let Some(framing) = declared(&message.lines) else {
        return Read::Broken;
    };
    let bodiless = message.status < 200 || [204, 304].contains(&message.status);
    message.framing = match framing {
        _ if bodiless || method == b"HEAD" => Framing::None,
        Framing::None => Framing::UntilClose,
        framing => framing,
    };
    body(message, &bytes[length..], ended)
}

fn lines(fields: &[httparse::Header<'_>]) -> Lines {
    fields
        .iter()
        .map(|field| (field.name.into(), field.value.into()))
        .collect()
}

/// Framing that has one reading, or none.
fn declared(lines: &Lines) -> Option<Framing> {
    let (lengths, codings) = (
        values(lines, "content-length"),
        values(lines, "transfer-encoding"),
    );
    match (&lengths[..], &codings[..]) {
        ([], []) => Some(Framing::None),
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => Some(Framing::Chunked),
        ([digits], []) if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => {
            let digits = std::str::from_utf8(digits).ok()?;
            digits.parse().ok().map(Framing::Length)
        }
        _ => None,
    }
}

fn body(mut message: Message, bytes: &[u8], ended: bool) -> Read {
    match message.framing {
        Framing::None => {}
        Framing::Length(length) => {
            let Some(body) = bytes.get(..length) else {
                return Read::Partial;
            };
            message.body = body.to_vec();
            message.length += length;
        }
        Framing::UntilClose => {
            if !ended {
                return Read::Partial;
            }
            message.body = bytes.to_vec();
            message.length += bytes.len();
        }
        Framing::Chunked => {
            let mut rest = bytes;
            if let Err(read) = chunks(&mut message, &mut rest) {
                return read;
            }
            message.length += bytes.len() - rest.len();
        }
    }
    Read::Whole(message)
}

/// A line without its end.
fn line<'b>(rest: &mut &'b [u8]) -> Result<&'b [u8], Read> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n");
    let end = end.ok_or(Read::Partial)?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    Ok(line)
}

fn chunks(message: &mut Message, rest: &mut &[u8]) -> Result<(), Read> {
    loop {
        let size = line(rest)?;
        let digits = size.split(|byte| *byte == b';').next().unwrap_or_default();
        let digits = std::str::from_utf8(trimmed(digits)).map_err(|_| Read::Broken)?;
        let size = usize::from_str_radix(digits, 16).map_err(|_| Read::Broken)?;
        if size == 0 {
            break;
        }
        message
            .body
            .extend_from_slice(rest.get(..size).ok_or(Read::Partial)?);
        *rest = &rest[size..];
        if !line(rest)?.is_empty() {
            return Err(Read::Broken);
        }
    }
    loop {
        let field = line(rest)?;
        if field.is_empty() {
            return Ok(());
        }
        let colon = field.iter().position(|byte| *byte == b':');
        let (name, value) = field.split_at(colon.ok_or(Read::Broken)?);
        let value = trimmed(&value[1..]).to_vec();
        message.trailers.push((name.to_vec(), value));
    }
}

/// RFC 9110 §5.6.2.
pub fn is_token(bytes: &[u8]) -> bool {
    let odd = b"!#$%&'*+-.^_`|~";
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || odd.contains(byte);
    !bytes.is_empty() && bytes.iter().all(token)
}

/// RFC 9110 §5.5.
pub fn is_value(bytes: &[u8]) -> bool {
    let fine = |byte: &u8| *byte == b'\t' || *byte >= b' ' && *byte != 0x7f;
    trimmed(bytes) == bytes && bytes.iter().all(fine)
}

/// What the proxy wrote leaves nobody a choice of how to read it.
///
/// # Panics
/// When it does.
pub fn check_strict(bytes: &[u8], message: &Message) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let head = &bytes[..end.expect("an end of the head")];
    let mut rest = head.split(|byte| *byte == b'\n');
    let start = rest.next().unwrap_or_default();
    let start = start.strip_suffix(b"\r").unwrap_or(start);
    assert!(is_value(start) || start.ends_with(b" "), "{start:?}");
    for line in rest {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let colon = line.iter().position(|byte| *byte == b':').expect("a colon");
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        assert!(is_token(name), "name {name:?}");
        let value = value.strip_prefix(b" ").expect("a blank");
        assert!(is_value(value), "value {value:?}");
    }
    for (name, value) in &message.trailers {
        assert!(is_token(name) && is_value(value), "{name:?}: {value:?}");
    }
    if message.status == 0 {
        assert_eq!(values(&message.lines, "host").len(), 1, "Host");
        assert_eq!(message.minor, 1);
        let parts = start.split(|byte| *byte == b' ').count();
        assert_eq!(parts, 3, "{start:?}");
    }
    let named = elements(&message.lines, "connection");
    let fine = [&b"close"[..], b"keep-alive", b"te", b"upgrade"];
    assert!(
        named.iter().all(|name| fine.contains(&&**name)),
        "{named:?}"
    );
}

/// Appends `name: value`.
pub fn field(out: &mut Vec<u8>, (name, value): &(Vec<u8>, Vec<u8>)) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Appends a body in chunks, with its trailers.
pub fn chunked(out: &mut Vec<u8>, pieces: &[Vec<u8>], trailers: &Lines) {
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        out.extend_from_slice(format!("{:X}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n");
    for trailer in trailers {
        field(out, trailer);
    }
    out.extend_from_slice(b"\r\n");
}
