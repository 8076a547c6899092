//! A cluster as a worker sees it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::fitness::{Fitness, Level};
use super::likeness::{are_comparable, counts_load};
use super::session::Names;
use super::shares::Shares;
use super::{EndpointRun, Tried, Wish};
use crate::balance::{Asking, Availability, Candidate, Levels, Picker, Random};
use crate::snapshot::{Cluster, Endpoint};
use crate::telemetry::{ClusterStats, GuardStats, Registry};
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
    worker: usize,
    fitness: Fitness,
    /// Of its guards, where it has some.
    pub(super) guard_stats: Option<Arc<GuardStats>>,
    names: Names,
    shares: Option<Shares>,
}

impl ClusterRun {
    /// A worker's side of `cluster`; endpoints that `before` had come over with their connections.
    pub fn new(cluster: Arc<Cluster>, registry: (&Registry, usize), before: Option<&Self>) -> Self {
        let (registry, worker) = registry;
        let stats = registry.cluster(worker, &cluster.name);
        let counts_load = counts_load(&cluster.wire);
        let comparable =
            before.filter(|before| are_comparable(&before.cluster.wire, &cluster.wire));
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
            before.leave_but(&endpoints);
        }
        let guarded = cluster.guard.is_some();
        Self {
            fitness: Fitness::new(&cluster),
            guard_stats: guarded.then(|| registry.guard(worker, &cluster.name)),
            shares: Shares::new(&cluster),
            cluster,
            stats,
            picker: RefCell::new(picker),
            levels: levels.map(RefCell::new),
            names: Names::default(),
            endpoints,
            worker,
        }
    }

    /// What stands in its place has kept these.
    fn leave_but(&self, kept: &[Rc<EndpointRun>]) {
        let stays = |run: &&Rc<EndpointRun>| kept.iter().any(|kept| Rc::ptr_eq(kept, run));
        let gone = self.endpoints.iter().filter(|run| !stays(run));
        gone.for_each(|run| run.leave());
    }

    /// Chooses an available endpoint that `tried` doesn't hold, and notes it there.
    pub fn pick(
        &self,
        random: &mut Random,
        now_us: u64,
        tried: &mut Tried,
    ) -> Option<&Rc<EndpointRun>> {
        let wish = tried.aim.as_ref().map_or(Wish::None, |aim| aim.wish);
        if wish != Wish::None {
            let wanted = self.wanted(wish, tried);
            if wanted.is_some() || matches!(wish, Wish::Only(_)) {
                tried.add(wanted?);
                return self.endpoints.get(wanted?);
            }
        }
        let hash = tried.aim.as_ref().and_then(|aim| aim.hash);
        let passed = |index| tried.contains(index);
        let index = match &self.shares {
            Some(shares) if hash.is_none() => {
                let pick = |random: &mut Random, refused: &dyn Fn(usize) -> bool| {
                    let passed = |index| passed(index) || refused(index);
                    self.pick_among(
                        Asking {
                            random,
                            now_us,
                            hash,
                        },
                        passed,
                    )
                };
                shares.pick(&self.cluster, random, pick)
            }
            _ => self.pick_among(
                Asking {
                    random,
                    now_us,
                    hash,
                },
                passed,
            ),
        }?;
        tried.add(index);
        self.endpoints.get(index)
    }

    /// The endpoint of a session, as long as it can take the request: also one that takes nothing new.
    fn wanted(&self, wish: Wish, tried: &Tried) -> Option<usize> {
        let can = |index: &usize| !tried.contains(*index) && self.is_available(*index);
        wish.index().filter(can)
    }

    /// The index of the endpoint with this address.
    pub fn index_of(&self, address: &str) -> Option<usize> {
        self.names.index_of(&self.cluster, address)
    }

    fn pick_among(&self, asking: Asking<'_>, passed: impl Fn(usize) -> bool) -> Option<usize> {
        if let Some(levels) = &self.levels {
            return self.pick_of_levels(&mut levels.borrow_mut(), asking, &passed);
        }
        let all = self.takes_all();
        let skip = |index| passed(index) || !(all || self.is_available(index));
        let mut picker = self.picker.borrow_mut();
        match asking.hash {
            Some(hash) => picker.pick_hashed(hash, &skip),
            None => picker.pick(asking.random, asking.now_us, &skip),
        }
    }

    fn pick_of_levels(
        &self,
        levels: &mut Levels,
        asking: Asking<'_>,
        passed: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        let available = Availability {
            generation: self.fitness.generation(),
            is_available: &|index| self.is_available(index),
        };
        let index = levels.pick(asking, available, passed)?;
        if levels.is_in_panic(index) {
            self.stats.healthy_panic_total.increment();
        }
        Some(index)
    }

    /// Whether the picker looks at how long endpoints take, and so at the time.
    pub fn goes_by_latency(&self) -> bool {
        self.cluster.wire.balance == Balance::P2cEwma
    }

    /// Whether requests should bring the hash of a key.
    pub fn goes_by_keys(&self) -> bool {
        self.cluster.hashing.is_some()
    }

    /// Whether even those endpoints may be picked that are not available.
    fn takes_all(&self) -> bool {
        match self.fitness.level(&self.cluster) {
            Level::All => true,
            Level::Some => false,
            Level::Panic => {
                self.stats.healthy_panic_total.increment();
                true
            }
        }
    }

    fn is_available(&self, index: usize) -> bool {
        let endpoint = self.cluster.endpoints.get(index);
        endpoint.is_some_and(|it| it.health.is_available() || self.awaits_probe(&it.health))
    }

    /// Whether an endpoint is picked although it isn't available.
    pub(super) fn panics(&self) -> bool {
        self.fitness.level(&self.cluster) == Level::Panic
    }

    /// Tells the picker how long an endpoint took.
    pub fn observe(&self, run: &Rc<EndpointRun>, latency_us: u64, now_us: u64) {
        if self.goes_by_latency()
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
        if let Some(gradient) = &self.cluster.adaptive
            && gradient.is_told_by(self.worker)
        {
            self.stats.adaptive_limit.set(gradient.limit().into());
            let least = i64::try_from(gradient.min_rtt().as_micros());
            self.stats.adaptive_min_rtt.set(least.unwrap_or(i64::MAX));
        }
    }

    /// The cluster has left the configuration.
    pub fn leave(&self) {
        for run in &self.endpoints {
            run.leave();
        }
    }
}

fn pickers(cluster: &Cluster) -> (Picker, Option<Levels>) {
    let candidate = |endpoint: &Arc<Endpoint>| Candidate {
        weight: endpoint.weight,
        load: Arc::clone(&endpoint.load),
    };
    let candidates: Vec<Candidate> = cluster.endpoints.iter().map(candidate).collect();
    let balance = cluster.wire.balance;
    if let Some(layout) = &cluster.layout {
        let panic_threshold = cluster.wire.panic_threshold.into();
        let levels = Levels::new(layout, balance, &candidates, panic_threshold);
        return (Picker::new(balance, &[]), Some(levels));
    }
    let picker = match &cluster.hashing {
        Some(table) => Picker::hashing(Arc::clone(table), &candidates),
        None => Picker::new(balance, &candidates),
    };
    (picker, None)
}
