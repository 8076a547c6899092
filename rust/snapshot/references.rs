//! What a staged delta must not leave behind: something that refers to what goes, and two listeners
//! at one address.
//!
//! Only resources that stay as they are need this; those of the delta were compiled against what
//! will be there.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::compile::Compiler;
use super::listener::Listener;
use super::stage::Staged;
use crate::net::Address;
use crate::wire::hook::HookUse;
use crate::wire::{Delta, Kind, Problem};

/// Every broken reference and every address taken twice.
pub(super) fn check(compiler: &Compiler, staged: &Staged) -> Vec<Problem> {
    let mut found = Vec::new();
    for (name, (table, _)) in &compiler.tables {
        if staged.tables.contains_key(name) || staged.removes(Kind::RouteTable, name) {
            continue;
        }
        let targets = table.routes.iter().flat_map(|route| &route.to);
        let mirrors = table.routes.iter().flat_map(|route| &route.mirrors);
        let limits = table.routes.iter().flat_map(|route| &route.rate_limits);
        let services = limits.filter_map(|limit| limit.service.as_ref()?.cluster());
        let mut gone: Vec<&str> = targets
            .map(|target| &*target.cluster)
            .chain(mirrors.map(|mirror| &*mirror.cluster))
            .chain(services)
            .filter(|cluster| staged.removes(Kind::Cluster, cluster))
            .collect();
        gone.sort_unstable();
        gone.dedup();
        let user = format!("route table {name}");
        found.extend(
            gone.into_iter()
                .map(|gone| in_use(Kind::Cluster, gone, &user)),
        );
        let hooks = table.routes.iter().flat_map(|route| &route.hooks);
        found.extend(gone_hooks(hooks, &user, staged));
    }
    let stays = |name: &String| {
        !staged.listeners.contains_key(name) && !staged.removes(Kind::Listener, name)
    };
    let staying = || compiler.listeners.iter().filter(|(name, _)| stays(name));
    for (_, listener) in staying() {
        found.extend(of_listener(listener, staged));
    }
    found.extend(taken_twice(staying().chain(&staged.listeners)));
    found
}

/// A delta replaces each resource once: of two with one name, one would be lost unseen.
pub(super) fn named_twice(delta: &Delta) -> Vec<Problem> {
    let listeners = delta
        .listeners
        .iter()
        .map(|new| (Kind::Listener, &new.name));
    let tables = delta
        .route_tables
        .iter()
        .map(|new| (Kind::RouteTable, &new.name));
    let clusters = delta.clusters.iter().map(|new| (Kind::Cluster, &new.name));
    let endpoints = delta
        .endpoints
        .iter()
        .map(|new| (Kind::Endpoints, &new.name));
    let overload = delta.overload.iter();
    let overload = overload.map(|new| (Kind::Overload, &new.name));
    let all = listeners.chain(tables).chain(clusters).chain(endpoints);
    let hooks = delta.hooks.iter().map(|new| (Kind::Hook, &new.name));
    let all = all.chain(overload).chain(hooks);
    let mut seen = HashSet::new();
    all.filter(|new| !seen.insert(*new))
        .map(|(kind, name)| {
            let message = "two resources of one kind have this name".to_owned();
            one(kind, name, ("name_taken", "name"), (message, "rename one"))
        })
        .collect()
}

/// What a listener that stays needs and would lose.
fn of_listener(listener: &Listener, staged: &Staged) -> Vec<Problem> {
    let wire = &listener.wire;
    let user = format!("listener {}", listener.name);
    let routes = wire.sni_routes.iter().flat_map(|route| &route.to);
    let mut gone: Vec<&str> = wire
        .to
        .iter()
        .chain(routes)
        .map(|target| &*target.cluster)
        .filter(|cluster| staged.removes(Kind::Cluster, cluster))
        .collect();
    gone.sort_unstable();
    gone.dedup();
    let mut found: Vec<Problem> = gone
        .into_iter()
        .map(|gone| in_use(Kind::Cluster, gone, &user))
        .collect();
    found.extend(gone_hooks(wire.hooks.iter(), &user, staged));
    let table = wire.route_table.as_deref();
    if let Some(table) = table.filter(|table| staged.removes(Kind::RouteTable, table)) {
        found.push(in_use(Kind::RouteTable, table, &user));
    }
    found
}

/// The hooks that `user` would lose.
fn gone_hooks<'w>(
    uses: impl Iterator<Item = &'w HookUse>,
    user: &str,
    staged: &Staged,
) -> Vec<Problem> {
    let names = uses.map(|one| &*one.name);
    let gone: BTreeSet<&str> = names
        .filter(|name| staged.removes(Kind::Hook, name))
        .collect();
    gone.into_iter()
        .map(|gone| in_use(Kind::Hook, gone, user))
        .collect()
}

fn in_use(kind: Kind, name: &str, user: &str) -> Problem {
    let message = format!("{user} still refers to it");
    let hint = "change or remove that in the same change";
    one(kind, name, ("in_use", ""), (message, hint))
}

fn taken_twice<'l>(
    listeners: impl Iterator<Item = (&'l String, &'l Arc<Listener>)>,
) -> Vec<Problem> {
    let mut addresses: HashMap<&Address, &str> = HashMap::new();
    let mut found = Vec::new();
    for (name, listener) in listeners {
        // Port 0 is a new port each time.
        let fixed = listener.address.ip().is_none_or(|ip| ip.port() != 0);
        if let Some(other) = addresses.insert(&listener.address, name)
            && fixed
        {
            let message = format!("listener {other} has the address {}", listener.address);
            let hint = "give each its own address";
            found.push(one(
                Kind::Listener,
                name,
                ("address_taken", "address"),
                (message, hint),
            ));
        }
    }
    found
}

fn one(
    kind: Kind,
    name: &str,
    (code, path): (&'static str, &str),
    (message, hint): (String, &str),
) -> Problem {
    Problem {
        code,
        kind: kind.as_str(),
        name: name.to_owned(),
        path: path.to_owned(),
        message,
        hint: hint.to_owned(),
    }
}
