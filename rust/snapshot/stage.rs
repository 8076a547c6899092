//! Compiles a delta beside the resources in force: all of it, or nothing and every reason why.
//!
//! What a delta doesn't name keeps its compiled object, so that changing endpoints costs what the
//! endpoints cost. Everything new is staged first and only moved in when no problem was found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::client_tls;
use super::cluster::{self, Cluster, Names};
use super::compile::{Compiler, Parts, Table, build};
use super::listener::{self, Listener, References};
use super::overload;
use super::references;
use crate::policy::hook::Hook;
use crate::route::{ClusterSlot, RouteTable};
use crate::telemetry::access_log::LogSinks;
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

/// What a delta would change: free of problems, and not in force yet.
#[derive(Debug, Default)]
pub struct Staged {
    pub(super) clusters: HashMap<String, Parts>,
    pub(super) compiled: HashMap<u32, Arc<Cluster>>,
    pub(super) tables: BTreeMap<String, Table>,
    pub(super) listeners: BTreeMap<String, Arc<Listener>>,
    pub(super) overload: Option<Arc<wire::Overload>>,
    pub(super) hooks: BTreeMap<String, Arc<Hook>>,
    pub(super) broken_hooks: HashSet<String>,
    pub(super) removed: HashMap<Kind, HashSet<String>>,
    pub(super) slot_count: usize,
    free: Vec<u32>,
    pub(super) problems: Vec<Problem>,
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
        staged.removed = removed(&delta);
        staged.problems = references::named_twice(&delta);
        for wire in delta.overload {
            staged.problems.extend(overload::check(&wire));
            staged.overload = Some(Arc::new(wire));
        }
        self.stage_hooks(delta.hooks, &mut staged);
        self.stage_clusters(delta.clusters, delta.endpoints, around, &mut staged);
        let hooks = self.replaced_hooks(&staged);
        self.stage_tables(delta.route_tables, &hooks, &mut staged);
        self.stage_listeners((delta.listeners, &hooks), around, &mut staged);
        staged.problems.extend(references::check(self, &staged));
        let problems = std::mem::take(&mut staged.problems);
        if problems.is_empty() {
            Ok(staged)
        } else {
            Err(problems)
        }
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
            let before = old.map(|old| (&*old.wire, &old.tls));
            let tls = client_tls::compile(&wire, before, around.credentials, &mut problems);
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
                .map(|cluster| &**cluster);
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

    /// Tables named by the delta, and those of whose hooks it replaced one.
    fn stage_tables(
        &self,
        tables: Vec<wire::RouteTable>,
        hooks: &HashSet<String>,
        staged: &mut Staged,
    ) {
        let named: HashSet<String> = tables.iter().map(|wire| wire.name.clone()).collect();
        let running = self.tables.values().map(|(wire, _)| wire);
        let touched = running.filter(|wire| {
            let mut uses = wire.routes.iter().flat_map(|route| &route.hooks);
            !named.contains(&wire.name)
                && !staged.removes(Kind::RouteTable, &wire.name)
                && uses.any(|one| hooks.contains(&one.name))
        });
        let touched: Vec<_> = touched.map(Arc::clone).collect();
        for wire in tables.into_iter().map(Arc::new).chain(touched) {
            let mut problems = Problems::new(Kind::RouteTable, &wire.name);
            let mut resolve = |name: &str| self.slot_of(name, staged);
            let mut table = RouteTable::compile(&wire, &mut resolve, &mut problems);
            if let Some((_, before)) = self.tables.get(&wire.name) {
                table.inherit(before);
            }
            let find = |name: &str| self.hook_of(name, staged);
            table.attach_hooks(&wire, &find, &mut problems);
            staged.problems.extend(problems.into_vec());
            staged
                .tables
                .insert(wire.name.clone(), (wire, Arc::new(table)));
        }
    }

    /// Listeners named by the delta, and those whose route table or hook it replaced.
    fn stage_listeners(
        &self,
        (listeners, hooks): (Vec<wire::Listener>, &HashSet<String>),
        around: &Surroundings<'_>,
        staged: &mut Staged,
    ) {
        let named: HashSet<String> = listeners.iter().map(|wire| wire.name.clone()).collect();
        let touched = self.listeners.values().filter(|listener| {
            let table = listener.wire.route_table.as_ref();
            let mut uses = listener.wire.hooks.iter();
            !named.contains(&listener.wire.name)
                && !staged.removes(Kind::Listener, &listener.name)
                && (table.is_some_and(|table| staged.tables.contains_key(table))
                    || uses.any(|one| hooks.contains(&one.name)))
        });
        let touched: Vec<_> = touched.map(|listener| Arc::clone(&listener.wire)).collect();
        for wire in listeners.into_iter().map(Arc::new).chain(touched) {
            let mut problems = Problems::new(Kind::Listener, &wire.name);
            let table = |name: &str| self.table_of(name, staged);
            let cluster = |name: &str| self.slot_of(name, staged);
            let hook = |name: &str| self.hook_of(name, staged);
            let before = self.listeners.get(&wire.name);
            let references = References {
                table: &table,
                cluster: &cluster,
                hook: &hook,
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
}

/// A slot that no cluster has: one that was left, or a new one.
fn take_slot(staged: &mut Staged) -> ClusterSlot {
    let slot = staged.free.pop().unwrap_or_else(|| {
        staged.slot_count += 1;
        u32::try_from(staged.slot_count - 1).unwrap_or(u32::MAX)
    });
    ClusterSlot(slot)
}

/// What a delta removes and doesn't put back: a resource that it does put back is replaced.
fn removed(delta: &Delta) -> HashMap<Kind, HashSet<String>> {
    let again = |key: &wire::Key| match key.kind {
        Kind::Listener => delta.listeners.iter().any(|new| new.name == key.name),
        Kind::RouteTable => delta.route_tables.iter().any(|new| new.name == key.name),
        Kind::Cluster => delta.clusters.iter().any(|new| new.name == key.name),
        Kind::Endpoints => delta.endpoints.iter().any(|new| new.name == key.name),
        Kind::Overload => delta.overload.iter().any(|new| new.name == key.name),
        Kind::Hook => delta.hooks.iter().any(|new| new.name == key.name),
    };
    let mut removed: HashMap<Kind, HashSet<String>> = HashMap::new();
    for key in delta.remove.iter().filter(|key| !again(key)) {
        removed
            .entry(key.kind)
            .or_default()
            .insert(key.name.clone());
    }
    removed
}
