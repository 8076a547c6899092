//! What all workers know together about one endpoint's fitness.
//!
//! Whoever finds something out sets or clears its own obstacle; whoever picks asks whether there is
//! any. Changes are rare and reads are not, so that what is read stays in every worker's cache.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::breaker::Breaker;
use super::outlier::Tally;

/// What keeps requests away from an endpoint; each belongs to one decider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Obstacle {
    /// Outlier detection has taken it out for a while.
    Ejected = 1,
    /// Its active health check fails.
    FailedCheck = 1 << 1,
    /// Its circuit breaker is open.
    BreakerOpen = 1 << 2,
    /// It takes nothing new.
    Draining = 1 << 3,
}

impl Obstacle {
    /// Every obstacle.
    pub const ALL: [Self; 4] = [
        Self::Ejected,
        Self::FailedCheck,
        Self::BreakerOpen,
        Self::Draining,
    ];

    /// Its name, as pages show it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ejected => "ejected",
            Self::FailedCheck => "failed_check",
            Self::BreakerOpen => "breaker_open",
            Self::Draining => "draining",
        }
    }

    const fn bit(self) -> u8 {
        self as u8
    }
}

/// Counts the changes among a cluster's endpoints: who has seen this number and counted the
/// available ones need not count them again before it is another.
#[derive(Debug, Default)]
pub struct Generation(AtomicU64);

impl Generation {
    /// The number now. What the change that made it has written is seen too.
    #[inline]
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Something that pickers depend on has changed.
    pub fn advance(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// One endpoint's fitness.
///
/// A line of its own: neighbours that change must not take it out of the workers' caches.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Health {
    obstacles: AtomicU8,
    returned_at_us: AtomicU64,
    generation: Arc<Generation>,
    vitals: OnceLock<Box<Vitals>>,
}

/// What is known of an endpoint whose requests are watched; most are not.
#[derive(Debug, Default)]
pub struct Vitals {
    /// What its requests came to.
    pub tally: Tally,
    /// Its circuit.
    pub breaker: Arc<Breaker>,
}

impl Health {
    /// Of an endpoint without obstacles in the cluster that `generation` counts for.
    pub fn new(generation: &Arc<Generation>) -> Self {
        Self {
            generation: Arc::clone(generation),
            ..Self::default()
        }
    }

    /// Whether requests may go there.
    #[inline]
    pub fn is_available(&self) -> bool {
        self.obstacles.load(Ordering::Relaxed) == 0
    }

    /// Whether this obstacle stands.
    pub fn has(&self, obstacle: Obstacle) -> bool {
        self.obstacles.load(Ordering::Relaxed) & obstacle.bit() != 0
    }

    /// Whether this obstacle stands, and no other.
    pub fn has_only(&self, obstacle: Obstacle) -> bool {
        self.obstacles.load(Ordering::Relaxed) == obstacle.bit()
    }

    /// Those that stand.
    pub fn obstacles(&self) -> impl Iterator<Item = Obstacle> {
        let obstacles = self.obstacles.load(Ordering::Relaxed);
        let stands = move |one: &Obstacle| obstacles & one.bit() != 0;
        Obstacle::ALL.into_iter().filter(stands)
    }

    /// Sets or clears an obstacle at `now_us` of the clock that all threads share; says whether
    /// that changed anything.
    pub fn set(&self, obstacle: Obstacle, stands: bool, now_us: u64) -> bool {
        let bit = obstacle.bit();
        let before = if stands {
            self.obstacles.fetch_or(bit, Ordering::Relaxed)
        } else {
            self.obstacles.fetch_and(!bit, Ordering::Relaxed)
        };
        let changed = (before & bit != 0) != stands;
        if changed {
            if before == bit {
                self.returned_at_us.store(now_us.max(1), Ordering::Relaxed);
            }
            self.generation.advance();
        }
        changed
    }

    /// When the last obstacle went away, by the clock that all threads share; 0: it was never away.
    pub fn returned_at_us(&self) -> u64 {
        self.returned_at_us.load(Ordering::Relaxed)
    }

    /// What is known of it; nothing, at first.
    #[inline]
    pub fn vitals(&self) -> &Vitals {
        self.vitals.get_or_init(Box::default)
    }

    /// What counts the changes in its cluster.
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
