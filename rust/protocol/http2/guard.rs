//! Counts what an HTTP/2 peer does too much of, by frame heads alone, before h2 sees its bytes.
//!
//! What h2 0.4.20 bounds: the size of frames and of decoded heads; CONTINUATION, by that size; open
//! streams; the resets, refusals among them, that a peer's errors make us send; resets of streams
//! not yet accepted; the memory of small DATA not yet read; empty DATA, 100 in a connection's life.
//! It answers a PING or SETTINGS before it reads on, so that neither piles up.
//!
//! What it doesn't: how many PING, SETTINGS, PRIORITY, `WINDOW_UPDATE`, `RST_STREAM` or unknown
//! frames come; HEADERS and DATA on a stream that we reset; small DATA that is read as it comes;
//! resets of streams that were accepted. That is counted here, in one budget whose unit is a byte:
//!
//! - Useful work pays: a byte of DATA received, a byte sent, a stream opened, a second passed.
//! - Other frames cost [`FRAME`], and the bytes that they alone make us send, so that the answer
//!   to a flood doesn't pay for it. A flood of PING, SETTINGS and the like ends after about 2,050
//!   frames, of one-byte DATA after 2,400, of window updates by one byte after 1,430.
//! - Two window updates, or a PING and a window update, for each of the smallest messages of gRPC
//!   cost no more than that message pays. So no honest peer runs dry, however long it talks.

use std::fmt;

use super::frame::Frame;
use super::frame::Frames;
use super::frame::kind;

/// Bytes of DATA from which on a frame is worth its head: a gRPC message has a prefix of five.
const HANDFUL: u32 = 5;

/// What a frame costs that moves nothing: half of the smallest frame that does, since grpc-go sends
/// two (PING and `WINDOW_UPDATE`) for each message, and older servers in Go two window updates.
const FRAME: u32 = 7;

/// A PING is answered with a PING.
const PING_ANSWER: u32 = 17;

/// SETTINGS are answered with an empty SETTINGS.
const SETTINGS_ANSWER: u32 = 9;

/// A window opened by less than a handful is answered with DATA that is no larger.
const CRUMB_ANSWER: u32 = 9 + HANDFUL - 1;

/// What a connection begins with, and the most that it can save up: 2,048 frames in a row. Browsers
/// begin with a dozen, a thousand streams may be cancelled at once, and 10,000 is a flood.
const BUDGET: u32 = 2_048 * FRAME;

/// What a stream pays, so that nine frames may come with it: its end, its trailers, its reset, its
/// priority, its windows.
const STREAM: u32 = 9 * FRAME;

/// What a second pays: ten frames. Keep-alive PINGs of a quiet connection never add up.
const SECOND: u32 = 10 * FRAME;

/// CONTINUATION frames after one HEADERS. The largest list that we allow takes four of the smallest
/// maximal size, and who splits smaller has to end before twenty.
const CONTINUATIONS_MAX: u8 = 16;

/// Streams that a new connection may reset before they had a response; no more than these and the
/// open ones ever reach an upstream in vain.
const EARLY_RESETS_AT_FIRST: u16 = 100;

/// The same for a connection that has had so many responses more than it made early resets.
const EARLY_RESETS_MAX: u16 = 200;

/// What a connection did too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Excess {
    /// Frames that move nothing.
    ControlFrames,
    /// DATA frames with next to nothing in them.
    TinyData,
    /// CONTINUATION frames in one head.
    Continuations,
    /// Streams reset before they had a response.
    EarlyResets,
}

impl Excess {
    /// A stable word for logs, and the debug data of the GOAWAY.
    pub const fn slug(self) -> &'static str {
        match self {
            Self::ControlFrames => "control_frames",
            Self::TinyData => "tiny_data",
            Self::Continuations => "continuations",
            Self::EarlyResets => "early_resets",
        }
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl std::error::Error for Excess {}

/// What we are on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The peer is a downstream: its bytes begin with the preface, its HEADERS open streams.
    Server,
    /// The peer is an upstream: its HEADERS answer streams that we opened.
    Client,
}

/// The counts of one connection. After the first [`Excess`] it looks at nothing more and says `Ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    frames: Frames,
    budget: u32,
    /// The highest stream whose HEADERS came.
    newest: u32,
    early_resets_left: u16,
    continuations: u8,
    role: Role,
    settled: bool,
    over: bool,
}

impl Guard {
    /// At a connection's first byte.
    pub const fn new(role: Role) -> Self {
        Self {
            frames: match role {
                Role::Server => Frames::after_preface(),
                Role::Client => Frames::at_once(),
            },
            budget: BUDGET,
            newest: 0,
            early_resets_left: EARLY_RESETS_AT_FIRST,
            continuations: 0,
            role,
            settled: false,
            over: false,
        }
    }

    /// Whether the peer has acknowledged our SETTINGS.
    pub const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Looks at bytes that were read, before h2 gets them; how they are split changes nothing.
    /// `Err` once: the connection is to be ended with GOAWAY `ENHANCE_YOUR_CALM`.
    pub fn received(&mut self, bytes: &[u8]) -> Result<(), Excess> {
        let mut rest = bytes;
        while !self.over
            && let Some(frame) = self.frames.next(&mut rest)
        {
            self.weigh(&frame)?;
        }
        Ok(())
    }

    /// Bytes that we wrote, of whatever frames: window updates for them are legitimate.
    pub fn sent(&mut self, bytes: usize) {
        self.pay(bytes.try_into().unwrap_or(BUDGET));
    }

    /// Seconds that passed, told by whoever has a timer. Without them a connection on which nothing
    /// but the keep-alive moves would end after 2,048 PINGs.
    pub fn rested(&mut self, seconds: u32) {
        self.pay(seconds.saturating_mul(SECOND));
        self.allow_early_resets(seconds.try_into().unwrap_or(EARLY_RESETS_MAX));
    }

    /// A stream was reset by the peer before it had a response.
    pub fn reset_early(&mut self) -> Result<(), Excess> {
        match self.early_resets_left.checked_sub(1) {
            Some(left) => self.early_resets_left = left,
            None => return self.end(Excess::EarlyResets),
        }
        Ok(())
    }

    /// A stream had its response: pays an early reset back.
    pub fn answered(&mut self) {
        self.allow_early_resets(1);
    }

    fn weigh(&mut self, frame: &Frame) -> Result<(), Excess> {
        match frame.kind {
            kind::DATA => {
                let useful = frame.useful();
                self.pay(useful);
                if useful < HANDFUL {
                    return self.charge(FRAME, Excess::TinyData);
                }
                Ok(())
            }
            kind::HEADERS => {
                self.continuations = 0;
                match self.opened(frame.stream) {
                    0 => self.charge(FRAME, Excess::ControlFrames),
                    streams => {
                        self.pay(streams.saturating_mul(STREAM));
                        Ok(())
                    }
                }
            }
            kind::CONTINUATION => {
                self.continuations = self.continuations.saturating_add(1);
                if self.continuations > CONTINUATIONS_MAX {
                    return self.end(Excess::Continuations);
                }
                self.charge(FRAME, Excess::ControlFrames)
            }
            _ => {
                self.settled |= frame.settles();
                if frame.kind == kind::PUSH_PROMISE {
                    self.continuations = 0;
                }
                self.charge(FRAME.saturating_add(frame.answer()), Excess::ControlFrames)
            }
        }
    }

    /// How many streams these HEADERS show to be new. Ours have the odd numbers without a gap, and
    /// h2 ends the connection for an answer to any other; a client may leave numbers out.
    fn opened(&mut self, stream: u32) -> u32 {
        let ahead = stream.saturating_sub(self.newest);
        self.newest = self.newest.max(stream);
        match self.role {
            Role::Server => ahead.min(1),
            Role::Client => ahead.div_ceil(2),
        }
    }

    fn pay(&mut self, units: u32) {
        self.budget = self.budget.saturating_add(units).min(BUDGET);
    }

    fn charge(&mut self, units: u32, excess: Excess) -> Result<(), Excess> {
        match self.budget.checked_sub(units) {
            Some(left) => self.budget = left,
            None => return self.end(excess),
        }
        Ok(())
    }

    fn allow_early_resets(&mut self, more: u16) {
        let left = self.early_resets_left.saturating_add(more);
        self.early_resets_left = left.min(EARLY_RESETS_MAX);
    }

    fn end(&mut self, excess: Excess) -> Result<(), Excess> {
        if self.over {
            return Ok(());
        }
        self.over = true;
        Err(excess)
    }
}

impl Frame {
    /// The most that is sent because of this frame alone. An acknowledgement counts like what it
    /// acknowledges, which had been sent and so paid for it.
    fn answer(&self) -> u32 {
        match self.kind {
            kind::PING => PING_ANSWER,
            kind::SETTINGS => SETTINGS_ANSWER,
            kind::WINDOW_UPDATE if self.increment() < HANDFUL => CRUMB_ANSWER,
            _ => 0,
        }
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
