//! Which route a request takes, and what becomes of it there.
//!
//! In a table of order `document` it is the first that matches, of those that name the most specific
//! host; where none of them does, there is none. In the others routes are tried from the most to the least specific, as Gateway API orders them, over all
//! routes of the table, whatever their order in the document:
//!
//! 1. host: exact, then the longest wildcard, then any;
//! 2. path: exact, then regex, then the longest prefix, of whole segments before mere text;
//! 3. a method is named; 4. more header conditions, those on scheme and authority counted; 5. more
//!    query conditions;
//! 6. an identity is named; 7. first in the document.
//!
//! Gateway API leaves the place of regexes open. They stand before prefixes, because a catch-all
//! prefix is in nearly every table and would hide all of them. Among regexes, and among the exact
//! or equally long prefixes of one path, steps 3 to 7 decide. When no route of the most specific
//! host matches, the next less specific host is tried.
//!
//! Cost of a match: one hash lookup for the host, one for each of its labels while wildcards
//! exist, one for each path segment that the table knows; then the conditions of the routes that
//! stand at this very host and path. Neither the number of hosts nor that of routes matters.
//! Nothing is allocated, unless a route of the table ignores the case of paths.

mod action;
mod compile;
mod condition;
mod cors;
mod effort;
mod fault;
mod hash_on;
mod headers;
mod host;
mod limit;
mod mirror;
mod operator;
mod path;
mod path_text;
mod pattern;
mod redirect;
mod rewrite;
mod rules;
mod session_affinity;
mod sni;
mod split;
mod template;
#[cfg(test)]
mod tests;
mod trace;

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;

use crate::abi::{Phase, Phases};
use crate::policy::hook::{Found, Hooks};
use crate::policy::priority::PriorityRule;
use crate::protocol::head::{Field, FieldSet};

use crate::wire::route::RouteOrder;
use crate::wire::{self, Problems};

pub use action::Action;
pub use action::Changes;
pub use action::DirectResponse;
pub use condition::Failure;
pub use cors::Cors;
pub use cors::CorsVerdict;
pub use effort::Effort;
pub use fault::RouteFault;
pub use hash_on::HashOn;
pub use hash_on::Hashers;
pub use hash_on::Key;
pub use headers::Change;
pub use headers::HeaderEdit;
pub use headers::HeaderEdits;
pub use limit::LimitService;
pub use limit::Login;
pub use limit::Question;
pub use limit::RouteLimit;
pub use mirror::Mirror;
pub use operator::Fact;
pub use operator::FieldOperator;
pub use operator::Operator;
pub use operator::TimeFormat;
pub use operator::tell_of_request;
pub use redirect::Redirect;
pub use rewrite::Rewrite;
pub use rewrite::TooLong;
pub use session_affinity::SessionAffinity;
pub use sni::SniTable;
pub use split::ClusterSlot;
pub use split::Share;
pub use split::Split;
pub use split::TargetChanges;
pub use template::Template;
pub use trace::Considered;

use condition::Conditions;
use host::HostIndex;
use path::PathTrie;
use path_text::PathText;

/// A problem was noted, so there is nothing.
struct Noted;

/// What a match looks at.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'a> {
    /// Without port and trailing dot; in the case in which it came.
    pub host: &'a str,
    /// Normalised, without the query.
    pub path: &'a str,
    /// What follows the `?`, not decoded.
    pub query: Option<&'a str>,
    /// As it came; methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host and port, as they came.
    pub authority: &'a str,
    /// All fields of the head.
    pub fields: &'a [Field<'a>],
    /// Those of them that no route may see: what a stranger says of its own origin is not sent on,
    /// and must not steer either (hardening NA-5).
    pub hidden: FieldSet,
    /// What the downstream's certificate proved.
    pub identity: Option<&'a str>,
}

impl<'a> RequestView<'a> {
    /// The values of every field of this name that routes may see.
    pub fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        (0..)
            .zip(self.fields)
            .filter(move |(index, field)| {
                field.name.eq_ignore_ascii_case(name) && !self.hidden.contains(*index)
            })
            .map(|(_, field)| field.value)
    }

    /// The first of them; `:method`, `:scheme` and `:authority` are fields here too.
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        match name {
            ":method" => Some(self.method.as_bytes()),
            ":scheme" => Some(self.scheme.as_bytes()),
            ":authority" => Some(self.authority.as_bytes()),
            _ => self.values(name).next(),
        }
    }
}

/// A compiled route table; immutable, shared by all workers.
#[derive(Debug)]
pub struct RouteTable {
    order: RouteOrder,
    routes: Box<[Route]>,
    /// In order of steps 3 to 7; the trie's buckets hold positions in it.
    candidates: Box<[Candidate]>,
    hosts: HostIndex<path::Root>,
    paths: PathTrie,
}

/// A route as a request takes it.
#[derive(Debug)]
pub struct Route {
    /// Stands in logs and metrics.
    pub name: Arc<str>,
    /// Its position in the document.
    pub index: u32,
    /// From the last byte of the request's head to the last byte of the response.
    pub timeout: Option<Duration>,
    /// From the last byte of the request to the last byte of the response's head.
    pub response_header_timeout: Option<Duration>,
    /// What it does.
    pub action: Action,
    /// What changes on the way; most routes change nothing.
    pub changes: Option<Box<Changes>>,
    /// What happens on purpose; most routes have none.
    pub fault: Option<Box<RouteFault>>,
    /// Who is asked about its requests; most routes have none.
    pub hooks: Option<Arc<Hooks>>,
    /// Who gets copies; most routes make none.
    pub mirrors: Box<[Mirror]>,
    /// What is done beyond asking once; most routes do no more.
    pub effort: Option<Arc<Effort>>,
    /// How many requests pass; most routes let all pass.
    pub limits: Box<[Arc<RouteLimit>]>,
    /// How much its requests matter; most routes don't say.
    pub priority: Option<Box<PriorityRule>>,
    /// What a request's key is made of; most routes need none.
    pub hash_on: Option<Box<HashOn>>,
    /// What carries a session; most routes have none.
    pub session_affinity: Option<Arc<SessionAffinity>>,
}

/// A route at its place in the order. Small, because in a table of many hosts or paths each match
/// reads another one.
#[derive(Debug)]
struct Candidate {
    /// Position in `RouteTable::routes`.
    route: usize,
    guard: Option<Box<Guard>>,
}

/// What must hold besides host and literal path.
#[derive(Debug)]
struct Guard {
    text: Option<PathText>,
    conditions: Conditions,
}

impl RouteTable {
    /// Goes on with what the limits of `before` have counted: those of the same route and name.
    pub fn inherit(&mut self, before: &Self) {
        let limited = |route: &&Route| !route.limits.is_empty();
        let old = before.routes.iter().filter(limited);
        let old: HashMap<&str, &Route> = old.map(|route| (&*route.name, route)).collect();
        for route in &mut self.routes {
            let Some(old) = old.get(&*route.name) else {
                continue;
            };
            // Nobody has it yet.
            for limit in route.limits.iter_mut().filter_map(Arc::get_mut) {
                limit.inherit(&old.limits);
            }
        }
    }

    /// Gives each route its hooks; `wire` is what this table was compiled from.
    pub fn attach_hooks(
        &mut self,
        wire: &wire::RouteTable,
        find: &dyn Fn(&str) -> Found,
        problems: &mut Problems,
    ) {
        let only_connections = Phases::NONE.with(Phase::Connection);
        for route in &mut self.routes {
            let Some(written) = wire.routes.get(route.index as usize) else {
                continue;
            };
            let at = format!("routes[{}].hooks", route.index);
            let hooks = Hooks::compile(&written.hooks, &at, find, problems);
            let uses = hooks.iter().flat_map(|hooks| &hooks.uses);
            for one in uses.filter(|one| one.hook.phases() == only_connections) {
                let message = format!("{:?} is asked about connections", &*one.hook.name);
                let hint = "put it among the listener's hooks";
                problems.add("hook_phase_unfit", at.as_str(), message, hint);
            }
            route.hooks = hooks;
        }
    }

    /// The route that `view` takes.
    pub fn find(&self, view: &RequestView<'_>) -> Option<&Route> {
        self.search(view, |position| self.failure(position, view).is_none())
    }

    /// The best route that `accepts`, which is asked about positions in `candidates`.
    fn search(
        &self,
        view: &RequestView<'_>,
        accepts: impl Fn(u32) -> bool + Copy,
    ) -> Option<&Route> {
        let candidate = match self.order {
            RouteOrder::Specific => self
                .hosts
                .find_map(view.host, |&root| self.paths.find(root, view.path, accepts)),
            RouteOrder::Document => self.hosts.find_map(view.host, |&root| {
                Some(self.paths.find_first(root, view.path, accepts))
            })?,
        }?;
        let candidate = self.candidates.get(candidate as usize)?;
        self.routes.get(candidate.route)
    }

    /// All routes, in document order.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// What keeps a candidate that stands at the request's host and path from being its route.
    fn failure(&self, position: u32, view: &RequestView<'_>) -> Option<Failure<'_>> {
        let Some(candidate) = self.candidates.get(position as usize) else {
            return Some(Failure::Path);
        };
        candidate.guard.as_ref().and_then(|it| it.failure(view))
    }
}

impl Guard {
    fn failure(&self, view: &RequestView<'_>) -> Option<Failure<'_>> {
        let matches = |text: &PathText| text.holds(view.path);
        if !self.text.as_ref().is_none_or(matches) {
            return Some(Failure::Path);
        }
        self.conditions.failure(view)
    }
}
