//! Who counts where: hands blocks to workers and merges them when somebody asks.
//!
//! Its lock is taken when a snapshot is compiled and when statistics are read, never by a request.

mod render;

#[cfg(test)]
mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::blocks::{
    ClusterStats, EndpointStats, EngineStats, ListenerStats, LogStats, RouteStats, WorkerStats,
};
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

#[derive(Debug, Default)]
struct Tables {
    engine: Table<EngineStats>,
    workers: Table<WorkerStats>,
    listeners: Table<ListenerStats>,
    routes: Table<RouteStats>,
    clusters: Table<ClusterStats>,
    endpoints: Table<EndpointStats>,
    logs: Table<LogStats>,
}

/// Something that was removed from the configuration.
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
}

impl Registry {
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

    /// The worker's block of an endpoint of a cluster.
    pub fn endpoint(&self, worker: usize, cluster: &str, address: &str) -> Arc<EndpointStats> {
        block(&mut self.lock().endpoints, worker, (cluster, address))
    }

    /// The worker's block of a route of a table.
    pub fn route(&self, worker: usize, table: &str, route: &str) -> Arc<RouteStats> {
        block(&mut self.lock().routes, worker, (table, route))
    }

    /// The worker's own block.
    pub fn worker(&self, worker: usize) -> Arc<WorkerStats> {
        block(&mut self.lock().workers, worker, (&worker.to_string(), ""))
    }

    /// The service thread's block.
    pub fn engine(&self) -> Arc<EngineStats> {
        block(&mut self.lock().engine, 0, ("", ""))
    }

    /// The block of the access log at `path`.
    pub fn log(&self, path: &str) -> Arc<LogStats> {
        block(&mut self.lock().logs, 0, (path, ""))
    }

    /// Drops a removed resource's numbers at once. Who still holds its blocks counts into nothing,
    /// and a resource of the same name begins at zero.
    pub fn forget(&self, resource: Resource<'_>) {
        let mut tables = self.lock();
        match resource {
            Resource::Listener(name) => tables.listeners.retain(|key, _| &*key.0 != name),
            Resource::RouteTable(name) => tables.routes.retain(|key, _| &*key.0 != name),
            Resource::Route(table, route) => drop(tables.routes.remove(&key((table, route)))),
            Resource::Cluster(name) => {
                tables.clusters.remove(&key((name, "")));
                tables.endpoints.retain(|key, _| &*key.0 != name);
            }
            Resource::Endpoint(name, at) => drop(tables.endpoints.remove(&key((name, at)))),
        }
    }

    /// Drops the numbers of everything that no snapshot, connection or request holds any more.
    /// Called after old snapshots end, it bounds the label sets by what is configured.
    pub fn forget_unused(&self) {
        let tables = &mut *self.lock();
        sweep(&mut tables.listeners);
        sweep(&mut tables.routes);
        sweep(&mut tables.clusters);
        sweep(&mut tables.endpoints);
        sweep(&mut tables.logs);
    }

    /// The Prometheus text exposition, version 0.0.4.
    pub fn render_prometheus(&self) -> String {
        render::prometheus(&self.lock())
    }

    /// The same numbers as nested objects: `clusters`, `listeners`, `routes`, `workers`,
    /// `access_logs` by name, and `engine`; an endpoint stands in its cluster's `endpoints`.
    pub fn to_json(&self) -> Value {
        render::json(&self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Tables> {
        // A panic while it was held leaves whole tables: each call changes one entry.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key((outer, inner): (&str, &str)) -> Key {
    (outer.into(), inner.into())
}

fn block<B: Block>(table: &mut Table<B>, worker: usize, name: (&str, &str)) -> Arc<B> {
    let owned = table.entry(key(name)).or_default();
    if let Some(known) = owned.iter().find(|owned| owned.worker == worker) {
        return Arc::clone(&known.block);
    }
    let block = Arc::<B>::default();
    owned.push(Owned {
        worker,
        block: Arc::clone(&block),
    });
    block
}

fn sweep<B>(table: &mut Table<B>) {
    // Counted under the lock: nobody can take a block that only the registry holds meanwhile.
    table.retain(|_, owned| {
        owned
            .iter()
            .any(|owned| Arc::strong_count(&owned.block) > 1)
    });
}

#[cfg(test)]
mod tests;
