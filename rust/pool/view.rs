//! A worker's view of one snapshot: clusters come to life when a request first needs them.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::{ClusterRun, EndpointRun};
use crate::route::ClusterSlot;
use crate::snapshot::Snapshot;
use crate::telemetry::Registry;

/// One snapshot in one worker.
#[derive(Debug, Default)]
pub struct View {
    /// The snapshot.
    pub snapshot: Arc<Snapshot>,
    /// By slot; empty until used, so that ten thousand clusters cost what their users use.
    clusters: Vec<OnceCell<Rc<ClusterRun>>>,
}

impl View {
    /// The view of `snapshot` that follows `before`.
    pub fn after(before: &Self, snapshot: Arc<Snapshot>, registry: (&Registry, usize)) -> Self {
        let mut clusters = Vec::with_capacity(snapshot.clusters.len());
        for (index, cluster) in snapshot.clusters.iter().enumerate() {
            let cell = OnceCell::new();
            let old = before.clusters.get(index).and_then(OnceCell::get);
            match (old, cluster) {
                (Some(old), Some(cluster)) if Arc::ptr_eq(&old.cluster, cluster) => {
                    let _ = cell.set(Rc::clone(old));
                }
                (Some(old), Some(cluster)) if old.cluster.name == cluster.name => {
                    let run = ClusterRun::new(Arc::clone(cluster), registry, Some(old));
                    let _ = cell.set(Rc::new(run));
                }
                (Some(old), _) => old.leave(),
                (None, _) => {}
            }
            clusters.push(cell);
        }
        for old in before
            .clusters
            .iter()
            .skip(clusters.len())
            .filter_map(OnceCell::get)
        {
            old.leave();
        }
        Self { snapshot, clusters }
    }

    /// The cluster in a slot.
    pub fn cluster(
        &self,
        slot: ClusterSlot,
        registry: (&Registry, usize),
    ) -> Option<&Rc<ClusterRun>> {
        let cell = self.clusters.get(slot.0 as usize)?;
        if cell.get().is_none() {
            let cluster = Arc::clone(self.snapshot.cluster(slot)?);
            let _ = cell.set(Rc::new(ClusterRun::new(cluster, registry, None)));
        }
        cell.get()
    }

    /// Closes idle connections that are of no more use; gives the endpoints where one in use has
    /// become too old.
    pub fn sweep(&self, now: Instant) -> Vec<(Rc<ClusterRun>, Rc<EndpointRun>)> {
        let mut old = Vec::new();
        for cluster in self.clusters.iter().filter_map(OnceCell::get) {
            cluster.sweep(now, |run| old.push((Rc::clone(cluster), Rc::clone(run))));
        }
        old
    }
}
