//! A response as the fuzzer draws it, and what a client may take it for.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::draw::Draw;
use crate::http1::{self, Read};
use crate::message::{self, Lines, Response};
use crate::tables;

/// A response, with the interim ones before it.
#[derive(Debug, Default, Clone)]
pub struct Answer {
    /// A proxy has to pass it on.
    pub tame: bool,
    /// Statuses before the final one.
    pub interims: Vec<u16>,
    /// The final one.
    pub status: u16,
    /// All fields but framing.
    pub lines: Lines,
    /// What Content-Length says, where there is one.
    pub length: Option<usize>,
    /// HTTP/1 ends the body with the connection.
    pub until_close: bool,
    /// The body in parts.
    pub pieces: Vec<Vec<u8>>,
    /// Behind the body.
    pub trailers: Lines,
}

/// What a client may be told.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// It can be read in one way, to its end.
    pub sound: bool,
    /// What it says.
    pub response: Response,
    /// Statuses before it.
    pub interims: Vec<u16>,
    /// HTTP/1's connection goes on after it.
    pub stays: bool,
}

impl Answer {
    /// One response.
    pub fn draw(draw: &mut Draw<'_>, tame: bool) -> Self {
        const TAME: [u16; 9] = [200, 201, 404, 500, 204, 304, 206, 400, 503];
        const WILD: [u16; 8] = [101, 205, 99, 100, 600, 199, 599, 417];
        let mut answer = Self {
            tame,
            ..Self::default()
        };
        for _ in 0..draw.count(2) {
            answer.interims.push(draw.of(&[100, 103, 199]));
        }
        answer.status = if tame {
            draw.of(&TAME)
        } else {
            draw.of(&[&TAME[..], &WILD[..]].concat())
        };
        let count = draw.count(5);
        answer.lines = (0..count).map(|_| tables::field(draw, tame)).collect();
        answer.pieces = tables::pieces(draw);
        let total = answer.pieces.concat().len();
        answer.length = match draw.count(3) {
            0 if !tame => Some(total.wrapping_add_signed(draw.of(&[-1, 1, 5]))),
            0 | 1 => Some(total),
            _ => None,
        };
        answer.until_close = draw.one_in(4);
        answer.trailers = tables::trailers(draw, tame);
        answer
    }

    /// What the canary gets.
    pub fn canary() -> Self {
        Self {
            tame: true,
            status: 200,
            length: Some(6),
            pieces: vec![b"canary".to_vec()],
            ..Self::default()
        }
    }

    /// Whether a tame answer to this method has a body at all.
    fn bodiless(&self, method: &[u8]) -> bool {
        method == b"HEAD" || [204, 304].contains(&self.status)
    }

    /// As bytes of HTTP/1; what makes a wild one wild stays in, such as a body behind a 204.
    pub fn http1(&self, method: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for status in &self.interims {
            out.extend_from_slice(format!("HTTP/1.1 {status} \r\nx-i: 1\r\n\r\n").as_bytes());
        }
        out.extend_from_slice(format!("HTTP/1.1 {} Any\r\n", self.status).as_bytes());
        for field in &self.lines {
            http1::field(&mut out, field);
        }
        if self.tame && self.bodiless(method) {
            out.extend_from_slice(b"\r\n");
            return out;
        }
        match self.length {
            Some(length) => {
                out.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
                out.extend_from_slice(&self.pieces.concat());
            }
            None if self.until_close => {
                out.extend_from_slice(b"\r\n");
                out.extend_from_slice(&self.pieces.concat());
            }
            None => {
                out.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                http1::chunked(&mut out, &self.pieces, &self.trailers);
            }
        }
        out
    }

    /// The pieces of a response over HTTP/2.
    pub fn http2_pieces(&self, method: &[u8]) -> &[Vec<u8>] {
        if self.tame && self.bodiless(method) {
            &[]
        } else {
            &self.pieces
        }
    }

    /// Its head over HTTP/2, of what the h2 crate is ready to send.
    pub fn http2_head(&self, method: &[u8]) -> http::Response<()> {
        let mut response = http::Response::new(());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        *response.headers_mut() = header_map(&self.lines);
        if let Some(length) = self.length
            && !(self.tame && self.bodiless(method))
        {
            let length = HeaderValue::from(length);
            response.headers_mut().append("content-length", length);
        }
        response
    }

    /// What a client may take it for when it went over HTTP/2 as `head`.
    pub fn told_over_http2(&self, method: &[u8], head: &http::Response<()>) -> Told {
        let lengths: Vec<_> = head.headers().get_all("content-length").iter().collect();
        let body = self.http2_pieces(method).concat();
        let status = head.status().as_u16();
        let framed = match &lengths[..] {
            [] => true,
            [length] => length.as_bytes() == body.len().to_string().as_bytes(),
            _ => false,
        };
        Told {
            sound: framed
                && (200..600).contains(&status)
                && (!self.bodiless(method) || body.is_empty()),
            response: Response {
                status,
                fields: message::of_response(&lines_of(head.headers())),
                body,
                trailers: message::of_trailers(&lines_of(&header_map(&self.trailers))),
            },
            interims: self.interims.clone(),
            stays: true,
        }
    }
}

/// What a client may take an upstream's bytes for.
pub fn told_over_http1(bytes: &[u8], method: &[u8], ended: bool) -> Told {
    let mut told = Told::default();
    let mut rest = bytes;
    while let Read::Whole(message) = http1::response(rest, method, ended) {
        rest = &rest[message.length..];
        if message.status < 200 {
            told.interims.push(message.status);
            continue;
        }
        told.sound = message.status < 600;
        told.stays = told.sound && message.framing != http1::Framing::UntilClose;
        told.response = of_http1(&message);
        break;
    }
    told
}

/// What a response of HTTP/1 says.
pub fn of_http1(message: &http1::Message) -> Response {
    Response {
        status: message.status,
        fields: message::of_response(&message.lines),
        body: message.body.clone(),
        trailers: message::of_trailers(&message.trailers),
    }
}

/// The lines that the `http` crate has a form for, without those of one connection, which the h2
/// crate refuses to send.
pub fn header_map(lines: &Lines) -> HeaderMap {
    const OWN: [&str; 6] = [
        "connection",
        "keep-alive",
        "proxy-connection",
        "transfer-encoding",
        "upgrade",
        "te",
    ];
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let field = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value));
        if let (Ok(name), Ok(value)) = field
            && !OWN.contains(&name.as_str())
        {
            map.append(name, value);
        }
    }
    map
}

/// The fields of a map as lines.
pub fn lines_of(map: &HeaderMap) -> Lines {
    map.iter()
        .map(|(name, value)| (name.as_str().into(), value.as_bytes().to_vec()))
        .collect()
}
