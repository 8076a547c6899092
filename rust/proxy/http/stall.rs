//! Streams whose receiver lets nothing through: windows kept shut, or opened a byte at a time (HA-8).
//!
//! A wait begins when a stream has something to send and no room for it. It begins anew with every
//! [`FLOOR_BYTES`] that the receiver takes, and is over when it has taken all that there is: who
//! reads slowly goes on, and who has nothing to read is not waited for.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::runtime::clock;

/// What a receiver has to take before the wait for it begins anew: a frame's worth. In the default
/// 30 s that is 4 kbit/s, below any line that people still use.
pub(super) const FLOOR_BYTES: u32 = 16 * 1024;

/// The wait for the receiver of one stream.
#[derive(Debug, Default)]
pub(super) struct Stall(Cell<Wait>);

#[derive(Debug, Clone, Copy, Default)]
enum Wait {
    #[default]
    None,
    /// Since this turn of the task; the clock is read once, when the turn ends.
    Begins,
    Since(Instant),
}

impl Stall {
    /// Something waits to be sent; `moved` says whether the receiver has taken enough since.
    pub(super) fn wait(&self, moved: bool) {
        if moved || matches!(self.0.get(), Wait::None) {
            self.0.set(Wait::Begins);
        }
    }

    /// Nothing waits.
    pub(super) fn over(&self) {
        self.0.set(Wait::None);
    }

    /// When the wait will have lasted for `limit`.
    pub(super) fn due(&self, limit: Option<Duration>) -> Option<Instant> {
        let since = match self.0.get() {
            Wait::None => return None,
            Wait::Begins => clock::now(),
            Wait::Since(since) => since,
        };
        self.0.set(Wait::Since(since));
        Some(since + limit?)
    }
}

#[cfg(test)]
#[path = "stall_tests.rs"]
mod tests;
