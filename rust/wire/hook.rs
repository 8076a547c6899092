//! Hooks: policy that users write, in native code or in Python.

use serde::{Deserialize, Serialize};

/// One hook; of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Its name.
    pub name: String,
    /// What becomes of a request when the hook fails.
    #[serde(default)]
    pub on_error: OnError,
    /// How long it may take, or pause.
    pub timeout_ms: u64,
    /// A filter.
    #[serde(default)]
    pub native: Option<Native>,
    /// A function.
    #[serde(default)]
    pub python: Option<Python>,
}

/// What becomes of a request when a hook fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It is refused.
    #[default]
    Deny,
    /// It goes on as if the hook had not been there.
    Allow,
}

/// A filter of the C ABI.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Native {
    /// Where it stands in the process's registry: the name of an entry point, or a library's path.
    pub filter: String,
    /// What it is created with.
    #[serde(default)]
    pub config: String,
}

/// An async function.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Python {
    /// When it is asked.
    pub phase: PythonPhase,
    /// The fields that it is told.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Bytes of the request's body that it is told; 0 is none of it.
    #[serde(default)]
    pub body_bytes: u64,
    /// Calls at once.
    pub concurrency: u32,
    /// Questions that may wait besides.
    pub max_pending: u32,
    /// What is remembered of its verdicts.
    #[serde(default)]
    pub cache: Option<HookCache>,
}

/// The phases of Python functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PythonPhase {
    /// A connection was accepted.
    Connection,
    /// A request's head has its route.
    Request,
    /// An upstream's head has come.
    Response,
    /// A request has ended; nobody waits for the verdict.
    Log,
}

/// What is remembered of verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HookCache {
    /// What verdicts depend on: `header.NAME`, `identity`, `method`, `path`, `query`, `authority`,
    /// `source.ip`, `route`, `listener`, `sni`.
    pub key: Vec<String>,
    /// How long a verdict holds.
    pub ttl_ms: u64,
    /// Verdicts that each worker remembers.
    pub entries: u32,
}

/// A hook in its place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HookUse {
    /// The hook's name.
    pub name: String,
    /// In place of the hook's own.
    #[serde(default)]
    pub on_error: Option<OnError>,
}
