//! How much a request matters when not all can be served.

use serde::{Deserialize, Serialize};

/// What is refused first, and what last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Refused first.
    Low,
    /// What nobody said anything of.
    #[default]
    Default,
    /// Refused last.
    High,
}

impl Priority {
    /// The words, in order; the labels of what is counted by priority.
    pub const WORDS: [&'static str; 3] = ["low", "default", "high"];

    /// As documents, headers and labels have it.
    pub const fn as_str(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}
