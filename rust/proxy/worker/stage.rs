//! What the process's overload means for this worker's connections.

use std::time::Instant;

use super::Worker;
use crate::policy::overload::Stage;
use crate::runtime::clock;

impl Worker {
    /// Since when idle connections are to be closed, because the process has too much to do.
    pub fn pressed(&self) -> Option<Instant> {
        self.pressed.get()
    }

    /// Notes the process's stage, and wakes idle connections where it concerns them.
    pub(super) fn note_stage(&self) {
        let pressed = self.overload.stage() >= Stage::CloseIdle;
        if pressed == self.pressed.get().is_some() {
            return;
        }
        self.pressed.set(pressed.then(clock::now));
        if pressed {
            self.wake_connections();
        }
    }
}
