//! Route tables: what an HTTP listener matches and where each match goes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The routes of the listeners that name it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// Its name.
    pub name: String,
    /// In the user's order, which breaks ties between equally specific routes.
    pub routes: Vec<Route>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Stands in logs and metrics.
    pub name: String,
    /// Everything that must hold; empty matches every request.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// Where it goes; shares by weight.
    pub to: Vec<Target>,
    /// From the request's last byte of head to the response's last byte; 0 is off.
    #[serde(default)]
    pub timeout_ms: u64,
    /// From the request's last byte to the end of the response's head; 0 is off.
    #[serde(default)]
    pub response_header_timeout_ms: u64,
}

/// A share of a route's requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A cluster's name.
    pub cluster: String,
    /// Relative share; 0 takes nothing.
    #[serde(default = "one")]
    pub weight: u32,
}

fn one() -> u32 {
    1
}

/// The conditions of a route; all that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// `example.com`, `*.example.com` or `*`; any of them. Empty means every host.
    pub hosts: Vec<String>,
    /// The path, without the query.
    pub path: Option<PathMatch>,
    /// Any of these methods; empty means every method.
    pub methods: Vec<String>,
    /// Header name (lower case) to condition; all must hold.
    pub headers: BTreeMap<String, StringMatch>,
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
