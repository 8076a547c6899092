//! Applies a delta to the resources in force: all of it, or nothing and every reason why.
//!
//! What a delta doesn't name keeps its compiled object, so that changing endpoints costs what the
//! endpoints cost. Everything new is staged first and only moved in when no problem was found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Snapshot;
use super::cluster::{self, Cluster, Names};
use super::listener::{self, Listener, References};
use crate::route::{ClusterSlot, RouteTable};
use crate::telemetry::access_log::LogSinks;
use crate::tls::connect::ClientTls;
use crate::tls::credentials::Credentials;
use crate::wire::{self, Delta, Kind, Problem, Problems};

/// What compilation looks things up in.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Keys and certificates by name.
    pub credentials: &'a Credentials,
    /// Open access logs.
    pub logs: &'a LogSinks,
    /// Resolved host names.
    pub names: &'a Names,
}

/// A cluster's parts, each replaced alone.
#[derive(Debug, Clone)]
struct Parts {
    wire: Arc<wire::Cluster>,
    endpoints: Arc<wire::Endpoints>,
    tls: Option<Arc<ClientTls>>,
    slot: ClusterSlot,
}

/// The resources in force.
#[derive(Debug, Default)]
pub struct Compiler {
    clusters: HashMap<String, Parts>,
    slots: Vec<Option<Arc<Cluster>>>,
    tables: BTreeMap<String, (Arc<wire::RouteTable>, Arc<RouteTable>)>,
    listeners: BTreeMap<String, Arc<Listener>>,
    current: Arc<Snapshot>,
}

/// What a delta would change: free of problems, and not in force yet.
#[derive(Debug, Default)]
pub struct Staged {
    clusters: HashMap<String, Parts>,
    compiled: HashMap<u32, Arc<Cluster>>,
    tables: BTreeMap<String, (Arc<wire::RouteTable>, Arc<RouteTable>)>,
    listeners: BTreeMap<String, Arc<Listener>>,
    removed: HashMap<Kind, HashSet<String>>,
    slot_count: usize,
    free: Vec<u32>,
    problems: Vec<Problem>,
}

impl Staged {
    /// The listeners that this adds or replaces.
    pub fn listeners(&self) -> impl Iterator<Item = &Arc<Listener>> {
        self.listeners.values()
    }

    /// Whether this removes a resource.
    pub fn removes(&self, kind: Kind, name: &str) -> bool {
        self.removed
            .get(&kind)
            .is_some_and(|names| names.contains(name))
    }
}

impl Compiler {
    /// The snapshot in force.
    pub fn current(&self) -> &Arc<Snapshot> {
        &self.current
    }

    /// Compiles `delta` against what is in force, and changes nothing.
    ///
    /// # Errors
    /// Every problem.
    pub fn stage(&self, delta: Delta, around: &Surroundings<'_>) -> Result<Staged, Vec<Problem>> {
        let mut staged = Staged {
            slot_count: self.slots.len(),
            ..Staged::default()
        };
        let empty = (0..).zip(&self.slots).filter(|(_, slot)| slot.is_none());
        staged.free = empty.map(|(index, _)| index).collect();
        for key in delta.remove {
            staged.removed.entry(key.kind).or_default().insert(key.name);
        }
        self.stage_clusters(delta.clusters, delta.endpoints, around, &mut staged);
        self.stage_tables(delta.route_tables, &mut staged);
        self.stage_listeners(delta.listeners, around, &mut staged);
        self.check_removed(&mut staged);
        let problems = std::mem::take(&mut staged.problems);
        if problems.is_empty() {
            Ok(staged)
        } else {
            Err(problems)
        }
    }

    /// Rebuilds the clusters that have one of `changed` among their host names.
    pub fn resolved(&mut self, changed: &HashSet<String>, names: &Names) -> Arc<Snapshot> {
        for parts in self.clusters.values() {
            if cluster::host_names(&parts.endpoints).any(|host| changed.contains(&host)) {
                let slot = &mut self.slots[parts.slot.0 as usize];
                let before = slot.as_ref().map_or(&[][..], |cluster| &cluster.endpoints);
                *slot = Some(Arc::new(build(parts, names, before)));
            }
        }
        self.publish();
        Arc::clone(&self.current)
    }

    /// Every host name that endpoints in force, or in `delta`, use.
    pub fn host_names(&self, delta: &Delta) -> HashSet<String> {
        let running = self
            .clusters
            .values()
            .flat_map(|parts| cluster::host_names(&parts.endpoints));
        running
            .chain(delta.endpoints.iter().flat_map(cluster::host_names))
            .collect()
    }

    /// The clusters that use a host name, with the bounds of its time to live.
    pub fn users_of_names(&self) -> impl Iterator<Item = (&Arc<wire::Cluster>, String)> {
        self.clusters.values().flat_map(|parts| {
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

    fn stage_clusters(
        &self,
        clusters: Vec<wire::Cluster>,
        endpoints: Vec<wire::Endpoints>,
        around: &Surroundings<'_>,
        staged: &mut Staged,
    ) {
        for wire in clusters {
            let mut problems = Problems::new(Kind::Cluster, &wire.name);
            cluster::check(&wire, &mut problems);
            let old = self.clusters.get(&wire.name);
            let tls = match (&wire.tls, old) {
                (Some(tls), Some(old)) if old.wire.tls.as_ref() == Some(tls) => old.tls.clone(),
                (Some(tls), _) => {
                    ClientTls::compile(tls, around.credentials, &mut problems).map(Arc::new)
                }
                (None, _) => None,
            };
            let slot = old.map_or_else(|| take_slot(staged), |old| old.slot);
            let endpoints = old.map_or_else(
                || {
                    Arc::new(wire::Endpoints {
                        name: wire.name.clone(),
                        endpoints: Vec::new(),
                    })
                },
                |old| Arc::clone(&old.endpoints),
            );
            staged.problems.extend(problems.into_vec());
            let parts = Parts {
                endpoints,
                tls,
                slot,
                wire: Arc::new(wire),
            };
            staged.clusters.insert(parts.wire.name.clone(), parts);
        }
        for wire in endpoints {
            self.stage_endpoints(wire, staged);
        }
        for parts in staged.clusters.values() {
            let running = self
                .slots
                .get(parts.slot.0 as usize)
                .and_then(Option::as_ref);
            let before = running
                .filter(|cluster| *cluster.name == parts.wire.name)
                .map_or(&[][..], |cluster| &cluster.endpoints);
            staged
                .compiled
                .insert(parts.slot.0, Arc::new(build(parts, around.names, before)));
        }
    }

    fn stage_endpoints(&self, wire: wire::Endpoints, staged: &mut Staged) {
        let mut problems = Problems::new(Kind::Endpoints, &wire.name);
        cluster::check_endpoints(&wire, &mut problems);
        let parts = match staged.clusters.remove(&wire.name) {
            Some(parts) => Some(parts),
            None => self.clusters.get(&wire.name).cloned(),
        };
        match parts {
            Some(parts) => {
                let parts = Parts {
                    endpoints: Arc::new(wire),
                    ..parts
                };
                staged.clusters.insert(parts.wire.name.clone(), parts);
            }
            None => problems.add(
                "cluster_unknown",
                "name",
                format!("endpoints for {:?}, but no such cluster", wire.name),
                "add the cluster in the same change",
            ),
        }
        staged.problems.extend(problems.into_vec());
    }

    fn stage_tables(&self, tables: Vec<wire::RouteTable>, staged: &mut Staged) {
        for wire in tables {
            let mut problems = Problems::new(Kind::RouteTable, &wire.name);
            let mut resolve = |name: &str| self.slot_of(name, staged);
            let table = RouteTable::compile(&wire, &mut resolve, &mut problems);
            staged.problems.extend(problems.into_vec());
            staged
                .tables
                .insert(wire.name.clone(), (Arc::new(wire), Arc::new(table)));
        }
    }

    /// Listeners named by the delta, and those whose route table it replaced.
    fn stage_listeners(
        &self,
        listeners: Vec<wire::Listener>,
        around: &Surroundings<'_>,
        staged: &mut Staged,
    ) {
        let named: HashSet<String> = listeners.iter().map(|wire| wire.name.clone()).collect();
        let touched = self.listeners.values().filter(|listener| {
            let table = listener.wire.route_table.as_ref();
            !named.contains(&listener.wire.name)
                && !staged.removes(Kind::Listener, &listener.name)
                && table.is_some_and(|table| staged.tables.contains_key(table))
        });
        let touched: Vec<_> = touched.map(|listener| Arc::clone(&listener.wire)).collect();
        for wire in listeners.into_iter().map(Arc::new).chain(touched) {
            let mut problems = Problems::new(Kind::Listener, &wire.name);
            let table = |name: &str| self.table_of(name, staged);
            let cluster = |name: &str| self.slot_of(name, staged);
            let before = self.listeners.get(&wire.name);
            let references = References {
                table: &table,
                cluster: &cluster,
                before,
            };
            let compiled = listener::compile(Arc::clone(&wire), &references, around, &mut problems);
            staged.problems.extend(problems.into_vec());
            if let Some(compiled) = compiled {
                staged
                    .listeners
                    .insert(wire.name.clone(), Arc::new(compiled));
            }
        }
    }

    fn slot_of(&self, name: &str, staged: &Staged) -> Option<ClusterSlot> {
        if let Some(parts) = staged.clusters.get(name) {
            return Some(parts.slot);
        }
        let parts = self
            .clusters
            .get(name)
            .filter(|_| !staged.removes(Kind::Cluster, name))?;
        Some(parts.slot)
    }

    fn table_of(&self, name: &str, staged: &Staged) -> Option<Arc<RouteTable>> {
        if let Some((_, table)) = staged.tables.get(name) {
            return Some(Arc::clone(table));
        }
        let (_, table) = self
            .tables
            .get(name)
            .filter(|_| !staged.removes(Kind::RouteTable, name))?;
        Some(Arc::clone(table))
    }

    /// Nothing that stays may refer to what goes, and no two listeners may share an address.
    fn check_removed(&self, staged: &mut Staged) {
        let mut found = Vec::new();
        let mut in_use = |kind: Kind, name: &str, user: &str| {
            let mut problems = Problems::new(kind, name);
            let message = format!("{user} still refers to it");
            problems.add(
                "in_use",
                "",
                message,
                "change or remove that in the same change",
            );
            found.extend(problems.into_vec());
        };
        if let Some(gone) = staged.removed.get(&Kind::Cluster) {
            for (name, (wire, _)) in self.tables.iter().filter(|(name, _)| {
                !staged.tables.contains_key(*name) && !staged.removes(Kind::RouteTable, name)
            }) {
                let targets = wire.routes.iter().flat_map(|route| &route.to);
                for target in targets.filter(|target| gone.contains(&target.cluster)) {
                    in_use(
                        Kind::Cluster,
                        &target.cluster,
                        &format!("route table {name}"),
                    );
                }
            }
        }
        let mut addresses: HashMap<&crate::net::Address, &str> = HashMap::new();
        let kept = self.listeners.iter().filter(|(name, _)| {
            !staged.listeners.contains_key(*name) && !staged.removes(Kind::Listener, name)
        });
        for (name, listener) in kept.chain(&staged.listeners) {
            // Port 0 is a new port each time.
            let fixed = listener.address.ip().is_none_or(|ip| ip.port() != 0);
            if let Some(other) = addresses.insert(&listener.address, name)
                && fixed
            {
                let mut problems = Problems::new(Kind::Listener, name);
                let message = format!("listener {other} has the address {}", listener.address);
                problems.add(
                    "address_taken",
                    "address",
                    message,
                    "give each its own address",
                );
                found.extend(problems.into_vec());
            }
            let targets = listener.wire.to.iter();
            let targets = targets.chain(listener.wire.sni_routes.iter().flat_map(|r| &r.to));
            for target in targets {
                if !staged.listeners.contains_key(name)
                    && staged.removes(Kind::Cluster, &target.cluster)
                    && !staged.clusters.contains_key(&target.cluster)
                {
                    let mut problems = Problems::new(Kind::Cluster, &target.cluster);
                    let message = format!("listener {name} still refers to it");
                    problems.add("in_use", "", message, "change or remove that too");
                    found.extend(problems.into_vec());
                }
            }
        }
        staged.problems.extend(found);
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
        self.clusters.extend(staged.clusters);
        self.tables.extend(staged.tables);
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
            Kind::Cluster => {
                if let Some(parts) = self.clusters.remove(name) {
                    self.slots[parts.slot.0 as usize] = None;
                }
            }
        }
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
        });
    }
}

/// A slot that no cluster has: one that was left, or a new one.
fn take_slot(staged: &mut Staged) -> ClusterSlot {
    let slot = staged.free.pop().unwrap_or_else(|| {
        staged.slot_count += 1;
        u32::try_from(staged.slot_count - 1).unwrap_or(u32::MAX)
    });
    ClusterSlot(slot)
}

fn build(parts: &Parts, names: &Names, before: &[Arc<cluster::Endpoint>]) -> Cluster {
    Cluster {
        name: Arc::from(parts.wire.name.as_str()),
        slot: parts.slot,
        wire: Arc::clone(&parts.wire),
        tls: parts.tls.clone(),
        endpoints: cluster::endpoints(&parts.endpoints, names, before),
        connect_timeout: std::time::Duration::from_millis(parts.wire.timeouts.connect_ms),
    }
}
