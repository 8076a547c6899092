//! The resources in force: what was staged is moved in, names are resolved anew, a snapshot made.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Snapshot;
use super::client_tls::Forms;
use super::cluster::{self, Cluster, Names};
use super::listener::Listener;
use super::slow_start;
use super::stage::Staged;
use super::{adaptive, guard, hashing, locality, tcp_keepalive};
use crate::policy::hook::Hook;
use crate::route::{ClusterSlot, RouteTable};
use crate::telemetry::Resource;
use crate::wire::{self, Delta, Kind};

/// A route table as it was written and as it is used.
pub(super) type Table = (Arc<wire::RouteTable>, Arc<RouteTable>);

/// A cluster's parts, each replaced alone.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) wire: Arc<wire::Cluster>,
    pub(super) endpoints: Arc<wire::Endpoints>,
    pub(super) tls: Forms,
    pub(super) slot: ClusterSlot,
}

/// The resources in force.
#[derive(Debug, Default)]
pub struct Compiler {
    pub(super) clusters: HashMap<String, Parts>,
    /// Those of them that have a host name among their endpoints: few, and looked for at each change.
    named: HashSet<String>,
    pub(super) slots: Vec<Option<Arc<Cluster>>>,
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) listeners: BTreeMap<String, Arc<Listener>>,
    overload: Option<Arc<wire::Overload>>,
    pub(super) hooks: BTreeMap<String, Arc<Hook>>,
    current: Arc<Snapshot>,
}

impl Compiler {
    /// The snapshot in force.
    pub fn current(&self) -> &Arc<Snapshot> {
        &self.current
    }

    /// Rebuilds the clusters that have one of `changed` among their host names.
    pub fn resolved(&mut self, changed: &HashSet<String>, names: &Names) -> Arc<Snapshot> {
        for parts in self.named.iter().filter_map(|name| self.clusters.get(name)) {
            if cluster::host_names(&parts.endpoints).any(|host| changed.contains(&host)) {
                let slot = &mut self.slots[parts.slot.0 as usize];
                *slot = Some(Arc::new(build(parts, names, slot.as_deref())));
            }
        }
        self.publish();
        Arc::clone(&self.current)
    }

    /// Every host name that endpoints in force, or in `delta`, use.
    pub fn host_names(&self, delta: &Delta) -> HashSet<String> {
        let running = self.users_of_names().map(|(_, host)| host);
        running
            .chain(delta.endpoints.iter().flat_map(cluster::host_names))
            .collect()
    }

    /// The clusters that use a host name, with the bounds of its time to live.
    pub fn users_of_names(&self) -> impl Iterator<Item = (&Arc<wire::Cluster>, String)> {
        let named = self.named.iter();
        let parts = named.filter_map(|name| self.clusters.get(name));
        parts.flat_map(|parts| {
            cluster::host_names(&parts.endpoints).map(move |host| (&parts.wire, host))
        })
    }

    /// Every credential that a resource in force names.
    pub fn credential_names(&self) -> HashSet<String> {
        let mut names = HashSet::new();
        for tls in self
            .clusters
            .values()
            .filter_map(|parts| parts.wire.tls.as_ref())
        {
            names.extend(tls.ca.iter().chain(&tls.certificate).cloned());
        }
        for tls in self
            .listeners
            .values()
            .filter_map(|listener| listener.wire.tls.as_ref())
        {
            names.extend(tls.certificates.iter().chain(&tls.client_ca).cloned());
        }
        names
    }

    /// Whether the configuration in force has `resource`.
    pub fn configures(&self, resource: Resource<'_>) -> bool {
        match resource {
            Resource::Listener(name) => self.listeners.contains_key(name),
            Resource::RouteTable(name) => self.tables.contains_key(name),
            Resource::Route(table, name) => {
                let table = self.tables.get(table);
                table.is_some_and(|(wire, _)| wire.routes.iter().any(|route| route.name == name))
            }
            Resource::Cluster(name) => self.clusters.contains_key(name),
            Resource::Hook(name) => self.hooks.contains_key(name),
            Resource::LimitService(name) => self.has_limit_service(name),
            Resource::Endpoint(cluster, text) => {
                let slot = self
                    .clusters
                    .get(cluster)
                    .map(|parts| parts.slot.0 as usize);
                let cluster = slot.and_then(|slot| self.slots.get(slot)?.as_ref());
                cluster.is_some_and(|cluster| cluster.endpoints.iter().any(|at| *at.text == *text))
            }
        }
    }

    fn has_limit_service(&self, name: &str) -> bool {
        let routes = self.tables.values().flat_map(|(table, _)| &table.routes);
        let mut limits = routes.flat_map(|route| &route.rate_limits);
        limits.any(|limit| limit.service.as_ref().is_some_and(|it| it.name == name))
    }

    /// Puts what was staged in force.
    pub fn commit(&mut self, staged: Staged) -> Arc<Snapshot> {
        for (kind, names) in &staged.removed {
            for name in names {
                self.remove(*kind, name);
            }
        }
        self.slots
            .resize(self.slots.len().max(staged.slot_count), None);
        for (slot, cluster) in staged.compiled {
            self.slots[slot as usize] = Some(cluster);
        }
        for (name, parts) in &staged.clusters {
            if cluster::host_names(&parts.endpoints).next().is_some() {
                self.named.insert(name.clone());
            } else {
                self.named.remove(name);
            }
        }
        self.clusters.extend(staged.clusters);
        self.tables.extend(staged.tables);
        if let Some(overload) = staged.overload {
            self.overload = Some(overload);
        }
        self.hooks.extend(staged.hooks);
        self.listeners.extend(staged.listeners);
        self.publish();
        Arc::clone(&self.current)
    }

    fn remove(&mut self, kind: Kind, name: &str) {
        match kind {
            Kind::Listener => drop(self.listeners.remove(name)),
            Kind::RouteTable => drop(self.tables.remove(name)),
            // Endpoints go with their cluster.
            Kind::Endpoints => {}
            Kind::Overload => self.overload = None,
            Kind::Hook => drop(self.hooks.remove(name)),
            Kind::Cluster => {
                self.named.remove(name);
                if let Some(parts) = self.clusters.remove(name) {
                    self.slots[parts.slot.0 as usize] = None;
                }
            }
        }
    }

    /// Made anew for each snapshot, and only where a hook may look something up.
    fn named_slots(&self) -> HashMap<Arc<str>, ClusterSlot> {
        if self.hooks.is_empty() {
            return HashMap::new();
        }
        let clusters = self.slots.iter().flatten();
        let slot = |cluster: &Arc<Cluster>| (Arc::clone(&cluster.name), cluster.slot);
        clusters.map(slot).collect()
    }

    fn publish(&mut self) {
        self.current = Arc::new(Snapshot {
            generation: self.current.generation + 1,
            listeners: self.listeners.values().cloned().collect(),
            clusters: self.slots.clone(),
            tables: self
                .tables
                .values()
                .map(|(wire, _)| Arc::clone(wire))
                .collect(),
            slots: self.named_slots(),
            overload: self.overload.clone(),
            hooks: self.hooks.values().cloned().collect(),
        });
    }
}

/// Puts a cluster together; it keeps its live state, and endpoints that `before` had keep theirs.
pub(super) fn build(parts: &Parts, names: &Names, before: Option<&Cluster>) -> Cluster {
    let known = before.map_or(&[][..], |cluster| &cluster.endpoints);
    let endpoints = cluster::endpoints(&parts.endpoints, names, known);
    let layout = locality::layout(&parts.wire, &endpoints, before);
    Cluster {
        name: Arc::from(parts.wire.name.as_str()),
        slot: parts.slot,
        wire: Arc::clone(&parts.wire),
        tls: parts.tls.http1.clone(),
        tls_h2: parts.tls.h2.clone(),
        guard: guard::compile(&parts.wire, before),
        hashing: hashing::table(&parts.wire, &endpoints, before),
        slow_start: slow_start::compile(&parts.wire),
        layout,
        endpoints,
        retrying: before.map_or_else(Arc::default, |before| Arc::clone(&before.retrying)),
        adaptive: adaptive::gradient(&parts.wire, before),
        connect_timeout: std::time::Duration::from_millis(parts.wire.timeouts.connect_ms),
        keepalive: parts
            .wire
            .tcp_keepalive
            .as_ref()
            .map(tcp_keepalive::compile),
    }
}
