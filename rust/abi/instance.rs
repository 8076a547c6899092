//! A filter with its configuration and its state.

use super::{Phase, Phases, Subject, Verdict};

/// A filter that was created with a configuration; called by all workers.
#[derive(Debug)]
pub struct Instance {
    phases: Phases,
}

impl Instance {
    /// Creates the filter that stands in the registry under `key`.
    ///
    /// # Errors
    /// There is none, or it refuses `config`; in words for the user.
    pub fn create(key: &str, config: &str) -> Result<Self, String> {
        let _ = config;
        Err(format!("there is no filter {key:?}"))
    }

    /// The phases in which it wants to be called.
    pub fn phases(&self) -> Phases {
        self.phases
    }

    /// Whether it may change the pieces of requests' (`RequestBody`) or answers' bodies
    /// (`ResponseBody`), whose length is then unknown before.
    pub fn edits(&self, body: Phase) -> bool {
        let _ = body;
        false
    }

    /// Calls it.
    pub fn call(&self, phase: Phase, subject: &mut dyn Subject) -> Verdict {
        let _ = (phase, subject);
        Verdict::Continue
    }
}
