//! The `ClientHello` at the start of a connection, read for its SNI without taking part in the
//! handshake. Verifies nothing and keeps nothing.
//!
//! A hello is a handshake message that may be spread over any number of records (RFC 8446 §5.1);
//! hellos with post-quantum key shares pass the size of one TCP segment.

use std::borrow::Cow;

/// Bytes to keep while sniffing: beyond them a connection that is still no hello is refused.
pub const MAX_SNIFFED: usize = 32 * 1024;
/// A hello's own size. Real ones stay below 3 KiB.
const MAX_HELLO: usize = 16 * 1024;
/// RFC 8446 §5.1.
const MAX_FRAGMENT: usize = 16 * 1024;
/// RFC 1035 §2.3.4.
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

const RECORD_HEADER: usize = 5;
const RECORD_HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const EXTENSION_SERVER_NAME: u16 = 0;
const EXTENSION_ALPN: u16 = 16;
const EXTENSION_SUPPORTED_VERSIONS: u16 = 43;
const NAME_TYPE_HOST: u8 = 0;
const TLS13: [u8; 2] = [3, 4];

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sniffed {
    /// It may become a hello.
    NeedMore,
    /// It doesn't begin as TLS does.
    NotTls,
    /// A complete hello.
    Hello(ClientHello),
    /// It begins as TLS but breaks its rules.
    Malformed(&'static str),
}

/// What a hello asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The host name asked for, in lower case.
    pub sni: Option<String>,
    /// Application protocols, in the client's order of preference.
    pub alpn: Vec<Vec<u8>>,
    /// Whether TLS 1.3 is offered.
    pub tls13: bool,
}

/// Reads `bytes`, which begin where the connection begins. What follows the hello is not looked at.
pub fn sniff(bytes: &[u8]) -> Sniffed {
    let bytes = bytes.get(..MAX_SNIFFED).unwrap_or(bytes);
    match bytes {
        [] | [RECORD_HANDSHAKE] => return Sniffed::NeedMore,
        [RECORD_HANDSHAKE, 3, ..] => {}
        _ => return Sniffed::NotTls,
    }
    match message(bytes) {
        Ok(Some(hello)) => match parse(&hello) {
            Ok(hello) => Sniffed::Hello(hello),
            Err(reason) => Sniffed::Malformed(reason),
        },
        Ok(None) if bytes.len() >= MAX_SNIFFED => {
            Sniffed::Malformed("the client hello doesn't end")
        }
        Ok(None) => Sniffed::NeedMore,
        Err(reason) => Sniffed::Malformed(reason),
    }
}

/// The body of the first handshake message, put together from its records.
fn message(bytes: &[u8]) -> Result<Option<Cow<'_, [u8]>>, &'static str> {
    let mut records = Cursor(bytes);
    let mut joined = Cow::Borrowed(&[][..]);
    while let Some(header) = records.take(RECORD_HEADER) {
        let length = record_length(header)?;
        let available = records.0.len().min(length);
        let fragment = records.take(available).unwrap_or_default();
        if joined.is_empty() {
            joined = Cow::Borrowed(fragment);
        } else {
            joined.to_mut().extend_from_slice(fragment);
        }
        if let Some(length) = hello_length(&joined)? {
            let end = HANDSHAKE_HEADER + length;
            if joined.len() >= end {
                return Ok(Some(body(joined, end)));
            }
        }
        if available < length {
            break;
        }
    }
    Ok(None)
}

const HANDSHAKE_HEADER: usize = 4;

fn body(joined: Cow<'_, [u8]>, end: usize) -> Cow<'_, [u8]> {
    match joined {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(HANDSHAKE_HEADER..end).unwrap_or_default()),
        Cow::Owned(mut bytes) => {
            bytes.truncate(end);
            bytes.drain(..HANDSHAKE_HEADER);
            Cow::Owned(bytes)
        }
    }
}

fn record_length(header: &[u8]) -> Result<usize, &'static str> {
    let [RECORD_HANDSHAKE, 3, _, high, low] = *header else {
        return Err("another record stands within the client hello");
    };
    match usize::from(u16::from_be_bytes([high, low])) {
        0 => Err("an empty handshake record"),
        length if length > MAX_FRAGMENT => Err("a record longer than 16 KiB"),
        length => Ok(length),
    }
}

/// The length that the handshake header tells, once it is there.
fn hello_length(joined: &[u8]) -> Result<Option<usize>, &'static str> {
    match *joined {
        [CLIENT_HELLO, a, b, c, ..] => {
            match usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX) {
                length if length > MAX_HELLO => Err("a client hello longer than 16 KiB"),
                length => Ok(Some(length)),
            }
        }
        [] | [CLIENT_HELLO, ..] => Ok(None),
        _ => Err("the first handshake message is no client hello"),
    }
}

/// RFC 8446 §4.1.2.
fn parse(body: &[u8]) -> Result<ClientHello, &'static str> {
    const CUT: &str = "the client hello is cut short";
    let mut rest = Cursor(body);
    rest.take(2 + 32).ok_or(CUT)?; // legacy_version, random
    rest.vec8()
        .filter(|id| id.len() <= 32)
        .ok_or("bad session id")?;
    let suites = rest.vec16().ok_or(CUT)?;
    if suites.len() < 2 || suites.len() % 2 != 0 {
        return Err("bad cipher suites");
    }
    rest.vec8()
        .filter(|methods| !methods.is_empty())
        .ok_or("bad compression methods")?;
    let mut hello = ClientHello::default();
    if rest.0.is_empty() {
        return Ok(hello); // TLS 1.2 without extensions
    }
    let mut extensions = Cursor(rest.vec16().ok_or(CUT)?);
    if !rest.0.is_empty() {
        return Err("bytes after the client hello's extensions");
    }
    let mut seen = Seen::default();
    while !extensions.0.is_empty() {
        let kind = extensions.u16().ok_or(CUT)?;
        let data = extensions.vec16().ok_or(CUT)?;
        seen.note(kind)?;
        match kind {
            EXTENSION_SERVER_NAME => hello.sni = Some(server_name(data)?),
            EXTENSION_ALPN => hello.alpn = alpn(data)?,
            EXTENSION_SUPPORTED_VERSIONS => hello.tls13 = offers_tls13(data)?,
            _ => {}
        }
    }
    Ok(hello)
}

/// Which of the extensions that are read here have come; twice is an error (RFC 8446 §4.2).
#[derive(Default)]
struct Seen(Vec<u16>);

impl Seen {
    fn note(&mut self, kind: u16) -> Result<(), &'static str> {
        let read = [
            EXTENSION_SERVER_NAME,
            EXTENSION_ALPN,
            EXTENSION_SUPPORTED_VERSIONS,
        ];
        if !read.contains(&kind) {
            return Ok(());
        }
        if self.0.contains(&kind) {
            return Err("an extension comes twice");
        }
        self.0.push(kind);
        Ok(())
    }
}

/// RFC 6066 §3: one host name.
fn server_name(data: &[u8]) -> Result<String, &'static str> {
    const BAD: &str = "bad server name extension";
    let mut data = Cursor(data);
    let mut list = Cursor(data.vec16().ok_or(BAD)?);
    let kind = list.u8().ok_or(BAD)?;
    let name = list.vec16().ok_or(BAD)?;
    if kind != NAME_TYPE_HOST || !list.0.is_empty() || !data.0.is_empty() {
        return Err(BAD);
    }
    let in_label = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let is_label =
        |label: &[u8]| (1..=MAX_LABEL).contains(&label.len()) && label.iter().all(in_label);
    if name.len() > MAX_NAME || !name.split(|b| *b == b'.').all(is_label) {
        return Err("the server name is no host name");
    }
    String::from_utf8(name.to_ascii_lowercase()).map_err(|_| BAD)
}

/// RFC 7301 §3.1.
fn alpn(data: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    const BAD: &str = "bad ALPN extension";
    let mut data = Cursor(data);
    let mut list = Cursor(data.vec16().ok_or(BAD)?);
    let mut names = Vec::new();
    while !list.0.is_empty() {
        let name = list.vec8().filter(|name| !name.is_empty()).ok_or(BAD)?;
        names.push(name.to_vec());
    }
    if names.is_empty() || !data.0.is_empty() {
        return Err(BAD);
    }
    Ok(names)
}

/// RFC 8446 §4.2.1.
fn offers_tls13(data: &[u8]) -> Result<bool, &'static str> {
    const BAD: &str = "bad supported versions extension";
    let mut data = Cursor(data);
    let versions = data.vec8().ok_or(BAD)?;
    if versions.is_empty() || versions.len() % 2 != 0 || !data.0.is_empty() {
        return Err(BAD);
    }
    Ok(versions.chunks_exact(2).any(|version| version == TLS13))
}

/// The bytes not yet read.
struct Cursor<'b>(&'b [u8]);

impl<'b> Cursor<'b> {
    fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes(bytes.try_into().ok()?))
    }

    /// A vector that tells its length in one byte.
    fn vec8(&mut self) -> Option<&'b [u8]> {
        let n = self.u8()?;
        self.take(n.into())
    }

    /// A vector that tells its length in two bytes.
    fn vec16(&mut self) -> Option<&'b [u8]> {
        let n = self.u16()?;
        self.take(n.into())
    }
}

#[cfg(test)]
#[path = "hello_tests.rs"]
mod tests;
