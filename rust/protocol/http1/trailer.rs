//! One trailer line: whether it is a field, and whether it may pass.

use super::names::is_forbidden_trailer;
use super::names::is_token;
use super::names::is_value_byte;
use super::names::trim_blanks;
use crate::protocol::error::BodyError;

/// What a complete line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line<'b> {
    /// A field that passes, its value without blanks around it.
    Field { name: &'b [u8], value: &'b [u8] },
    /// A field that has no place in trailers.
    Drop,
    /// The empty line that ends the message.
    End,
}

/// Reads a line up to and with its LF.
pub(crate) fn read(line: &[u8]) -> Result<Line<'_>, BodyError> {
    let text = line.strip_suffix(b"\r\n").ok_or(BodyError::Trailer)?;
    if text.is_empty() {
        return Ok(Line::End);
    }
    let colon = memchr::memchr(b':', text).ok_or(BodyError::Trailer)?;
    let (name, value) = text.split_at_checked(colon).ok_or(BodyError::Trailer)?;
    let value = value.strip_prefix(b":").unwrap_or_default();
    if !is_token(name) || !value.iter().all(|byte| is_value_byte(*byte)) {
        return Err(BodyError::Trailer);
    }
    if is_forbidden_trailer(name) {
        return Ok(Line::Drop);
    }
    Ok(Line::Field {
        name,
        value: trim_blanks(value),
    })
}
