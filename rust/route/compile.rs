//! From the resource to the compiled table, or all that is wrong with it.

use std::cmp::Reverse;
use std::time::Duration;

use hashbrown::HashMap;

use super::Action;
use super::Candidate;
use super::Changes;
use super::ClusterSlot;
use super::Effort;
use super::Guard;
use super::HashOn;
use super::Mirror;
use super::Route;
use super::RouteFault;
use super::RouteLimit;
use super::RouteTable;
use super::SessionAffinity;
use super::host::HostIndex;
use super::path::PathKey;
use super::path::PathTrie;
use super::path::Root;
use super::path_text::PathText;
use super::rules::Rule;
use super::rules::Rules;
use crate::policy::priority::PriorityRule;
use crate::wire;
use crate::wire::Problems;
use crate::wire::route::RouteOrder;

impl RouteTable {
    /// Compiles `table`; clusters are found by `resolve`.
    ///
    /// When problems were noted, the result lacks the routes concerned and must not be used.
    pub fn compile(
        table: &wire::RouteTable,
        resolve: &mut dyn FnMut(&str) -> Option<ClusterSlot>,
        problems: &mut Problems,
    ) -> Self {
        check_names(&table.routes, problems);
        let mut rules = Rules::new(problems);
        let mut routes = Vec::with_capacity(table.routes.len());
        let mut matches = Vec::with_capacity(table.routes.len());
        for (index, route) in table.routes.iter().enumerate() {
            let at = format!("routes[{index}]");
            let rule = rules.compile(&route.matches, &format!("{at}.match"));
            let action = Action::compile(route, &at, resolve, rules.problems);
            let changes = Changes::compile(route, &at, &mut rules);
            let fault = RouteFault::compile(route, &at, &mut rules);
            let limits = RouteLimit::compile_all(&route.rate_limits, &at, resolve, rules.problems);
            let mirrors = Mirror::compile_all(route, &at, resolve, rules.problems);
            let effort = Effort::compile(route, &at, &mut rules);
            let hash_on = HashOn::compile(route, &at, rules.problems);
            let session_affinity = SessionAffinity::compile(route, &at, rules.problems);
            let parts = (rule, action, changes, fault, limits);
            if let (Some(rule), Some(action), Ok(changes), Ok(fault), Ok(limits)) = parts
                && let (Ok(effort), Ok(mirrors)) = (effort, mirrors)
            {
                matches.push((routes.len(), rule));
                routes.push(Route {
                    name: route.name.as_str().into(),
                    index: u32::try_from(index).unwrap_or(u32::MAX),
                    timeout: optional(route.timeout_ms),
                    response_header_timeout: optional(route.response_header_timeout_ms),
                    action,
                    changes,
                    fault,
                    effort,
                    hooks: None,
                    mirrors,
                    limits,
                    priority: route
                        .priority
                        .as_deref()
                        .map(|rule| Box::new(PriorityRule::from(rule))),
                    hash_on,
                    session_affinity,
                });
            }
        }
        if table.order == RouteOrder::Specific {
            // Stable, so that equally specific ones stay in document order.
            matches.sort_by_cached_key(|(_, rule)| rule.conditions.specificity());
        }
        assemble(table.order, routes, matches)
    }
}

/// A duration in milliseconds, where 0 means none.
fn optional(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}

fn assemble(order: RouteOrder, routes: Vec<Route>, matches: Vec<(usize, Rule)>) -> RouteTable {
    let folded = matches.iter().any(|(_, rule)| rule.ignores_case);
    let (hosts, paths) = index(order, &matches, folded);
    let candidate = |(route, rule)| {
        let Rule {
            path,
            text,
            ignores_case,
            conditions,
            ..
        } = rule;
        let text = match (text, path) {
            // In lower case the trie takes what this route doesn't.
            (None, PathKey::Exact(text) | PathKey::Prefix(text)) if folded && !ignores_case => {
                let ignore_case = false;
                Some(PathText::Literal { text, ignore_case })
            }
            (text, _) => text,
        };
        let guarded = text.is_some() || !conditions.is_empty();
        let guard = guarded.then(|| Box::new(Guard { text, conditions }));
        Candidate { route, guard }
    };
    let candidates = matches.into_iter().map(candidate).collect();
    RouteTable {
        order,
        routes: routes.into(),
        candidates,
        hosts,
        paths,
    }
}

fn index(
    order: RouteOrder,
    matches: &[(usize, Rule)],
    folded: bool,
) -> (HostIndex<Root>, PathTrie) {
    let mut hosts = HostIndex::new();
    let mut paths = PathTrie::new(folded);
    let mut rules: Vec<(u32, &Rule)> = (0..).zip(matches.iter().map(|(_, rule)| rule)).collect();
    if order == RouteOrder::Specific {
        // Mere text first and the longest of it, since one node has texts of several lengths.
        rules.sort_by_key(|(_, rule)| Reverse(rule.text_length()));
    }
    for (position, rule) in rules {
        for host in &rule.hosts {
            let root = *hosts.entry(host, || paths.root());
            paths.insert(root, &rule.path, position);
        }
    }
    (hosts, paths)
}

fn check_names(routes: &[wire::route::Route], problems: &mut Problems) {
    let mut seen = HashMap::with_capacity(routes.len());
    for (index, route) in routes.iter().enumerate() {
        let first = *seen.entry(route.name.as_str()).or_insert(index);
        if first != index {
            problems.add(
                "route_name_duplicate",
                format!("routes[{index}].name"),
                format!("routes[{first}] is named `{}` too", route.name),
                "logs and metrics tell routes apart by name: choose another one",
            );
        }
    }
}
