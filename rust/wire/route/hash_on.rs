//! What a request's key is made of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A part of a request's key: one of the four.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HashOn {
    /// A field's name.
    pub header: Option<String>,
    /// A cookie.
    pub cookie: Option<HashCookie>,
    /// The client's IP address.
    pub source_address: bool,
    /// A query parameter's name.
    pub query: Option<String>,
    /// What follows doesn't count where something was found until here.
    pub terminal: bool,
}

/// A cookie in a key.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HashCookie {
    /// Its name.
    pub name: String,
    /// The path of a cookie that we give; empty names none.
    #[serde(default = "root")]
    pub path: String,
    /// How long a cookie that we give lasts; 0 as long as the browser runs. `None` gives none.
    #[serde(default)]
    pub ttl_ms: Option<u64>,
    /// Others, to value; a value may be empty.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
}

fn root() -> String {
    "/".to_owned()
}
