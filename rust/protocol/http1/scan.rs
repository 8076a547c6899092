//! Finds the end of a head in bytes that arrive piece by piece.
//!
//! Refuses a bare LF at once, since the parser behind it (httparse) would take it for a line end.

use memchr::memchr_iter;

use super::request::MAX_METHOD;
use crate::protocol::error::HeadError;
use crate::wire::listener::Underscores;

/// Empty lines ignored before a request line: RFC 9112 §2.2 asks for one, old clients sent two.
const MAX_EMPTY_LINES: u8 = 4;

/// What a request line holds beside method and target: two spaces and `HTTP/1.1`, CR, LF.
const LINE_EXTRA: usize = 12;

/// Bounds of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes, start line included.
    pub bytes: usize,
    /// Fields; at most [`MAX_FIELDS`](crate::protocol::head::MAX_FIELDS) count.
    pub count: usize,
    /// Bytes of a request's target.
    pub target: usize,
    /// What happens to names with an underscore in requests.
    pub underscores: Underscores,
}

impl HeadLimits {
    /// Bounds of a response, which has no target.
    pub const fn response(bytes: usize, count: usize) -> Self {
        Self {
            bytes,
            count,
            target: usize::MAX,
            underscores: Underscores::Keep,
        }
    }
}

/// Remembers how far it looked, so that a head that comes byte by byte is read once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeadScanner {
    /// Everything before has been looked at.
    seen: u32,
    /// Where the line begins that isn't complete yet.
    line: u32,
    /// Where the start line begins.
    start: u32,
    empty_lines: u8,
}

impl HeadScanner {
    /// Looks at a buffer that begins where it began the last time and has perhaps grown.
    ///
    /// Returns the length of the head, with the empty line that ends it and those before it.
    pub fn scan(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Option<usize>, HeadError> {
        let seen = self.seen as usize;
        let mut line = self.line as usize;
        for offset in memchr_iter(b'\n', buf.get(seen..).unwrap_or_default()) {
            let after = seen.saturating_add(offset).saturating_add(1);
            let first = line == self.start as usize;
            match buf.get(line..after) {
                Some([b'\r', b'\n']) if first => self.skip_empty_line(after)?,
                Some([b'\r', b'\n']) => return within(after, limits).map(Some),
                Some([text @ .., b'\r', b'\n']) if first => {
                    check_start_line(text.len(), limits)?;
                }
                Some([.., b'\r', b'\n']) => {}
                _ => return Err(HeadError::BareLf),
            }
            line = after;
        }
        if line == self.start as usize {
            check_start_line(buf.len().saturating_sub(line), limits)?;
        }
        if buf.len() >= limits.bytes {
            return Err(HeadError::TooManyBytes);
        }
        self.line = position(line)?;
        self.seen = position(buf.len())?;
        Ok(None)
    }

    fn skip_empty_line(&mut self, after: usize) -> Result<(), HeadError> {
        if self.empty_lines == MAX_EMPTY_LINES {
            return Err(HeadError::EmptyLines);
        }
        self.empty_lines = self.empty_lines.saturating_add(1);
        self.start = position(after)?;
        Ok(())
    }
}

fn within(length: usize, limits: &HeadLimits) -> Result<usize, HeadError> {
    if length > limits.bytes {
        return Err(HeadError::TooManyBytes);
    }
    Ok(length)
}

/// A first, rough look at a line that may not have ended; the parser compares exactly.
fn check_start_line(length: usize, limits: &HeadLimits) -> Result<(), HeadError> {
    let most = limits
        .target
        .saturating_add(MAX_METHOD)
        .saturating_add(LINE_EXTRA);
    if length > most {
        return Err(HeadError::TargetTooLong);
    }
    Ok(())
}

fn position(at: usize) -> Result<u32, HeadError> {
    u32::try_from(at).map_err(|_| HeadError::TooManyBytes)
}
