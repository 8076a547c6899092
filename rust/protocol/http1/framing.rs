//! How long a body is, from Content-Length and Transfer-Encoding alone (RFC 9112 §6.3).

use super::names::is_token;
use super::names::trim_blanks;
use crate::protocol::error::HeadError;
use crate::protocol::head::Version;

/// A request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// There is none, and no field speaks of one.
    None,
    /// So many bytes, perhaps 0.
    Length(u64),
    /// Chunks; from HTTP/2 a body of unknown length.
    Chunked,
}

impl Framing {
    /// Whether nothing follows the head.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// A response's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseFraming {
    /// There can be none: HEAD, 1xx, 204, 304, 2xx to CONNECT.
    None,
    /// So many bytes, perhaps 0.
    Length(u64),
    /// Chunks; from HTTP/2 a body of unknown length.
    Chunked,
    /// Everything until the connection closes.
    UntilClose,
}

impl ResponseFraming {
    /// Whether nothing follows the head.
    pub const fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// What the fields declare.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Declared {
    pub(crate) length: Option<u64>,
    pub(crate) chunked: bool,
}

impl Declared {
    /// Takes a Content-Length. Equal values twice are refused too: who sent them is broken, and
    /// which one the next server reads is unknown.
    pub(crate) fn take_length(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if self.chunked {
            return Err(HeadError::LengthAndCoding);
        }
        if self.length.is_some() {
            return Err(HeadError::LengthRepeated);
        }
        self.length = Some(parse_length(value)?);
        Ok(())
    }

    /// Takes a Transfer-Encoding; `chunked` alone is what we speak.
    pub(crate) fn take_coding(&mut self, value: &[u8]) -> Result<(), HeadError> {
        if self.length.is_some() {
            return Err(HeadError::LengthAndCoding);
        }
        if self.chunked {
            return Err(HeadError::CodingRepeated);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(refused_coding(value));
        }
        self.chunked = true;
        Ok(())
    }

    /// The body of a request; `undeclared` is what it has where no field speaks of one.
    pub(crate) fn request(
        self,
        version: Version,
        undeclared: Framing,
    ) -> Result<Framing, HeadError> {
        match self.length {
            _ if self.chunked => coding_in(version).map(|()| Framing::Chunked),
            Some(length) => Ok(Framing::Length(length)),
            None => Ok(undeclared),
        }
    }

    /// The body of a response that may have one; `undeclared` as with requests.
    pub(crate) fn response(
        self,
        version: Version,
        undeclared: ResponseFraming,
    ) -> Result<ResponseFraming, HeadError> {
        match self.length {
            _ if self.chunked => coding_in(version).map(|()| ResponseFraming::Chunked),
            Some(length) => Ok(ResponseFraming::Length(length)),
            None => Ok(undeclared),
        }
    }
}

/// HTTP/1.0 knows no codings (FR-4), and HTTP/2 has frames instead (TR-3).
const fn coding_in(version: Version) -> Result<(), HeadError> {
    match version {
        Version::Http10 => Err(HeadError::CodingInHttp10),
        Version::Http11 => Ok(()),
        Version::Http2 => Err(HeadError::Coding),
    }
}

/// ASCII digits only, and no more than a u64 holds; leading zeros are decimal.
fn parse_length(value: &[u8]) -> Result<u64, HeadError> {
    if value.is_empty() {
        return Err(HeadError::Length);
    }
    value.iter().try_fold(0_u64, |sum, byte| {
        if !byte.is_ascii_digit() {
            return Err(HeadError::Length);
        }
        sum.checked_mul(10)
            .and_then(|tens| tens.checked_add(u64::from(byte & 0x0f)))
            .ok_or(HeadError::Length)
    })
}

/// 501 only for a list of tokens that could frame a message, with at most one `chunked`, at the
/// end. Everything else is malformed.
fn refused_coding(value: &[u8]) -> HeadError {
    let mut codings = value.split(|byte| *byte == b',').map(trim_blanks);
    let last_is_token = codings.next_back().is_some_and(is_token);
    let others_too =
        codings.all(|coding| is_token(coding) && !coding.eq_ignore_ascii_case(b"chunked"));
    if last_is_token && others_too {
        HeadError::CodingUnknown
    } else {
        HeadError::Coding
    }
}
