//! From the resource to the compiled table, or all that is wrong with it.

use std::time::Duration;

use hashbrown::HashMap;

use super::Candidate;
use super::ClusterSlot;
use super::Guard;
use super::Route;
use super::RouteTable;
use super::Split;
use super::host::HostIndex;
use super::path::PathTrie;
use super::rules::Rule;
use super::rules::Rules;
use crate::wire;
use crate::wire::Problems;

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
            let split = Split::compile(&route.to, &format!("{at}.to"), resolve, rules.problems);
            if let (Some(rule), Some(split)) = (rule, split) {
                matches.push((routes.len(), rule));
                routes.push(Route {
                    name: route.name.as_str().into(),
                    index: u32::try_from(index).unwrap_or(u32::MAX),
                    timeout: optional(route.timeout_ms),
                    response_header_timeout: optional(route.response_header_timeout_ms),
                    split,
                });
            }
        }
        // Stable, so that equally specific ones stay in document order.
        matches.sort_by_cached_key(|(_, rule)| rule.conditions.specificity());
        assemble(routes, matches)
    }
}

/// A duration in milliseconds, where 0 means none.
fn optional(ms: u64) -> Option<Duration> {
    (ms > 0).then(|| Duration::from_millis(ms))
}

fn assemble(routes: Vec<Route>, matches: Vec<(usize, Rule)>) -> RouteTable {
    let mut hosts = HostIndex::new();
    let mut paths = PathTrie::new();
    let mut candidates = Vec::with_capacity(matches.len());
    for ((route, rule), position) in matches.into_iter().zip(0..) {
        for host in &rule.hosts {
            let root = *hosts.entry(host, || paths.root());
            paths.insert(root, &rule.path, position);
        }
        let Rule {
            regex, conditions, ..
        } = rule;
        let guarded = regex.is_some() || !conditions.is_empty();
        let guard = guarded.then(|| Box::new(Guard { regex, conditions }));
        candidates.push(Candidate { route, guard });
    }
    RouteTable {
        routes: routes.into(),
        candidates: candidates.into(),
        hosts,
        paths,
    }
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
