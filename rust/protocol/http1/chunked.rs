//! Walks a chunked body where it lies and leaves what may be forwarded (RFC 9112 §7.1).
//!
//! Extensions and forbidden trailers are cut by moving the rest down, so what is kept never takes
//! more room than what came. Sizes, line ends and trailers are checked byte by byte; payload is
//! skipped. However the input is split, the bytes kept are the same.

mod cursor;

use cursor::Cursor;

use super::names::is_value_byte;
use super::trailer;
use super::trailer::Line;
use crate::protocol::error::BodyError;

/// Hexadecimal digits of a size; more could not be summed.
const MAX_SIZE_DIGITS: u8 = 16;

/// Bytes of extensions in one message, as hyper allows; nobody is known to send any.
const MAX_EXTENSIONS: u32 = 16 * 1024;

/// Bytes of all trailers, and the most that a caller has to hold back until a line is complete.
pub const MAX_TRAILERS: usize = 4 * 1024;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkMode {
    /// Valid chunked framing.
    Forward,
    /// The payload alone.
    Decode,
    /// The payload, then the trailer lines: what another protocol frames anew.
    Split,
}

/// What one look found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Bytes done with; what follows comes again with the next look, or, after `done`, belongs to
    /// the next message. Only an incomplete trailer line is left, at most [`MAX_TRAILERS`] bytes.
    pub consumed: usize,
    /// Bytes to forward, at the front of the buffer.
    pub kept: usize,
    /// How many of them, at their end, are trailer lines and no payload; [`ChunkMode::Split`] only.
    pub trailers: usize,
    /// The message is complete.
    pub done: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a size, after so many digits.
    Size(u8),
    Extension {
        quoted: bool,
        escaped: bool,
    },
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailers,
    Done,
}

/// The state of one body.
#[derive(Debug, Clone, Copy)]
pub struct ChunkScanner {
    state: State,
    mode: ChunkMode,
    /// The size being read, then the payload of the chunk that is still to come.
    remaining: u64,
    total: u64,
    extensions: u32,
    trailers: u32,
    /// How far the incomplete trailer line has been searched.
    searched: u32,
}

impl ChunkScanner {
    /// Keeps valid chunked framing.
    pub const fn forward() -> Self {
        Self::new(ChunkMode::Forward)
    }

    /// Keeps the payload alone.
    pub const fn decode() -> Self {
        Self::new(ChunkMode::Decode)
    }

    /// Keeps the payload, then the trailer lines.
    pub const fn split() -> Self {
        Self::new(ChunkMode::Split)
    }

    /// At a body's first byte.
    pub const fn new(mode: ChunkMode) -> Self {
        Self {
            state: State::Size(0),
            mode,
            remaining: 0,
            total: 0,
            extensions: 0,
            trailers: 0,
            searched: 0,
        }
    }

    /// Payload of the current chunk that is still to come, which may pass by another way.
    pub const fn payload_remaining(&self) -> u64 {
        match self.state {
            State::Data => self.remaining,
            _ => 0,
        }
    }

    /// Payload of all chunks whose sizes have been read.
    pub const fn payload_total(&self) -> u64 {
        self.total
    }

    /// Whether the message is complete.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// So much payload passed by another way; no more than [`Self::payload_remaining`] counts.
    pub fn advance(&mut self, count: u64) {
        if self.state == State::Data {
            self.remaining = self.remaining.saturating_sub(count);
            if self.remaining == 0 {
                self.state = State::DataCr;
            }
        }
    }

    /// Looks at what arrived. After an error nothing of the body may count as complete.
    pub fn scan(&mut self, buf: &mut [u8]) -> Result<Scanned, BodyError> {
        let mut at = Cursor::new(buf);
        let mut trailers: usize = 0;
        loop {
            let more = match self.state {
                State::Data => self.data(&mut at),
                State::Trailers => {
                    let before = at.write;
                    let more = self.trailer(&mut at)?;
                    trailers = trailers.saturating_add(at.write.saturating_sub(before));
                    more
                }
                State::Done => false,
                _ => match at.next() {
                    Some(byte) => {
                        self.framing_byte(byte, &mut at)?;
                        true
                    }
                    None => false,
                },
            };
            if !more {
                return Ok(Scanned {
                    consumed: at.read,
                    kept: at.write,
                    trailers: at.lines,
                    done: self.state == State::Done,
                });
            }
        }
    }

    /// Passes over payload; false when there is no more.
    fn data(&mut self, at: &mut Cursor<'_>) -> bool {
        let here = at.rest().len();
        let count = usize::try_from(self.remaining).map_or(here, |remaining| remaining.min(here));
        at.pass(count, true);
        self.advance(u64::try_from(count).unwrap_or(u64::MAX));
        self.state != State::Data
    }

    fn framing_byte(&mut self, byte: u8, at: &mut Cursor<'_>) -> Result<(), BodyError> {
        let forward = self.mode == ChunkMode::Forward;
        let keep = match self.state {
            State::Size(digits) => self.size_byte(byte, digits)?,
            State::Extension { quoted, escaped } => self.extension_byte(byte, quoted, escaped)?,
            State::SizeLf => {
                expect(byte, b'\n', BodyError::ChunkExtension)?;
                self.begin_chunk()?;
                true
            }
            State::DataCr => {
                expect(byte, b'\r', BodyError::ChunkEnd)?;
                self.state = State::DataLf;
                true
            }
            State::DataLf => {
                expect(byte, b'\n', BodyError::ChunkEnd)?;
                self.state = State::Size(0);
                true
            }
            State::Data | State::Trailers | State::Done => false,
        };
        if keep && forward {
            at.keep(byte);
        }
        Ok(())
    }

    /// Whether the byte is kept.
    fn size_byte(&mut self, byte: u8, digits: u8) -> Result<bool, BodyError> {
        match byte {
            b'\r' if digits > 0 => self.state = State::SizeLf,
            b';' if digits > 0 => {
                self.count_extension()?;
                self.state = State::Extension {
                    quoted: false,
                    escaped: false,
                };
                return Ok(false);
            }
            _ => {
                let digit = char::from(byte).to_digit(16).ok_or(BodyError::ChunkSize)?;
                if digits == MAX_SIZE_DIGITS {
                    return Err(BodyError::ChunkSize);
                }
                self.remaining = self.remaining << 4 | u64::from(digit);
                self.state = State::Size(digits.saturating_add(1));
            }
        }
        Ok(true)
    }

    /// A quotation may hold anything but control bytes, and has to end before the line does.
    fn extension_byte(&mut self, byte: u8, quoted: bool, escaped: bool) -> Result<bool, BodyError> {
        if byte == b'\r' && !quoted {
            self.state = State::SizeLf;
            return Ok(true);
        }
        if !is_value_byte(byte) {
            return Err(BodyError::ChunkExtension);
        }
        self.count_extension()?;
        self.state = State::Extension {
            quoted: quoted != (byte == b'"' && !escaped),
            escaped: quoted && byte == b'\\' && !escaped,
        };
        Ok(false)
    }

    fn count_extension(&mut self) -> Result<(), BodyError> {
        self.extensions = self.extensions.saturating_add(1);
        if self.extensions > MAX_EXTENSIONS {
            return Err(BodyError::ExtensionsTooLong);
        }
        Ok(())
    }

    fn begin_chunk(&mut self) -> Result<(), BodyError> {
        let total = self.total.checked_add(self.remaining);
        self.total = total.ok_or(BodyError::TooLong)?;
        self.state = match self.remaining {
            0 => State::Trailers,
            _ => State::Data,
        };
        Ok(())
    }

    /// Reads one trailer line; false when it isn't complete or was the last.
    fn trailer(&mut self, at: &mut Cursor<'_>) -> Result<bool, BodyError> {
        let rest = at.rest();
        let searched = self.searched as usize;
        let end = memchr::memchr(b'\n', rest.get(searched..).unwrap_or_default());
        let length = end.map_or(rest.len(), |end| {
            searched.saturating_add(end).saturating_add(1)
        });
        let so_far = u32::try_from(length).map_or(u32::MAX, |l| self.trailers.saturating_add(l));
        if so_far as usize > MAX_TRAILERS {
            return Err(BodyError::TrailersTooLong);
        }
        if end.is_none() {
            self.searched = u32::try_from(length).unwrap_or(u32::MAX);
            return Ok(false);
        }
        let line = trailer::read(rest.get(..length).unwrap_or_default())?;
        let ended = matches!(line, Line::End);
        let keep = match line {
            Line::Field { .. } => self.mode != ChunkMode::Decode,
            Line::Drop => false,
            Line::End => self.mode == ChunkMode::Forward,
        };
        at.pass(length, keep);
        if keep && self.mode == ChunkMode::Split {
            at.lines = at.lines.saturating_add(length);
        }
        self.trailers = so_far;
        self.searched = 0;
        if ended {
            self.state = State::Done;
        }
        Ok(!ended)
    }
}

fn expect(byte: u8, wanted: u8, error: BodyError) -> Result<(), BodyError> {
    if byte == wanted { Ok(()) } else { Err(error) }
}
