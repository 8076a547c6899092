//! What a route takes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The conditions of a route; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// `example.com`, `*.example.com` or `*`; any of them. Empty means every host.
    pub hosts: Vec<String>,
    /// The path, without the query.
    pub path: Option<PathMatch>,
    /// Compares the path without regard to case, where it isn't a regex.
    pub ignore_path_case: bool,
    /// Any of these methods; empty means every method.
    pub methods: Vec<String>,
    /// The method, beside `methods`.
    pub method_match: Option<StringMatch>,
    /// `http` or `https`: as the connection is, or as a trusted proxy says.
    pub scheme: Option<StringMatch>,
    /// The authority as it came, with its port.
    pub authority: Option<StringMatch>,
    /// Header name (lower case) to condition; all must hold.
    pub headers: BTreeMap<String, StringMatch>,
    /// Header name to condition; none may hold. A header that is absent counts as empty.
    pub without_headers: BTreeMap<String, StringMatch>,
    /// Query parameter to condition; all must hold.
    pub query: BTreeMap<String, StringMatch>,
    /// The identity that the downstream's certificate proved (its URI SAN, else its first DNS SAN).
    pub identity: Option<StringMatch>,
}

/// How a path is compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// Whole segments: `/api` matches `/api` and `/api/x`, not `/apix`.
    Prefix(String),
    /// Any text at the beginning: `/api` matches `/apix` too.
    StringPrefix(String),
    /// The whole path, linear-time syntax of the `regex` crate.
    Regex(String),
}

/// How a value is compared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum StringMatch {
    /// Equal bytes.
    Exact(String),
    /// Begins with.
    Prefix(String),
    /// Ends with.
    Suffix(String),
    /// Contains.
    Contains(String),
    /// The whole value matches.
    Regex(String),
    /// `true`: is there, whatever its value; `false`: is absent.
    Present(bool),
}
