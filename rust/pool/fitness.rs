//! Which of a cluster's endpoints may be picked, counted anew only when one of them has changed.

use std::cell::Cell;
use std::sync::Arc;

use crate::policy::health::Generation;
use crate::snapshot::{Cluster, Endpoint};

/// How many endpoints a cluster has in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// All are available.
    All,
    /// Some are not, and are left out.
    Some,
    /// Too few are available: leaving the others out would only overload these.
    Panic,
}

/// One worker's count of what is available.
#[derive(Debug)]
pub(super) struct Fitness {
    /// `None` without endpoints.
    generation: Option<Arc<Generation>>,
    seen: Cell<Option<(u64, Level)>>,
}

impl Fitness {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let generation = cluster.endpoints.first();
        Self {
            generation: generation.map(|endpoint| Arc::clone(endpoint.health.generation())),
            seen: Cell::new(None),
        }
    }

    /// Another number whenever that may have changed.
    #[inline]
    pub(super) fn generation(&self) -> u64 {
        self.generation.as_ref().map_or(0, |it| it.now())
    }

    /// How many are in use now.
    #[inline]
    pub(super) fn level(&self, cluster: &Cluster) -> Level {
        let Some(generation) = &self.generation else {
            return Level::All;
        };
        let now = generation.now();
        match self.seen.get() {
            Some((seen, level)) if seen == now => level,
            _ => {
                let level = count(&cluster.endpoints, cluster.wire.panic_threshold);
                self.seen.set(Some((now, level)));
                level
            }
        }
    }
}

fn count(endpoints: &[Arc<Endpoint>], threshold: u8) -> Level {
    let available = endpoints.iter().filter(|one| one.health.is_available());
    let available = available.count();
    if available == endpoints.len() {
        Level::All
    } else if available * 100 < endpoints.len() * usize::from(threshold) {
        Level::Panic
    } else {
        Level::Some
    }
}
