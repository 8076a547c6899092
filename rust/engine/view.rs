//! What other threads may see of the engine, and what the admin interface shows of it.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::events::{Event, Events};
use super::guards;
use super::hook_counters;
use super::sockets::{AdminSocket, Bound};
use crate::admin::View;
use crate::policy::gradient::Gradient;
use crate::policy::health::Obstacle;
use crate::policy::overload::Overload;
use crate::remote::desk::Desk;
use crate::runtime::clock;
use crate::snapshot::{Cluster, Snapshot};
use crate::telemetry::{LogSinks, Registry};

/// Levels of notices, the most urgent first.
const LEVELS: [&str; 4] = ["error", "warning", "info", "debug"];

/// What is shared off the request path.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) registry: Arc<Registry>,
    pub(super) logs: LogSinks,
    /// What the process refuses now.
    pub(super) overload: Arc<Overload>,
    pub(super) events: Events,
    /// Where workers ask Python's functions.
    pub(super) desk: Arc<Desk>,
    pub(super) stopping: Notify,
    /// Notified when a successor answers the admin interface from now on.
    pub(super) admin_handed_over: Notify,
    workers: usize,
    admin: Option<AdminSocket>,
    started: Instant,
    draining: AtomicBool,
    level: AtomicU8,
    snapshot: Mutex<Arc<Snapshot>>,
    sockets: Mutex<HashMap<String, Bound>>,
}

impl Seen {
    pub(super) fn new(workers: usize, admin: Option<AdminSocket>) -> io::Result<Self> {
        let registry = Arc::new(Registry::default());
        Ok(Self {
            logs: LogSinks::new(Arc::clone(&registry)),
            registry,
            overload: Arc::default(),
            events: Events::new()?,
            desk: Desk::new()?,
            stopping: Notify::new(),
            admin_handed_over: Notify::new(),
            workers,
            admin,
            started: clock::now(),
            draining: AtomicBool::new(false),
            level: AtomicU8::new(2),
            snapshot: Mutex::default(),
            sockets: Mutex::default(),
        })
    }

    pub(super) fn admin(&self) -> Option<&AdminSocket> {
        self.admin.as_ref()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn install(&self, snapshot: &Arc<Snapshot>) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(snapshot);
    }

    /// Counters of everything, with all configured clusters.
    pub(super) fn stats(&self) -> Value {
        let snapshot = self.snapshot();
        guards::set_gauges(&snapshot, &self.registry);
        let clusters = snapshot.clusters.iter().flatten();
        let mut stats = self
            .registry
            .to_json(clusters.map(|cluster| &*cluster.name));
        for (hook, counter, value) in hook_counters::of(&snapshot) {
            stats["hooks"][&*hook]["counters"][counter] = json!(value);
        }
        stats
    }

    pub(super) fn sockets(&self) -> HashMap<String, Bound> {
        self.sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_sockets(&self, bound: &HashMap<String, Bound>) {
        let mut sockets = self.sockets.lock().unwrap_or_else(PoisonError::into_inner);
        sockets.clone_from(bound);
    }

    pub(super) fn forget_sockets(&self) {
        self.sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(super) fn begin_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Tells the owner something, if its level is wanted.
    pub(super) fn tell(&self, level: &'static str, text: String) {
        let rank = LEVELS.iter().position(|known| *known == level).unwrap_or(0);
        if rank <= usize::from(self.level.load(Ordering::Relaxed)) {
            self.events.tell(Event::Notice(level, text));
        }
    }

    pub(super) fn set_log_level(&self, level: &str) -> Result<(), String> {
        let rank = LEVELS.iter().position(|known| *known == level);
        let rank = rank.and_then(|rank| u8::try_from(rank).ok());
        let rank = rank.ok_or_else(|| format!("levels are {}", LEVELS.join(", ")))?;
        self.level.store(rank, Ordering::Relaxed);
        Ok(())
    }
}

/// The admin interface's window.
#[derive(Debug)]
pub(super) struct AdminView(pub(super) Arc<Seen>);

impl View for AdminView {
    fn ready(&self) -> bool {
        self.state() == "LIVE"
    }

    fn state(&self) -> &'static str {
        if self.0.draining.load(Ordering::Relaxed) {
            "DRAINING"
        } else if self.0.snapshot().generation == 0 {
            "PRE_INITIALIZING"
        } else {
            "LIVE"
        }
    }

    fn stats_prometheus(&self) -> String {
        let snapshot = self.0.snapshot();
        guards::set_gauges(&snapshot, &self.0.registry);
        let counters = hook_counters::of(&snapshot);
        let told: Vec<_> = counters
            .iter()
            .map(|(hook, counter, value)| (&**hook, &**counter, *value))
            .collect();
        self.0.registry.render_prometheus(&told)
    }

    fn stats_json(&self) -> Value {
        self.0.stats()
    }

    fn clusters(&self) -> Value {
        let stats = self.0.stats();
        let snapshot = self.0.snapshot();
        let clusters = snapshot.clusters.iter().flatten();
        clusters
            .map(|cluster| cluster_status(cluster, &stats["clusters"][&*cluster.name]))
            .collect()
    }

    fn listeners(&self) -> Value {
        let sockets = self.0.sockets();
        let mut names: Vec<&String> = sockets.keys().collect();
        names.sort();
        let one = |name: &&String| {
            let bound = &sockets[*name];
            json!({
                "name": name,
                "address": bound.address.to_string(),
                "local_address": bound.actual.to_string(),
                "sockets": bound.sockets.len(),
            })
        };
        names.iter().map(one).collect()
    }

    fn config_dump(&self) -> Value {
        let snapshot = self.0.snapshot();
        let clusters = snapshot.clusters.iter().flatten();
        json!({
            "generation": snapshot.generation,
            "listeners": snapshot.listeners.iter().map(|l| json!(*l.wire)).collect::<Value>(),
            "route_tables": snapshot.tables.iter().map(|t| json!(**t)).collect::<Value>(),
            "clusters": clusters.clone().map(|c| json!(*c.wire)).collect::<Value>(),
            "endpoints": clusters.map(endpoints_dump).collect::<Value>(),
            "hooks": snapshot.hooks.iter().map(|hook| json!(*hook.wire)).collect::<Value>(),
            "overload": snapshot.overload.as_deref().map(|overload| json!(overload)),
        })
    }

    fn server_info(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "state": self.state(),
            "uptime_seconds": (clock::now() - self.0.started).as_secs(),
            "workers": self.0.workers,
            "generation": self.0.snapshot().generation,
            "admin": self.0.admin.as_ref().map_or("", |admin| &admin.actual),
            "pid": std::process::id(),
        })
    }

    fn quit(&self) {
        self.0.events.tell(Event::Quit);
    }

    fn drain_listeners(&self) {
        self.0.events.tell(Event::Drain);
    }

    fn set_log_level(&self, level: &str) -> Result<(), String> {
        self.0.set_log_level(level)
    }
}

fn cluster_status(cluster: &Arc<Cluster>, stats: &Value) -> Value {
    let guard = cluster.guard.as_ref();
    let breaks = guard.is_some_and(|guard| guard.of_endpoints);
    let ejects = guard.is_some_and(|guard| guard.outlier.is_some());
    let now_us = clock::nanos(clock::now()) / 1_000;
    let endpoint = |endpoint: &Arc<crate::snapshot::Endpoint>| {
        json!({
            "address": &*endpoint.text,
            "host": endpoint.host.as_deref(),
            "weight": endpoint.weight,
            "locality": &*endpoint.locality,
            "connections": endpoint.open.value(),
            "breaker": breaks.then(|| endpoint.health.vitals().breaker.f()),
            "ejections": ejects.then(|| endpoint.health.vitals().tally.ejections()),
            "obstacles": endpoint.health.obstacles().map(Obstacle::name).collect::<Value>(),
            "held_back": endpoint.hold.is_held(now_us),
            "stats": stats["endpoints"][&*endpoint.text].clone(),
        })
    };
    json!({
        "name": &*cluster.name,
        "balance": json!(cluster.wire.balance),
        "breaker": guard.filter(|guard| guard.of_cluster).map(|guard| guard.live.breaker.f()),
        "adaptive_concurrency": cluster.adaptive.as_ref().map(adaptive_status),
        "endpoints": cluster.endpoints.iter().map(endpoint).collect::<Value>(),
    })
}

fn adaptive_status(gradient: &Arc<Gradient>) -> Value {
    json!({
        "limit": gradient.limit(),
        "in_flight": gradient.in_flight(),
        "min_rtt_us": u64::try_from(gradient.min_rtt().as_micros()).unwrap_or(u64::MAX),
    })
}

fn endpoints_dump(cluster: &Arc<Cluster>) -> Value {
    let addresses = cluster
        .endpoints
        .iter()
        .map(|endpoint| json!(&*endpoint.text));
    json!({ "name": &*cluster.name, "endpoints": addresses.collect::<Value>() })
}
