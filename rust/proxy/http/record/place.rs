//! A request's place under the limit that its cluster has learned.

use std::time::Duration;

use super::Record;
use crate::runtime::clock;

impl Record {
    /// Gives the place to another request; how long the answer took goes into the limit. Other ends,
    /// such as that of a client that leaves, tell nothing of the upstream.
    pub(super) fn leave(&mut self, failed: bool) {
        let Some(place) = self.place.take() else {
            return;
        };
        let now = self.answered.unwrap_or_else(clock::now);
        let held = Duration::from_micros(self.delayed_micros());
        place.answered(clock::nanos(now), held, failed);
    }
}
