//! Copies of requests.

use serde::{Deserialize, Serialize};

use super::Percentage;

/// Where copies of a route's requests go; their answers are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// A cluster's name.
    pub cluster: String,
    /// How many requests.
    #[serde(default)]
    pub percentage: Percentage,
}
