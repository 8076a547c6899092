//! What all workers know together about one endpoint.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

/// Counts an endpoint's active requests (TCP: connections) over all workers.
///
/// Padded to two cache lines, because neighbouring lines are fetched in pairs and workers would
/// slow each other down. Relaxed: the count is read for comparison only and orders nothing.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Load {
    active: AtomicU32,
}

impl Load {
    /// One more; ends when the guard is dropped.
    pub fn begin(self: &Arc<Self>) -> Active {
        self.active.fetch_add(1, Relaxed);
        Active {
            load: Arc::clone(self),
        }
    }

    /// One more, unless `limit` are active.
    pub fn try_begin(self: &Arc<Self>, limit: u32) -> Option<Active> {
        let more = |active| (active < limit).then_some(active + 1);
        self.active.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Active {
            load: Arc::clone(self),
        })
    }

    /// How many are active now.
    pub fn active(&self) -> u32 {
        self.active.load(Relaxed)
    }
}

/// One active request or connection; counted until dropped.
#[derive(Debug)]
pub struct Active {
    load: Arc<Load>,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.load.active.fetch_sub(1, Relaxed);
    }
}

/// An endpoint that can be picked.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Relative share; 0, which the border refuses, counts as 1.
    pub weight: u32,
    /// Its active requests.
    pub load: Arc<Load>,
}

impl Candidate {
    pub(super) fn weight(&self) -> u64 {
        u64::from(self.weight.max(1))
    }
}

/// Whether no candidate weighs more than another.
pub(super) fn equal_weights(candidates: &[Candidate]) -> bool {
    let mut weights = candidates.iter().map(Candidate::weight);
    let first = weights.next();
    weights.all(|weight| Some(weight) == first)
}
