//! Route tables: what an HTTP listener matches and what becomes of each match.

mod action;
mod fault;
mod hash_on;
mod matches;
mod mirror;
mod priority;
mod rate_limit;
mod rate_limit_service;
mod retries;
mod session_affinity;

use serde::{Deserialize, Serialize};

use super::hook::HookUse;

pub use action::{
    Cors, DirectResponse, HeaderEdits, Redirect, RegexRewrite, Rewrite, UnmatchedPreflights,
};
pub use fault::{Abort, Delay, Fault, Percentage};
pub use hash_on::{HashCookie, HashOn};
pub use matches::{Match, PathMatch, StringMatch};
pub use mirror::Mirror;
pub use priority::{Level, RoutePriority};
pub use rate_limit::{Rate, RateLimit};
pub use rate_limit_service::{Grpc, OnError, RateLimitService, Redis};
pub use retries::{BackOff, Hedge, Retries, RetryOn};
pub use session_affinity::SessionAffinity;

/// The routes of the listeners that name it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// Its name.
    pub name: String,
    /// Which of several matching routes is taken.
    #[serde(default)]
    pub order: RouteOrder,
    /// In the user's order.
    pub routes: Vec<Route>,
}

/// Which of several matching routes is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteOrder {
    /// The most specific one, as Gateway API orders them; the user's order breaks ties.
    #[default]
    Specific,
    /// The first one among those of the most specific host. Where none of those matches, none of a
    /// less specific host is looked at.
    Document,
}

/// One route: goes to clusters, or redirects, or answers. What few routes have is boxed, since tables
/// have thousands of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Stands in logs and metrics.
    pub name: String,
    /// Everything that must hold; empty matches every request.
    #[serde(default, rename = "match")]
    pub matches: Match,
    /// Where it goes; shares by weight.
    #[serde(default)]
    pub to: Vec<Target>,
    /// In place of `to`.
    #[serde(default)]
    pub redirect: Option<Box<Redirect>>,
    /// In place of `to`.
    #[serde(default)]
    pub direct_response: Option<Box<DirectResponse>>,
    /// What upstreams see of path and host.
    #[serde(default)]
    pub rewrite: Option<Box<Rewrite>>,
    /// Changes of a request's fields.
    #[serde(default)]
    pub request_headers: Option<Box<HeaderEdits>>,
    /// Changes of a response's fields, our own answers' too.
    #[serde(default)]
    pub response_headers: Option<Box<HeaderEdits>>,
    /// Who may call from a browser.
    #[serde(default)]
    pub cors: Option<Box<Cors>>,
    /// Delays and failures on purpose.
    #[serde(default)]
    pub fault: Option<Box<Fault>>,
    /// How many requests pass; all of them must let a request pass.
    #[serde(default)]
    pub rate_limits: Vec<RateLimit>,
    /// How much its requests matter when not all can be served.
    #[serde(default)]
    pub priority: Option<Box<RoutePriority>>,
    /// Who is asked about its requests, in this order.
    #[serde(default)]
    pub hooks: Vec<HookUse>,
    /// Who gets copies of its requests.
    #[serde(default)]
    pub mirrors: Vec<Mirror>,
    /// What is tried again.
    #[serde(default)]
    pub retries: Option<Box<Retries>>,
    /// A second attempt beside the first.
    #[serde(default)]
    pub hedge: Option<Hedge>,
    /// What the key is made of by which clusters that go by keys choose; in this order.
    #[serde(default)]
    pub hash_on: Vec<HashOn>,
    /// Requests of one session keep to one endpoint.
    #[serde(default)]
    pub session_affinity: Option<Box<SessionAffinity>>,
    /// From the request's last byte of head to the response's last byte, without what `fault` delays;
    /// 0 is off.
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
    /// Changes of a request's fields, after the route's.
    #[serde(default)]
    pub request_headers: Option<Box<HeaderEdits>>,
    /// Changes of a response's fields, after the route's.
    #[serde(default)]
    pub response_headers: Option<Box<HeaderEdits>>,
    /// In place of the authority, unless the route rewrites it.
    #[serde(default)]
    pub host_rewrite: Option<String>,
}

impl Default for Target {
    fn default() -> Self {
        Self {
            cluster: String::new(),
            weight: one(),
            request_headers: None,
            response_headers: None,
            host_rewrite: None,
        }
    }
}

fn one() -> u32 {
    1
}
