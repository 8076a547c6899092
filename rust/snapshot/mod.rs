//! The compiled, immutable configuration that workers read, and the live state it shares.
//!
//! A request takes the snapshot of its head and keeps it to its end. What must outlive a swap
//! (active counts, connection counts) hangs on shared objects that compilation finds again by name.

mod adaptive;
mod client_tls;
mod cluster;
mod compile;
mod guard;
mod hashing;
mod health_check;
mod hook;
mod http2;
mod listener;
mod locality;
mod open;
mod overload;
mod references;
mod slow_start;
mod stage;
mod tcp_keepalive;

use std::collections::HashMap;
use std::sync::Arc;

pub use cluster::{Cluster, Endpoint, Names};
pub use compile::Compiler;
pub use guard::{Guard, Live};
pub use listener::{AccessLog, Listener};
pub use open::{Lease, Leases, OpenCount, Place, Waiting};
pub use stage::{Staged, Surroundings};

use crate::route::ClusterSlot;

/// One generation of the whole configuration.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Counts up with every change that was accepted.
    pub generation: u64,
    /// Sorted by name.
    pub listeners: Vec<Arc<Listener>>,
    /// By slot; a slot of a removed cluster is empty until a new name takes it.
    pub clusters: Vec<Option<Arc<Cluster>>>,
    /// Route tables as they were written, by name.
    pub tables: Vec<Arc<crate::wire::RouteTable>>,
    /// The slots of clusters by name; only where there are hooks, which may choose one.
    pub slots: HashMap<Arc<str>, ClusterSlot>,
    /// Bounds of the process.
    pub overload: Option<Arc<crate::wire::Overload>>,
    /// Sorted by name.
    pub hooks: Vec<Arc<crate::policy::hook::Hook>>,
}

impl Snapshot {
    /// The slot of a cluster that a hook names.
    pub fn slot(&self, name: &str) -> Option<ClusterSlot> {
        self.slots.get(name).copied()
    }

    /// The cluster in a slot.
    pub fn cluster(&self, slot: ClusterSlot) -> Option<&Arc<Cluster>> {
        self.clusters.get(slot.0 as usize)?.as_ref()
    }
}

#[cfg(test)]
mod tests;
