//! Who counts where: hands blocks to workers and merges them when somebody asks.
//!
//! Its lock is taken when a block is first needed, and is held for the look-up alone: who reads
//! statistics takes the tables along and merges them outside, so a scrape delays no worker.

mod render;

#[cfg(test)]
mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::blocks::{
    ClusterStats, EndpointStats, EngineStats, HealthCheckStats, HookStats, LimitServiceStats,
    ListenerStats, LogStats, OverloadStats, RouteStats, WorkerStats,
};
use super::guard::{EndpointGuardStats, GuardStats};
use super::metric::Block;

/// What a block belongs to: the values of its labels, the second empty where there is one label.
type Key = (Box<str>, Box<str>);

/// All blocks of one kind, in the order of their names.
type Table<B> = BTreeMap<Key, Vec<Owned<B>>>;

/// A block and the worker that writes it.
#[derive(Debug)]
struct Owned<B> {
    worker: usize,
    block: Arc<B>,
}

/// The blocks of one engine.
#[derive(Debug, Default)]
pub struct Registry(Mutex<Tables>);

impl<B> Clone for Owned<B> {
    fn clone(&self) -> Self {
        let block = Arc::clone(&self.block);
        Self { block, ..*self }
    }
}

/// Shared with readers; a table is copied only if it changes while one reads.
#[derive(Debug, Default, Clone)]
struct Tables {
    engine: Arc<Table<EngineStats>>,
    workers: Arc<Table<WorkerStats>>,
    listeners: Arc<Table<ListenerStats>>,
    routes: Arc<Table<RouteStats>>,
    clusters: Arc<Table<ClusterStats>>,
    endpoints: Arc<Table<EndpointStats>>,
    limit_services: Arc<Table<LimitServiceStats>>,
    hooks: Arc<Table<HookStats>>,
    health_checks: Arc<Table<HealthCheckStats>>,
    logs: Arc<Table<LogStats>>,
    overload: Arc<Table<OverloadStats>>,
    guards: Arc<Table<GuardStats>>,
    endpoint_guards: Arc<Table<EndpointGuardStats>>,
}

/// Something of the configuration that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A listener.
    Listener(&'a str),
    /// A route table with all its routes.
    RouteTable(&'a str),
    /// A route of a table.
    Route(&'a str, &'a str),
    /// A cluster with all its endpoints.
    Cluster(&'a str),
    /// An endpoint of a cluster.
    Endpoint(&'a str, &'a str),
    /// A rate limit service.
    LimitService(&'a str),
    /// A hook.
    Hook(&'a str),
}

impl Registry {
    /// Who is no worker: the service thread.
    pub const SERVICE: usize = usize::MAX;

    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The worker's block of a listener; the same block each time, so counters survive snapshots.
    pub fn listener(&self, worker: usize, name: &str) -> Arc<ListenerStats> {
        block(&mut self.lock().listeners, worker, (name, ""))
    }

    /// The worker's block of a cluster.
    pub fn cluster(&self, worker: usize, name: &str) -> Arc<ClusterStats> {
        block(&mut self.lock().clusters, worker, (name, ""))
    }

    /// Requests of a cluster that are being served now, by all workers.
    pub fn requests_in_flight(&self, cluster: &str) -> u64 {
        let tables = self.lock();
        let blocks = tables.clusters.get(&key((cluster, "")));
        let active = blocks.into_iter().flatten();
        let active: i64 = active
            .map(|owned| owned.block.requests_active.value())
            .sum();
        u64::try_from(active).unwrap_or(0)
    }

    /// The worker's block of an endpoint of a cluster.
    pub fn endpoint(&self, worker: usize, cluster: &str, address: &str) -> Arc<EndpointStats> {
        block(&mut self.lock().endpoints, worker, (cluster, address))
    }

    /// The worker's block of a guarded cluster.
    pub fn guard(&self, worker: usize, name: &str) -> Arc<GuardStats> {
        block(&mut self.lock().guards, worker, (name, ""))
    }

    /// The block of an endpoint of a guarded cluster.
    pub fn endpoint_guard(&self, cluster: &str, address: &str) -> Arc<EndpointGuardStats> {
        let worker = Self::SERVICE;
        block(&mut self.lock().endpoint_guards, worker, (cluster, address))
    }

    /// The block of a cluster's active health checks.
    pub fn health_checks(&self, name: &str) -> Arc<HealthCheckStats> {
        block(&mut self.lock().health_checks, 0, (name, ""))
    }

    /// The worker's block of a route of a table.
    pub fn route(&self, worker: usize, table: &str, route: &str) -> Arc<RouteStats> {
        block(&mut self.lock().routes, worker, (table, route))
    }

    /// The worker's block of a rate limit service.
    pub fn limit_service(&self, worker: usize, name: &str) -> Arc<LimitServiceStats> {
        block(&mut self.lock().limit_services, worker, (name, ""))
    }

    /// The worker's block of a hook.
    pub fn hook(&self, worker: usize, name: &str) -> Arc<HookStats> {
        block(&mut self.lock().hooks, worker, (name, ""))
    }

    /// The worker's own block.
    pub fn worker(&self, worker: usize) -> Arc<WorkerStats> {
        block(&mut self.lock().workers, worker, (&worker.to_string(), ""))
    }

    /// The service thread's block.
    pub fn engine(&self) -> Arc<EngineStats> {
        block(&mut self.lock().engine, 0, ("", ""))
    }

    /// The block of a bound of the process.
    pub fn overload(&self, monitor: &str) -> Arc<OverloadStats> {
        block(&mut self.lock().overload, 0, (monitor, ""))
    }

    /// Requests that are being served by all listeners and workers.
    pub fn requests_active(&self) -> u64 {
        let listeners = Arc::clone(&self.lock().listeners);
        let owned = listeners.values().flatten();
        let active: i64 = owned.map(|it| it.block.requests_active.value()).sum();
        u64::try_from(active).unwrap_or(0)
    }

    /// The block of the access log at `path`.
    pub fn log(&self, path: &str) -> Arc<LogStats> {
        block(&mut self.lock().logs, 0, (path, ""))
    }

    /// Drops a removed resource's numbers at once. Who still holds its blocks counts into nothing,
    /// and a resource of the same name begins at zero.
    pub fn forget(&self, resource: Resource<'_>) {
        let tables = &mut *self.lock();
        let (listeners, routes) = (&mut tables.listeners, &mut tables.routes);
        let (clusters, endpoints) = (&mut tables.clusters, &mut tables.endpoints);
        match resource {
            Resource::Listener(name) => forget(listeners, |key| &*key.0 == name),
            Resource::RouteTable(name) => forget(routes, |key| &*key.0 == name),
            Resource::Route(table, name) => forget(routes, |key| named(key) == (table, name)),
            Resource::Cluster(name) => {
                forget(clusters, |key| &*key.0 == name);
                forget(endpoints, |key| &*key.0 == name);
                forget(&mut tables.health_checks, |key| &*key.0 == name);
                forget(&mut tables.guards, |key| &*key.0 == name);
                forget(&mut tables.endpoint_guards, |key| &*key.0 == name);
            }
            Resource::Endpoint(name, at) => {
                forget(endpoints, |key| named(key) == (name, at));
                forget(&mut tables.endpoint_guards, |key| named(key) == (name, at));
            }
            Resource::LimitService(name) => {
                forget(&mut tables.limit_services, |key| &*key.0 == name);
            }
            Resource::Hook(name) => forget(&mut tables.hooks, |key| &*key.0 == name),
        }
    }

    /// Drops the numbers of everything that is neither `configured` nor held by a snapshot, a
    /// connection or a request. Called after something was removed, and again when old snapshots
    /// end, it bounds the label sets by what is configured. Asks about listeners, routes, clusters
    /// and endpoints; access logs stay while they are open.
    pub fn forget_unused(&self, configured: impl Fn(Resource<'_>) -> bool) {
        let tables = &mut *self.lock();
        let keep = |key: &Key| configured(Resource::Listener(&key.0));
        sweep(&mut tables.listeners, keep);
        let keep = |key: &Key| configured(Resource::Route(&key.0, &key.1));
        sweep(&mut tables.routes, keep);
        let keep = |key: &Key| configured(Resource::Cluster(&key.0));
        sweep(&mut tables.clusters, keep);
        let keep = |key: &Key| configured(Resource::Endpoint(&key.0, &key.1));
        sweep(&mut tables.endpoints, keep);
        // They end with the guards.
        sweep(&mut tables.guards, |_| false);
        sweep(&mut tables.endpoint_guards, |_| false);
        let keep = |key: &Key| configured(Resource::LimitService(&key.0));
        sweep(&mut tables.limit_services, keep);
        let keep = |key: &Key| configured(Resource::Hook(&key.0));
        sweep(&mut tables.hooks, keep);
        // They end with the checks, which hold them.
        sweep(&mut tables.health_checks, |_| false);
        sweep(&mut tables.logs, |_| false);
    }

    /// The Prometheus text exposition, version 0.0.4; with what native hooks count themselves: the
    /// hook, the counter, its number.
    pub fn render_prometheus(&self, of_hooks: &[(&str, &str, u64)]) -> String {
        let mut out = render::prometheus(&self.tables());
        render::hook_counters(&mut out, of_hooks);
        out
    }

    /// The same numbers as nested objects: `clusters`, `listeners`, `routes`, `workers`,
    /// `access_logs` by name, and `engine`; an endpoint stands in its cluster's `endpoints`.
    /// Of `clusters`, those that nothing was counted for are there with zeros.
    pub fn to_json<'c>(&self, clusters: impl IntoIterator<Item = &'c str>) -> Value {
        render::json(&self.tables(), clusters)
    }

    fn tables(&self) -> Tables {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // A panic while it was held leaves whole tables: each call changes one entry.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key((outer, inner): (&str, &str)) -> Key {
    (outer.into(), inner.into())
}

fn named(key: &Key) -> (&str, &str) {
    (&key.0, &key.1)
}

fn block<B: Block>(table: &mut Arc<Table<B>>, worker: usize, name: (&str, &str)) -> Arc<B> {
    let key = key(name);
    let known = table.get(&key).into_iter().flatten();
    if let Some(known) = known.into_iter().find(|owned| owned.worker == worker) {
        return Arc::clone(&known.block);
    }
    let block = Arc::<B>::default();
    let owned = Owned {
        worker,
        block: Arc::clone(&block),
    };
    Arc::make_mut(table).entry(key).or_default().push(owned);
    block
}

fn forget<B>(table: &mut Arc<Table<B>>, gone: impl Fn(&Key) -> bool) {
    if table.keys().any(&gone) {
        Arc::make_mut(table).retain(|key, _| !gone(key));
    }
}

/// Keeps what is held or configured. Holders are counted under the lock, where nobody can take a
/// block that only the registry holds; a copy that a reader has counts too.
fn sweep<B>(table: &mut Arc<Table<B>>, configured: impl Fn(&Key) -> bool) {
    let held = |owned: &Owned<B>| Arc::strong_count(&owned.block) > 1;
    let unused: Vec<Key> = table
        .iter()
        .filter(|(key, owned)| !owned.iter().any(held) && !configured(key))
        .map(|(key, _)| key.clone())
        .collect();
    if !unused.is_empty() {
        let table = Arc::make_mut(table);
        for key in &unused {
            table.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
