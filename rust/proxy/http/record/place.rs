//! A request's place under the limit that its cluster has learned.

use std::time::{Duration, Instant};

use super::Record;
use crate::runtime::clock;

impl Record {
    /// Gives the place to another request; how long the answer took goes into the limit. Later ends,
    /// such as that of a client that leaves, tell nothing of the upstream.
    pub(super) fn leave(&mut self, now: Instant, failed: bool) {
        let Some(place) = self.place.take() else {
            return;
        };
        let held = self.held.as_ref().map_or(Duration::ZERO, |held| held.delay);
        place.answered(clock::nanos(now), held, failed);
    }
}
