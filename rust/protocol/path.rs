//! Paths in one form: routes, policies, logs and the upstream all see what [`normalize`] returns.
//!
//! | spelling      | `none`  | `base`       | `merge_slashes` | `decode_and_merge_slashes` |
//! |---------------|---------|--------------|-----------------|----------------------------|
//! | `%00`, `#`    | refused | refused      | refused         | refused                    |
//! | `%zz`, `%`    | kept    | refused      | refused         | refused                    |
//! | `%61`, `%2e`  | kept    | `a`, `.`     | `a`, `.`        | `a`, `.`                   |
//! | `\`           | kept    | `/`          | `/`             | `/`                        |
//! | `%2f`, `%5c`  | kept    | `%2F`, `%5C` | `%2F`, `%5C`    | `/`                        |
//! | `/./`, `/../` | kept    | resolved, never above `/` | as `base` | as `base`            |
//! | `//`          | kept    | kept         | `/`             | `/`                        |
//!
//! Decoding happens once: `%252e` stays. Only unreserved characters are decoded (RFC 3986 §6.2.2),
//! so overlong UTF-8 (`%c0%ae`) stays encoded and `..;` stays a name. Dot segments are resolved
//! before slashes merge, as Envoy does: `/a//../b` is `/a/b`.

use std::borrow::Cow;

use super::error::HeadError;
use crate::wire::listener::PathNormalization;

/// The path in the form that the mode asks for; borrowed where it already has it.
///
/// What doesn't begin with `/` (the `*` of OPTIONS, CONNECT's nothing) is returned as it is.
pub fn normalize(path: &str, mode: PathNormalization) -> Result<Cow<'_, str>, HeadError> {
    if is_settled(path.as_bytes(), mode)? {
        return Ok(Cow::Borrowed(path));
    }
    let mut out = decode(path.as_bytes(), mode)?;
    resolve_dots(&mut out);
    if mode != PathNormalization::Base {
        out.dedup_by(|next, before| *next == b'/' && *before == b'/');
    }
    // All decoding was to ASCII, and nothing but ASCII was removed.
    String::from_utf8(out)
        .map(Cow::Owned)
        .map_err(|_| HeadError::Target)
}

/// Whether nothing has to change: one pass, no allocation, true for nearly every request.
fn is_settled(path: &[u8], mode: PathNormalization) -> Result<bool, HeadError> {
    let plain = mode == PathNormalization::None || path.first() != Some(&b'/');
    let merge = mode != PathNormalization::Base;
    let mut settled = true;
    let mut rest = path;
    let mut before = 0;
    while let [byte, after @ ..] = rest {
        match byte {
            b'#' => return Err(HeadError::Fragment),
            b'%' => settled &= check_escape(after, mode)?,
            b'\\' => settled = false,
            b'/' if merge && before == b'/' => settled = false,
            b'.' if before == b'/' => {
                settled &= !matches!(after, [] | [b'/', ..] | [b'.'] | [b'.', b'/', ..]);
            }
            _ => {}
        }
        before = *byte;
        rest = after;
    }
    Ok(settled || plain)
}

/// Whether the escape whose digits follow may stay as it is.
fn check_escape(digits: &[u8], mode: PathNormalization) -> Result<bool, HeadError> {
    let Some((byte, high, low)) = escape(digits) else {
        return match mode {
            PathNormalization::None => Ok(true),
            _ => Err(HeadError::PathEscape),
        };
    };
    if byte == 0 {
        return Err(HeadError::PathNul);
    }
    let upper = !high.is_ascii_lowercase() && !low.is_ascii_lowercase();
    Ok(upper && !is_unreserved(byte) && !is_decoded_slash(byte, mode))
}

/// The byte that two hexadecimal digits mean, and the digits.
fn escape(digits: &[u8]) -> Option<(u8, u8, u8)> {
    let [high, low, ..] = digits else { return None };
    let value = |digit: u8| char::from(digit).to_digit(16);
    let byte = value(*high)? << 4 | value(*low)?;
    Some((u8::try_from(byte).ok()?, *high, *low))
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

const fn is_decoded_slash(byte: u8, mode: PathNormalization) -> bool {
    matches!(mode, PathNormalization::DecodeAndMergeSlashes) && matches!(byte, b'/' | b'\\')
}

fn decode(path: &[u8], mode: PathNormalization) -> Result<Vec<u8>, HeadError> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'\\' => out.push(b'/'),
            b'%' => {
                let (byte, high, low) = escape(after).ok_or(HeadError::PathEscape)?;
                rest = after.get(2..).unwrap_or_default();
                if is_decoded_slash(byte, mode) {
                    out.push(b'/');
                } else if is_unreserved(byte) {
                    out.push(byte);
                } else {
                    out.extend([b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
                }
            }
            other => out.push(*other),
        }
    }
    Ok(out)
}

/// RFC 3986 §5.2.4 for a path that begins with `/`.
fn resolve_dots(path: &mut Vec<u8>) {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment.len() == 2 {
                    let parent = out.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
                    out.truncate(parent);
                }
                if last {
                    out.push(b'/');
                }
            }
            name => {
                out.push(b'/');
                out.extend_from_slice(name);
            }
        }
    }
    *path = out;
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
