//! Active health checks: every endpoint of a cluster that has them is asked again and again,
//! whether requests go there or not.
//!
//! They run on the service thread: each endpoint is asked once, not once for each worker, and no
//! request waits for a check. A task asks one question of one endpoint; what it finds out is an
//! obstacle of the endpoint's health, which all workers see.

mod http1;
mod http2;
mod line;
mod probe;
mod subject;
mod tcp;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, spawn_local};

use crate::balance::Random;
use crate::net::Address;
use crate::runtime::buffers::Buffers;
use crate::snapshot::{Cluster, Endpoint, Snapshot};
use crate::telemetry::{HealthCheckStats, Registry};

use subject::Subject;

/// Checks under way at once: each holds a descriptor, and an outage of everything must not take
/// those of requests. At the default timeout this asks a thousand dead endpoints a second.
const PARALLEL: usize = 1024;

/// Told of each change: a level and a line.
type Tell = Box<dyn Fn(&'static str, String)>;

/// What all checks share.
struct Around {
    permits: Semaphore,
    random: RefCell<Random>,
    buffers: Buffers,
    tell: Tell,
}

impl Around {
    /// Any number.
    fn draw(&self) -> u64 {
        self.random.borrow_mut().next_u64()
    }
}

/// Runs the checks of the snapshot in force.
pub struct Prober {
    around: Rc<Around>,
    clusters: HashMap<Arc<str>, Checked>,
}

impl fmt::Debug for Prober {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prober").finish_non_exhaustive()
    }
}

/// A cluster that is checked.
struct Checked {
    cluster: Arc<Cluster>,
    stats: Arc<HealthCheckStats>,
    endpoints: HashMap<Address, Watched>,
}

/// An endpoint that is checked; dropping it ends that.
struct Watched {
    subject: Rc<Subject>,
    tasks: Vec<AbortHandle>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Prober {
    /// Checks nothing yet.
    pub fn new(seed: u64, tell: impl Fn(&'static str, String) + 'static) -> Self {
        let around = Around {
            permits: Semaphore::new(PARALLEL),
            random: RefCell::new(Random::seeded(seed)),
            buffers: Buffers::default(),
            tell: Box::new(tell),
        };
        Self {
            around: Rc::new(around),
            clusters: HashMap::new(),
        }
    }

    /// Checks what `snapshot` says from now on. An endpoint whose checks stay as they were keeps
    /// what was found out.
    pub fn follow(&mut self, snapshot: &Snapshot, registry: &Registry) {
        let mut before = std::mem::take(&mut self.clusters);
        for cluster in snapshot.clusters.iter().flatten() {
            if cluster.wire.health_checks.is_empty() {
                continue;
            }
            let old = before.remove(&cluster.name);
            let now = match old {
                Some(old) if Arc::ptr_eq(&old.cluster, cluster) => old,
                old => self.check(cluster, registry, old),
            };
            self.clusters.insert(Arc::clone(&cluster.name), now);
        }
        for gone in before.into_values() {
            gone.end(snapshot);
        }
    }

    fn check(&self, cluster: &Arc<Cluster>, registry: &Registry, old: Option<Checked>) -> Checked {
        let same = |old: &Checked| old.cluster.wire.health_checks == cluster.wire.health_checks;
        let goes_on = old.as_ref().is_some_and(same);
        let mut before = old.map(|old| old.endpoints).unwrap_or_default();
        let stats = registry.health_checks(&cluster.name);
        let mut endpoints = HashMap::with_capacity(cluster.endpoints.len());
        for endpoint in &cluster.endpoints {
            let watched = match before.remove(&endpoint.address) {
                Some(watched) if goes_on => {
                    watched.subject.turn_to(cluster, endpoint);
                    watched
                }
                // An endpoint that failed does so until the new checks say otherwise.
                _ => self.watch(cluster, endpoint, &stats),
            };
            endpoints.insert(endpoint.address.clone(), watched);
        }
        subject::count(cluster, &stats);
        Checked {
            cluster: Arc::clone(cluster),
            stats,
            endpoints,
        }
    }

    fn watch(
        &self,
        cluster: &Arc<Cluster>,
        endpoint: &Arc<Endpoint>,
        stats: &Arc<HealthCheckStats>,
    ) -> Watched {
        let subject = Rc::new(Subject::new(cluster, endpoint, Arc::clone(stats)));
        let checks = 0..cluster.wire.health_checks.len();
        let spawn = |index| {
            let (subject, around) = (Rc::clone(&subject), Rc::clone(&self.around));
            spawn_local(probe::run(subject, around, index)).abort_handle()
        };
        let tasks = checks.map(spawn).collect();
        Watched { subject, tasks }
    }
}

impl Checked {
    /// The cluster has left, or has no checks any more: then nothing speaks against its endpoints.
    fn end(self, snapshot: &Snapshot) {
        let slot = self.cluster.slot;
        let heir = snapshot.cluster(slot);
        if let Some(heir) = heir.filter(|heir| heir.name == self.cluster.name) {
            subject::acquit(heir);
        }
        self.stats.endpoints.set(0);
        self.stats.endpoints_healthy.set(0);
    }
}
