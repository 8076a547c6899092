//! A request as the fuzzer draws it, the bytes that a client sends for it in either version, and
//! what an upstream may take it for.

use crate::draw::Draw;
use crate::http1::{self, Framing, Read};
use crate::message::{self, Lines, Request, elements, values};
use crate::tables;

/// What follows each request on its connection, to show that it still is where it should be.
pub const CANARY: &str = "/canary-7d1f";

/// The host of the canary.
pub const CANARY_HOST: &str = "canary.example";

/// Connection may name as many fields for certain.
const OPTIONS: usize = 24;

/// A request.
#[derive(Debug, Default)]
pub struct Ask {
    /// A proxy has to pass it on.
    pub tame: bool,
    /// Any bytes.
    pub method: Vec<u8>,
    /// `:authority`; in HTTP/1 the first Host.
    pub authority: Option<Vec<u8>>,
    /// The target.
    pub path: Vec<u8>,
    /// `:protocol`.
    pub protocol: Option<Vec<u8>>,
    /// The minor version.
    pub minor: u8,
    /// All fields but Host and framing.
    pub lines: Lines,
    /// What Content-Length says, where there is one.
    pub length: Option<usize>,
    /// The body in parts.
    pub pieces: Vec<Vec<u8>>,
    /// Behind the body.
    pub trailers: Lines,
    /// Pseudo-fields of HTTP/2 to leave out, repeat or put last, by bits.
    pub oddity: u8,
}

impl Ask {
    /// One request for a client of this version.
    pub fn draw(draw: &mut Draw<'_>, version: u8, tame: bool) -> Self {
        let mut ask = Self {
            tame,
            method: tables::method(draw, tame),
            path: tables::path(draw, tame),
            ..Self::default()
        };
        let present = tame || !draw.one_in(8);
        ask.authority = present.then(|| tables::authority(draw, tame));
        let count = draw.count(6);
        ask.lines = (0..count).map(|_| tables::field(draw, tame)).collect();
        ask.pieces = tables::pieces(draw);
        let total = ask.body().len();
        ask.length = match draw.count(3) {
            0 if !tame => Some(total.wrapping_add_signed(draw.of(&[-1, 1, 5]))),
            0 | 1 => Some(total),
            _ => None,
        };
        ask.trailers = tables::trailers(draw, tame);
        if version == 1 {
            ask.minor = u8::from(!draw.one_in(8));
            if ask.minor == 0 && ask.length.is_none() {
                ask.pieces.clear();
            }
        } else {
            ask.for_http2(draw);
        }
        ask.tame &= elements(&ask.lines, "connection").len() <= OPTIONS;
        ask
    }

    /// Fields of one connection make a request of HTTP/2 malformed; only a wild one has them.
    fn for_http2(&mut self, draw: &mut Draw<'_>) {
        if self.tame {
            let own = ["connection", "keep-alive", "upgrade"];
            let own = |name: &[u8]| own.iter().any(|known| known.as_bytes() == name);
            self.lines.retain(|(name, _)| !own(name));
            return;
        }
        let mask = draw.of(&[0b1000, 0b1000, 0b1000, 0b1111]);
        self.oddity = draw.byte() & mask;
        if draw.one_in(8) {
            self.protocol = Some(draw.of(&["websocket", "WebSocket", "x"]).into());
            self.method = b"CONNECT".to_vec();
        }
    }

    /// The canary.
    pub fn canary() -> Self {
        Self {
            tame: true,
            method: b"GET".to_vec(),
            authority: Some(CANARY_HOST.into()),
            path: CANARY.into(),
            minor: 1,
            ..Self::default()
        }
    }

    /// The whole body.
    pub fn body(&self) -> Vec<u8> {
        self.pieces.concat()
    }

    /// As bytes of HTTP/1.
    pub fn http1(&self) -> Vec<u8> {
        let mut out = [&self.method[..], b" ", &self.path, b" HTTP/1."].concat();
        out.extend_from_slice(format!("{}\r\n", self.minor).as_bytes());
        if let Some(host) = &self.authority {
            http1::field(&mut out, &(b"Host".to_vec(), host.clone()));
        }
        for field in &self.lines {
            http1::field(&mut out, field);
        }
        match self.length {
            Some(length) => {
                out.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
                out.extend_from_slice(&self.body());
            }
            None if self.pieces.is_empty() && self.trailers.is_empty() || self.minor == 0 => {
                out.extend_from_slice(b"\r\n");
            }
            None => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                http1::chunked(&mut out, &self.pieces, &self.trailers);
            }
        }
        out
    }

    /// What an upstream may take it for when it came over HTTP/2.
    pub fn expected(&self) -> Request {
        let hosts = values(&self.lines, "host");
        let host = hosts.first().map(|host| host.to_vec());
        let end = self.path.iter().position(|byte| *byte == b'#');
        Request {
            method: match self.protocol {
                Some(_) => b"GET".to_vec(),
                None => self.method.clone(),
            },
            authority: self.authority.clone().or(host).unwrap_or_default(),
            path: self.path[..end.unwrap_or(self.path.len())].to_vec(),
            fields: message::of_request(&self.lines),
            body: self.body(),
            trailers: message::of_trailers(&self.trailers),
        }
    }

    /// Whether it is so wrong as HTTP/2 that nothing of it may go on (TR-1, TR-3, TR-4).
    pub fn is_malformed(&self) -> bool {
        let wrong = |(name, value): &(Vec<u8>, Vec<u8>)| {
            let own = [
                &b"connection"[..],
                b"keep-alive",
                b"proxy-connection",
                b"transfer-encoding",
                b"upgrade",
            ];
            !http1::is_token(name)
                || name.iter().any(u8::is_ascii_uppercase)
                || own.contains(&&name[..])
                || name == b"te" && value != b"trailers"
                || value.iter().any(|byte| b"\r\n\0".contains(byte))
        };
        let lengths = values(&self.lines, "content-length").len();
        // A tunnel has no body, and what it carries shows only once the head has gone on.
        let framed =
            self.protocol.is_some() || self.length.is_none_or(|length| length == self.body().len());
        self.lines.iter().any(wrong)
            || !http1::is_token(&self.method)
            || self.oddity & 0b111 != 0
            || !framed
            || lengths + usize::from(self.length.is_some()) > 1
            || values(&self.lines, "host").len() > 1
    }
}

/// What an upstream may take the bytes of an HTTP/1 client for: the requests in their order, each
/// with its method as it came. What follows one that can't be read is none.
pub fn requests(bytes: &[u8]) -> Vec<Request> {
    let mut rest = bytes;
    let mut all = Vec::new();
    while let Read::Whole(message) = http1::request(rest) {
        rest = &rest[message.length..];
        all.push(of_http1(&message));
    }
    all
}

/// What a request of HTTP/1 says.
pub fn of_http1(message: &http1::Message) -> Request {
    let target = &message.target;
    let scheme = [&b"http://"[..], b"https://"].into_iter().find(|scheme| {
        let begin = target.get(..scheme.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(scheme))
    });
    let host = values(&message.lines, "host");
    let mut authority = host.first().map(|host| host.to_vec()).unwrap_or_default();
    let mut path = target.clone();
    if let Some(scheme) = scheme {
        let rest = &target[scheme.len()..];
        let end = rest.iter().position(|byte| b"/?".contains(byte));
        let (before, behind) = rest.split_at(end.unwrap_or(rest.len()));
        authority = before.to_vec();
        path = match behind.first() {
            None if message.method == b"OPTIONS" => b"*".to_vec(),
            Some(b'/') => behind.to_vec(),
            _ => [b"/", behind].concat(),
        };
    }
    Request {
        method: message.method.clone(),
        authority,
        path,
        fields: message::of_request(&message.lines),
        body: message.body.clone(),
        trailers: message::of_trailers(&message.trailers),
    }
}

/// Whether trailers can stand behind a body with this framing.
pub const fn carries_trailers(framing: Framing) -> bool {
    matches!(framing, Framing::Chunked)
}
