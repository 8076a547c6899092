//! How much a route's requests matter.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How much a route's requests matter when not all can be served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoutePriority {
    /// Those whose header says nothing.
    pub level: Level,
    /// The header that says it; `None`: all are of `level`.
    pub header: Option<String>,
    /// What its values mean; none: `low`, `default` and `high` mean themselves.
    pub values: BTreeMap<String, Level>,
}

/// What is refused first, and what last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Refused first.
    Low,
    /// What nobody said anything of.
    #[default]
    Default,
    /// Refused last.
    High,
}

impl Level {
    /// The words, in order: as documents, headers and labels have them.
    pub const WORDS: [&'static str; 3] = ["low", "default", "high"];
}
