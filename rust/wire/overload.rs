//! When the process has too much to do, and what it refuses then.

use serde::{Deserialize, Serialize};

/// What the process may use; 0 is any amount. There is one of these at most.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Overload {
    /// Its name.
    pub name: String,
    /// Bytes of memory that are resident.
    #[serde(default)]
    pub max_memory: u64,
    /// Open files in percent of the process's limit.
    #[serde(default)]
    pub max_open_files_percent: u8,
    /// HTTP requests that are being served.
    #[serde(default)]
    pub max_active_requests: u32,
    /// What happens as they fill.
    #[serde(default)]
    pub stages: OverloadStages,
}

/// From how many percent of the fullest on what happens; each stage does what those before it do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OverloadStages {
    /// Connections without a request are closed.
    pub close_idle: u8,
    /// Requests of low priority are refused.
    pub refuse_low: u8,
    /// All requests but those of high priority are refused, and TCP connections.
    pub refuse_default: u8,
    /// Everything new is refused, connections too.
    pub refuse_all: u8,
}

impl Default for OverloadStages {
    fn default() -> Self {
        Self {
            close_idle: 80,
            refuse_low: 90,
            refuse_default: 95,
            refuse_all: 100,
        }
    }
}
