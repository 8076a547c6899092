//! Requests of one session keep to the endpoint that answered its first one.

use serde::{Deserialize, Serialize};

use super::HashCookie;

/// What carries the endpoint's name between requests: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SessionAffinity {
    /// A cookie, always given; without a time it lasts as long as the browser runs.
    pub cookie: Option<HashCookie>,
    /// A field that the client sends back as it got it.
    pub header: Option<String>,
    /// No other endpoint will do.
    pub strict: bool,
}
