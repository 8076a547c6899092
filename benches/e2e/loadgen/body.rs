//! Finds the end of an answer's body and checks its bytes as they come.

use crate::tally::{Failure, Kind};

/// The backend's bodies repeat this many bytes.
const PERIOD: usize = 251;
/// Compared in pieces of this size.
const PIECE: usize = 64 << 10;
/// A chunk's size line, with extensions, isn't longer.
const SIZE_LINE: usize = 256;

/// The bytes that the backend sends, checked at any offset.
pub(crate) struct BodyCheck {
    expected: Vec<u8>,
}

impl BodyCheck {
    pub(crate) fn new() -> Self {
        let letter = |i: usize| b'a' + u8::try_from((i % PERIOD) * 7 % 26).unwrap_or(0);
        Self {
            expected: (0..PIECE + PERIOD).map(letter).collect(),
        }
    }

    /// True if `bytes` are what stands at `offset` of every body.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a remainder by the period fits"
    )]
    pub(crate) fn holds(&self, offset: u64, bytes: &[u8]) -> bool {
        let mut at = (offset % PERIOD as u64) as usize;
        bytes.chunks(PIECE).all(|piece| {
            let same = self.expected.get(at..at + piece.len()) == Some(piece);
            at = (at + piece.len()) % PERIOD;
            same
        })
    }
}

/// How a body ends.
#[derive(Debug)]
pub(crate) enum Framing {
    /// After so many more bytes.
    Length(u64),
    Chunked(Chunks),
    /// With the connection.
    Close,
}

impl Framing {
    /// The framing that counts: answers without a body end with their head.
    pub(crate) fn of(framing: Self, bodyless: bool) -> Self {
        if bodyless { Self::Length(0) } else { framing }
    }
}

/// Where in a chunked body the reader stands.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    state: Part,
    line: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy)]
enum Part {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailer,
    Done,
}

impl Chunks {
    /// Takes framing from the front of `bytes`; hands back the next stretch of data and what follows.
    fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Failure> {
        if let Part::Data(left) = self.state {
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
            let (data, rest) = bytes.split_at(take);
            let left = left - take as u64;
            self.state = if left == 0 {
                Part::DataEnd
            } else {
                Part::Data(left)
            };
            return Ok((data, rest));
        }
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.line.extend_from_slice(bytes);
            if self.line.len() > SIZE_LINE {
                return Err(Failure::new(Kind::Body, "endless chunk line"));
            }
            return Ok((&[], &[]));
        };
        let (line, rest) = bytes.split_at(end + 1);
        self.line.extend_from_slice(line);
        self.take_line()?;
        self.line.clear();
        Ok((&[], rest))
    }

    fn take_line(&mut self) -> Result<(), Failure> {
        let wrong = |what: &str| Failure::new(Kind::Body, what);
        let line = self
            .line
            .strip_suffix(b"\r\n")
            .ok_or_else(|| wrong("a chunk line without CR"))?;
        self.state = match self.state {
            Part::Size => {
                let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
                let text = std::str::from_utf8(digits).unwrap_or_default();
                match u64::from_str_radix(text.trim_end(), 16) {
                    Ok(0) => Part::Trailer,
                    Ok(size) => Part::Data(size),
                    Err(_) => return Err(wrong("a wrong chunk size")),
                }
            }
            Part::DataEnd if line.is_empty() => Part::Size,
            Part::Trailer if line.is_empty() => Part::Done,
            Part::Trailer => Part::Trailer,
            _ => return Err(wrong("a chunk longer than its size")),
        };
        Ok(())
    }
}

/// A body on its way.
pub(crate) struct Body {
    pub(crate) framing: Framing,
    pub(crate) length: u64,
}

impl Body {
    /// True when nothing more may come.
    pub(crate) fn done(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunks) => matches!(chunks.state, Part::Done),
            Framing::Close => false,
        }
    }

    /// The connection has ended: refused unless that is how this body ends.
    pub(crate) fn end(&self) -> Result<(), Failure> {
        if matches!(self.framing, Framing::Close) {
            return Ok(());
        }
        let detail = format!("the body ended after {} bytes", self.length);
        Err(Failure::new(Kind::Eof, detail))
    }

    /// Takes bytes from the connection; refuses any beyond the end.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        check: Option<&BodyCheck>,
    ) -> Result<(), Failure> {
        while !bytes.is_empty() {
            if self.done() {
                let excess = format!("{} bytes after the end", bytes.len());
                return Err(Failure::new(Kind::Body, excess));
            }
            let (data, rest) = match &mut self.framing {
                Framing::Close => (bytes, &[][..]),
                Framing::Length(left) => {
                    let take = usize::try_from(*left)
                        .unwrap_or(usize::MAX)
                        .min(bytes.len());
                    *left -= take as u64;
                    bytes.split_at(take)
                }
                Framing::Chunked(chunks) => chunks.step(bytes)?,
            };
            if check.is_some_and(|check| !check.holds(self.length, data)) {
                let place = format!("wrong bytes at or after {}", self.length);
                return Err(Failure::new(Kind::Body, place));
            }
            self.length += data.len() as u64;
            bytes = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_found_at_every_split() {
        let text = b"3;x=y\r\nahg\r\n1\r\nb\r\n0\r\nt: v\r\n\r\n";
        for split in 0..=text.len() {
            let mut body = Body {
                framing: Framing::Chunked(Chunks::default()),
                length: 0,
            };
            body.take(&text[..split], None).unwrap();
            assert_eq!(body.done(), split == text.len());
            body.take(&text[split..], None).unwrap();
            assert!(body.done() && body.length == 4);
            assert!(body.take(b"x", None).is_err());
        }
    }

    #[test]
    fn wrong_chunks_are_refused() {
        for text in [&b"x\r\n"[..], b"1\r\nab\r\n", b"1\n", b"\r\n"] {
            let mut body = Body {
                framing: Framing::Chunked(Chunks::default()),
                length: 0,
            };
            assert!(body.take(text, None).is_err(), "{}", text.escape_ascii());
        }
    }

    #[test]
    fn a_changed_byte_is_seen() {
        let check = BodyCheck::new();
        let mut bytes: Vec<u8> = check.expected[..1000].to_vec();
        assert!(check.holds(251, &bytes));
        bytes[999] ^= 1;
        assert!(!check.holds(0, &bytes));
    }
}
