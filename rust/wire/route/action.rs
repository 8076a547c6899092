//! What a route does besides going somewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StringMatch;

/// Sends the client elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redirect {
    /// `http` or `https`; left out, the request's.
    pub scheme: Option<String>,
    /// Host, with a port or without; left out, the request's.
    pub host: Option<String>,
    /// Left out: what `host` says, or the request. The scheme's own is never written.
    pub port: Option<u16>,
    /// In place of the whole path; the query stays unless this has one.
    pub path: Option<String>,
    /// In place of what `match.path` has as prefix.
    pub prefix: Option<String>,
    /// 301, 302, 303, 307 or 308.
    pub code: Option<u16>,
}

/// Answers without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DirectResponse {
    /// 200 to 599.
    pub status: u16,
    /// What follows the head.
    #[serde(default)]
    pub body: Option<String>,
    /// The same, where it is no text.
    #[serde(default)]
    pub body_base64: Option<String>,
    /// `text/plain` where there is a body and this is left out.
    #[serde(default)]
    pub content_type: Option<String>,
}

/// What an upstream sees in place of what came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rewrite {
    /// In place of the whole path; the query stays.
    pub path: Option<String>,
    /// In place of what `match.path` has as prefix: whole segments for `prefix`, mere text for
    /// `string_prefix`.
    pub prefix: Option<String>,
    /// In place of what matches within the path.
    pub regex: Option<RegexRewrite>,
    /// In place of the authority.
    pub host: Option<String>,
}

/// Replaces every match in a path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RegexRewrite {
    /// What is looked for.
    pub pattern: String,
    /// What stands there instead; `\1` is the first group, `\0` all of the match, `\\` a backslash.
    pub substitution: String,
}

/// Changes of fields: `set`, then `add`, then `remove`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderEdits {
    /// Name to value, in place of what there is. Values may hold operators: `%REQ(name)%`.
    pub set: BTreeMap<String, String>,
    /// Name to value, beside what there is.
    pub add: BTreeMap<String, String>,
    /// Names.
    pub remove: Vec<String>,
}

/// Which pages of other origins may read answers (the CORS protocol of the Fetch standard).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Any of them; `exact: "*"` is every origin.
    pub allow_origins: Vec<StringMatch>,
    /// Told to preflights.
    pub allow_methods: Vec<String>,
    /// Told to preflights.
    pub allow_headers: Vec<String>,
    /// Told with each answer.
    pub expose_headers: Vec<String>,
    /// How long a preflight's answer may be kept; `None` tells nothing.
    pub max_age_ms: Option<u64>,
    /// Whether requests may carry cookies.
    pub allow_credentials: bool,
    /// What becomes of preflights of other origins.
    pub unmatched_preflights: UnmatchedPreflights,
}

/// What becomes of preflights of origins that aren't allowed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UnmatchedPreflights {
    /// They go where other requests go.
    #[default]
    Forward,
    /// They are answered without a word of CORS.
    Ignore,
}
