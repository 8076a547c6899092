//! A cluster as a worker sees it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::{EndpointRun, Tried};
use crate::balance::{Asking, Candidate, Fitness, Levels, Picker, Random};
use crate::snapshot::{Cluster, Endpoint};
use crate::telemetry::{ClusterStats, Registry};
use crate::wire;
use crate::wire::cluster::Balance;

/// A cluster's picker, endpoints and counters in one worker.
#[derive(Debug)]
pub struct ClusterRun {
    /// What the snapshot says of it.
    pub cluster: Arc<Cluster>,
    /// Its counters.
    pub stats: Arc<ClusterStats>,
    picker: RefCell<Picker>,
    /// In its place where not all endpoints are equal.
    levels: Option<RefCell<Levels>>,
    endpoints: Vec<Rc<EndpointRun>>,
}

impl ClusterRun {
    /// A worker's side of `cluster`; endpoints that `before` had come over with their connections.
    pub fn new(cluster: Arc<Cluster>, registry: (&Registry, usize), before: Option<&Self>) -> Self {
        let (registry, worker) = registry;
        let stats = registry.cluster(worker, &cluster.name);
        let counts_load = counts_load(&cluster.wire);
        // Connections made under other TLS or protocol settings must not carry requests of these.
        let comparable = before.filter(|before| {
            before.cluster.wire.tls == cluster.wire.tls
                && before.cluster.wire.protocol == cluster.wire.protocol
                && before.cluster.wire.http2 == cluster.wire.http2
                && before.cluster.wire.proxy_protocol == cluster.wire.proxy_protocol
                && before.cluster.wire.balance == cluster.wire.balance
                && before.cluster.wire.hash == cluster.wire.hash
        });
        let old = |endpoint: &Arc<Endpoint>| {
            comparable?
                .endpoints
                .iter()
                .find(|run| run.endpoint.address == endpoint.address)
        };
        let endpoints: Vec<Rc<EndpointRun>> = cluster
            .endpoints
            .iter()
            .map(|endpoint| match old(endpoint) {
                Some(run) if Arc::ptr_eq(&run.endpoint, endpoint) => Rc::clone(run),
                _ => {
                    let stats = registry.endpoint(worker, &cluster.name, &endpoint.text);
                    Rc::new(EndpointRun::new(Arc::clone(endpoint), stats, counts_load))
                }
            })
            .collect();
        let (mut picker, mut levels) = pickers(&cluster);
        if let Some(before) = comparable {
            let same = |index: usize| {
                let address = &endpoints.get(index)?.endpoint.address;
                before
                    .endpoints
                    .iter()
                    .position(|run| run.endpoint.address == *address)
            };
            match (&mut levels, &before.levels) {
                (Some(levels), Some(before)) => levels.carry_over(&before.borrow(), same),
                (None, None) => picker.carry_over(&before.picker.borrow(), same),
                _ => {}
            }
        }
        if let Some(before) = before {
            let kept = |run: &&Rc<EndpointRun>| endpoints.iter().any(|kept| Rc::ptr_eq(kept, run));
            let gone = before.endpoints.iter().filter(|run| !kept(run));
            gone.for_each(|run| run.leave());
        }
        Self {
            cluster,
            stats,
            picker: RefCell::new(picker),
            levels: levels.map(RefCell::new),
            endpoints,
        }
    }

    /// Chooses an endpoint that `tried` doesn't hold, and notes it there.
    pub fn pick(
        &self,
        random: &mut Random,
        now_us: u64,
        tried: &mut Tried,
    ) -> Option<&Rc<EndpointRun>> {
        let skip = |index| tried.contains(index);
        let hash = tried.aim.as_ref().and_then(|aim| aim.hash);
        let index = match (&self.levels, hash) {
            (Some(levels), hash) => {
                let asking = Asking {
                    random,
                    now_us,
                    hash,
                };
                levels.borrow_mut().pick(asking, ALWAYS_FIT, &skip)
            }
            (None, Some(hash)) => self.picker.borrow_mut().pick_hashed(hash, &skip),
            (None, None) => self.picker.borrow_mut().pick(random, now_us, &skip),
        }?;
        tried.add(index);
        self.endpoints.get(index)
    }

    /// Whether requests should bring the hash of a key.
    pub fn goes_by_keys(&self) -> bool {
        self.cluster.hashing.is_some()
    }

    /// Tells the picker how long an endpoint took.
    pub fn observe(&self, run: &Rc<EndpointRun>, latency_us: u64, now_us: u64) {
        if self.cluster.wire.balance == Balance::P2cEwma
            && let Some(index) = self
                .endpoints
                .iter()
                .position(|known| Rc::ptr_eq(known, run))
        {
            match &self.levels {
                Some(levels) => levels.borrow_mut().observe(index, latency_us, now_us),
                None => self.picker.borrow_mut().observe(index, latency_us, now_us),
            }
        }
    }

    /// Closes idle connections that are of no more use; `old` is told of endpoints where one in use
    /// has become too old.
    pub fn sweep(&self, now: Instant, mut old: impl FnMut(&Rc<EndpointRun>)) {
        let mut idle = 0;
        for run in &self.endpoints {
            if run.sweep(&self.cluster.wire, now) {
                old(run);
            }
            idle += run.idle_count();
        }
        self.stats
            .pool_idle
            .set(i64::try_from(idle).unwrap_or(i64::MAX));
    }

    /// The cluster has left the configuration.
    pub fn leave(&self) {
        for run in &self.endpoints {
            run.leave();
        }
    }
}

/// Nobody is known to be unavailable.
const ALWAYS_FIT: Fitness<'static> = Fitness {
    generation: 0,
    is_fit: &|_| true,
};

fn pickers(cluster: &Cluster) -> (Picker, Option<Levels>) {
    let candidate = |endpoint: &Arc<Endpoint>| Candidate {
        weight: endpoint.weight,
        load: Arc::clone(&endpoint.load),
    };
    let candidates: Vec<Candidate> = cluster.endpoints.iter().map(candidate).collect();
    let balance = cluster.wire.balance;
    if let Some(layout) = &cluster.layout {
        let levels = Levels::new(layout, balance, &candidates, 0);
        return (Picker::new(balance, &[]), Some(levels));
    }
    let picker = match &cluster.hashing {
        Some(table) => Picker::hashing(Arc::clone(table), &candidates),
        None => Picker::new(balance, &candidates),
    };
    (picker, None)
}

/// Whether the picker looks at how many requests each endpoint has.
fn counts_load(wire: &wire::Cluster) -> bool {
    match wire.balance {
        Balance::LeastRequest | Balance::P2cEwma => true,
        Balance::RingHash | Balance::Maglev => wire.hash.load_factor_percent > 0,
        Balance::RoundRobin | Balance::Random => false,
    }
}
