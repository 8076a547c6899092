//! One trailer line: whether it is a field, and whether it may pass.

use crate::protocol::error::BodyError;
use crate::protocol::http1::names::is_forbidden_trailer;
use crate::protocol::http1::names::is_token;
use crate::protocol::http1::names::is_value_byte;

/// What a complete line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A field that passes.
    Keep,
    /// A field that has no place in trailers.
    Drop,
    /// The empty line that ends the message.
    End,
}

/// Reads a line up to and with its LF.
pub(super) fn read(line: &[u8]) -> Result<Line, BodyError> {
    let text = line.strip_suffix(b"\r\n").ok_or(BodyError::Trailer)?;
    if text.is_empty() {
        return Ok(Line::End);
    }
    let colon = memchr::memchr(b':', text).ok_or(BodyError::Trailer)?;
    let (name, value) = text.split_at_checked(colon).ok_or(BodyError::Trailer)?;
    if !is_token(name) || !value.iter().all(|byte| is_value_byte(*byte)) {
        return Err(BodyError::Trailer);
    }
    if is_forbidden_trailer(name) {
        return Ok(Line::Drop);
    }
    Ok(Line::Keep)
}
