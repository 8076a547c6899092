//! How gRPC-Web differs from gRPC, so that browsers can speak it: content types, trailers as a last
//! frame of the body, and bodies as base64 text. After gRPC's own "gRPC Web".

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use smallvec::SmallVec;

use super::error::BodyError;
use super::http1::names::elements;
use super::http2::trailers::write_trailers;

/// Bit of a frame's first byte: the frame holds trailers, not a message.
const TRAILERS: u8 = 0x80;

/// First bytes of messages: plain, and compressed.
const MESSAGES: [u8; 2] = [0, 1];

/// Bytes before a message: the flags and its length.
const PREFIX: u8 = 5;

/// Digits of base64 that stand for whole bytes; as many are kept at most until the next come.
const GROUP: usize = 4;

/// How a body stands on the browser's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As gRPC has it.
    Binary,
    /// The same as base64, in pieces that may each end with padding.
    Text,
}

/// What messages consist of, as far as an answer has to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Unsaid,
    Proto,
    Json,
}

/// What a client speaks and wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// The form of its request.
    pub sends: Form,
    /// The form of the answer that it takes.
    pub takes: Form,
    format: Format,
}

impl Call {
    /// From the request's Content-Type and the values of its Accept; `None` where it is no gRPC-Web.
    ///
    /// The first type of gRPC-Web that Accept names says what the answer is to be; where it names
    /// none the answer is as the request.
    pub fn asked<'b>(
        content_type: &[u8],
        accept: impl IntoIterator<Item = &'b [u8]>,
    ) -> Option<Self> {
        let (sends, suffix) = read_type(content_type)?;
        let mut named = accept.into_iter().flat_map(elements);
        let takes = named.find_map(read_type).map_or(sends, |(form, _)| form);
        let format = match suffix {
            b"+proto" => Format::Proto,
            b"+json" => Format::Json,
            _ => Format::Unsaid,
        };
        Some(Self {
            sends,
            takes,
            format,
        })
    }

    /// The answer's Content-Type, where the upstream said `grpc_type`. Its format is the upstream's,
    /// which seldom names it; else the one that was asked for.
    pub fn answer_type(self, grpc_type: &[u8]) -> Vec<u8> {
        let name: &[u8] = match self.takes {
            Form::Binary => b"application/grpc-web",
            Form::Text => b"application/grpc-web-text",
        };
        let said = strip(grpc_type, b"application/grpc").and_then(suffix);
        let suffix = said.filter(|suffix| !suffix.is_empty());
        let suffix = suffix.unwrap_or(match self.format {
            Format::Unsaid => b"",
            Format::Proto => b"+proto",
            Format::Json => b"+json",
        });
        [name, suffix].concat()
    }
}

/// The Content-Type for the upstream; parameters stay behind, since few servers expect any.
pub fn grpc_type(content_type: &[u8]) -> Vec<u8> {
    let suffix = read_type(content_type).map_or(&b""[..], |(_, suffix)| suffix);
    [b"application/grpc", suffix].concat()
}

fn read_type(content_type: &[u8]) -> Option<(Form, &[u8])> {
    let rest = strip(content_type, b"application/grpc-web")?;
    let (form, rest) = match strip(rest, b"-text") {
        Some(rest) => (Form::Text, rest),
        None => (Form::Binary, rest),
    };
    Some((form, suffix(rest)?))
}

/// `+proto` and the like, or nothing, before any parameters.
fn suffix(rest: &[u8]) -> Option<&[u8]> {
    let mut parts = rest.splitn(2, |byte| matches!(byte, b';' | b' ' | b'\t'));
    match parts.next()? {
        [] => Some(b""),
        whole @ [b'+', name @ ..] => {
            let word =
                |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            (!name.is_empty() && name.iter().all(word)).then_some(whole)
        }
        _ => None,
    }
}

fn strip<'b>(text: &'b [u8], name: &[u8]) -> Option<&'b [u8]> {
    let (start, rest) = text.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(rest)
}

/// The frame that stands for trailers. They fit: nobody takes header lists of gigabytes.
pub fn trailers_frame(fields: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    write_trailers(fields, &mut lines);
    let length = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    [&[TRAILERS][..], &length.to_be_bytes(), &lines].concat()
}

/// Follows the messages of a body, so that its end or trailers come behind one and never within.
#[derive(Debug, Default)]
pub struct Messages {
    /// Bytes of a prefix that were seen; 0 outside of one.
    prefix: u8,
    /// What is left of a message; within a prefix its length as far as it was seen.
    left: u32,
}

impl Messages {
    /// Goes on.
    ///
    /// # Errors
    /// Where a message should begin there is none.
    pub fn follow(&mut self, mut bytes: &[u8]) -> Result<(), BodyError> {
        while let Some((first, rest)) = bytes.split_first() {
            if self.prefix == 0 && self.left > 0 {
                let most = usize::try_from(self.left).unwrap_or(usize::MAX);
                let (taken, rest) = bytes.split_at(most.min(bytes.len()));
                let taken = u32::try_from(taken.len()).unwrap_or(self.left);
                self.left = self.left.saturating_sub(taken);
                bytes = rest;
                continue;
            }
            match self.prefix {
                0 if !MESSAGES.contains(first) => return Err(BodyError::Message),
                0 => {}
                _ => self.left = (self.left << 8) | u32::from(*first),
            }
            self.prefix = self.prefix.saturating_add(1) % PREFIX;
            bytes = rest;
        }
        Ok(())
    }

    /// Whether the last message is whole.
    pub fn is_whole(&self) -> bool {
        self.prefix == 0 && self.left == 0
    }
}

/// Reads base64 that comes in pieces cut anywhere; padding may stand wherever a sender flushed.
#[derive(Debug, Default)]
pub struct TextReader {
    /// The beginning of a group.
    carried: SmallVec<[u8; GROUP]>,
}

impl TextReader {
    /// The bytes that a further piece completes.
    ///
    /// # Errors
    /// It is no base64.
    pub fn read(&mut self, text: &[u8]) -> Result<Vec<u8>, BodyError> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        if !self.carried.is_empty() {
            let lacks = GROUP.saturating_sub(self.carried.len());
            let (first, behind) = text.split_at(lacks.min(text.len()));
            self.carried.extend_from_slice(first);
            if self.carried.len() < GROUP {
                return Ok(bytes);
            }
            decode(&self.carried, &mut bytes)?;
            self.carried.clear();
            rest = behind;
        }
        let (groups, begun) = rest.as_chunks::<GROUP>();
        decode(groups.as_flattened(), &mut bytes)?;
        self.carried.extend_from_slice(begun);
        Ok(bytes)
    }

    /// Whether nothing is lacking: without padding an end could be a cut.
    pub fn is_whole(&self) -> bool {
        self.carried.is_empty()
    }
}

/// Decodes whole groups, of which any may be padded.
fn decode(mut groups: &[u8], bytes: &mut Vec<u8>) -> Result<(), BodyError> {
    while !groups.is_empty() {
        let padded = memchr::memchr(b'=', groups).map(|at| at / GROUP);
        let end = padded.map(|group| group.saturating_add(1).saturating_mul(GROUP));
        let (run, rest) = end
            .and_then(|end| groups.split_at_checked(end))
            .unwrap_or((groups, &[]));
        let decoded = STANDARD.decode_vec(run, bytes);
        decoded.map_err(|_| BodyError::Base64)?;
        groups = rest;
    }
    Ok(())
}

/// The text of some bytes, complete in itself.
pub fn text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
#[path = "grpc_web_tests.rs"]
mod tests;
