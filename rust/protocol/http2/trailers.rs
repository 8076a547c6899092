//! Trailers from one version of HTTP to the other: which pass is the same rule everywhere (FR-11).
//! Pseudo-fields among them the `h2` crate leaves out.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;

use crate::protocol::error::BodyError;
use crate::protocol::http1::chunked::MAX_TRAILERS;
use crate::protocol::http1::names::is_forbidden_trailer;
use crate::protocol::http1::names::is_token;
use crate::protocol::http1::names::trim_blanks;
use crate::protocol::http1::trailer;
use crate::protocol::http1::trailer::Line;

/// Trailers of one message. A table entry makes a field of one byte, and h2 counts bytes alone (HA-4);
/// heads have their own bound.
const MAX_TRAILER_FIELDS: usize = 128;

/// Drops the trailers that have no place there; more than [`MAX_TRAILER_FIELDS`] are refused.
pub fn passing_trailers(trailers: &mut HeaderMap) -> Result<(), BodyError> {
    if trailers.len() > MAX_TRAILER_FIELDS {
        return Err(BodyError::TrailersTooLong);
    }
    let forbidden: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| !has_place(name))
        .cloned()
        .collect();
    for name in forbidden {
        trailers.remove(name);
    }
    Ok(())
}

/// Whether it may pass. The `h2` crate takes `"` in names, which no reader of HTTP/1 has to.
fn has_place(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    is_token(name) && !is_forbidden_trailer(name)
}

/// Appends the trailers that pass as HTTP/1 has them: their lines, without the chunk before and the
/// empty line behind.
pub fn write_trailers(trailers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in trailers {
        if !has_place(name) {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(trim_blanks(value.as_bytes()));
        out.extend_from_slice(b"\r\n");
    }
}

/// Reads the lines that a chunked body ended with, at most [`MAX_TRAILERS`] bytes and
/// [`MAX_TRAILER_FIELDS`] that pass, with the empty line
/// behind them or without; those that have no place there are dropped.
pub fn parse_trailers(lines: &[u8]) -> Result<HeaderMap, BodyError> {
    if lines.len() > MAX_TRAILERS {
        return Err(BodyError::TrailersTooLong);
    }
    let mut trailers = HeaderMap::new();
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match trailer::read(line)? {
            Line::Field { name, value } => {
                let name = HeaderName::from_bytes(name).map_err(|_| BodyError::Trailer)?;
                let value = HeaderValue::from_bytes(value).map_err(|_| BodyError::Trailer)?;
                if trailers.len() == MAX_TRAILER_FIELDS {
                    return Err(BodyError::TrailersTooLong);
                }
                let appended = trailers.try_append(name, value);
                appended.map_err(|_| BodyError::TrailersTooLong)?;
            }
            Line::Drop => {}
            Line::End => break,
        }
    }
    Ok(trailers)
}

#[cfg(test)]
#[path = "trailers_tests.rs"]
mod tests;
