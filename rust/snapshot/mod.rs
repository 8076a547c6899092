//! The compiled, immutable configuration that workers read, and the live state it shares.
//!
//! A request takes the snapshot of its head and keeps it to its end. What must outlive a swap
//! (active counts, connection counts) hangs on shared objects that compilation finds again by name.

mod cluster;
mod compile;
mod listener;
mod references;
mod stage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub use cluster::{Cluster, Endpoint, Names};
pub use compile::Compiler;
pub use listener::{AccessLog, Listener};
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
}

impl Snapshot {
    /// The cluster in a slot.
    pub fn cluster(&self, slot: ClusterSlot) -> Option<&Arc<Cluster>> {
        self.clusters.get(slot.0 as usize)?.as_ref()
    }
}

/// A number of things that are open, over all workers, with a limit that holds exactly.
#[derive(Debug, Default)]
pub struct OpenCount(AtomicU32);

impl OpenCount {
    /// Counts one more unless `limit` (0: none) is reached; dropping the place counts it out.
    pub fn enter(self: &Arc<Self>, limit: u32) -> Option<Place> {
        // Relaxed: a count guards no other memory. A read-modify-write makes the limit exact.
        let entered = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
                (limit == 0 || open < limit).then(|| open + 1)
            });
        entered.is_ok().then(|| Place(Arc::clone(self)))
    }

    /// How many are open.
    pub fn value(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of an [`OpenCount`].
#[derive(Debug)]
pub struct Place(Arc<OpenCount>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
