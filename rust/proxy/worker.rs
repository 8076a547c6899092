//! One worker: everything that its connections share, none of it shared with other threads.

mod accepting;
mod lines;
mod stage;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::hooks::Seats;
use super::limiter::Services;
use super::listener::ListenerRun;
use super::renew;
use crate::balance::Random;
use crate::policy::overload::Overload;
use crate::pool::{Age, ClusterRun, View};
use crate::remote::desk::Desk;
use crate::route::ClusterSlot;
use crate::runtime::buffers::Buffers;
use crate::runtime::clock;
use crate::snapshot::Snapshot;
use crate::telemetry::{ListenerStats, Registry, WorkerStats};

pub use accepting::Accepting;
pub use lines::Operator;

use lines::Lines;

/// Head buffers kept for reuse; each holds one head.
const SCRATCH_KEPT: usize = 64;
/// A head buffer that grew beyond this is freed instead of kept.
const SCRATCH_BYTES_MAX: usize = 16 * 1024;

/// One worker.
#[derive(Debug)]
pub struct Worker {
    /// 0 to N−1.
    pub index: usize,
    /// Counters of all workers.
    pub registry: Arc<Registry>,
    /// What the process refuses now.
    pub overload: Arc<Overload>,
    /// This worker's own.
    pub stats: Arc<WorkerStats>,
    /// Read buffers.
    pub buffers: Buffers,
    /// Services that count requests for several proxies.
    pub limiters: Services,
    /// Where Python's functions are asked.
    pub desk: Arc<Desk>,
    /// Its hooks.
    pub hooks: Seats,
    /// Who tells the operator what hooks say; the level and a line.
    pub operator: Option<Operator>,
    lines: Cell<Lines>,
    view: RefCell<Rc<View>>,
    listeners: RefCell<HashMap<Arc<str>, Rc<ListenerRun>>>,
    random: RefCell<Random>,
    started: Instant,
    scratch: RefCell<Vec<Vec<u8>>>,
    drain: Cell<Option<Drain>>,
    /// Since when idle connections are to be closed.
    pressed: Cell<Option<Instant>>,
    /// The sockets that are accepted on.
    accepting: RefCell<Vec<u64>>,
    connections: RefCell<Connections>,
}

/// An ordered end.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// When it began.
    pub since: Instant,
    /// How long a kept-alive connection may still wait for one more request.
    pub idle_grace: Duration,
}

/// The wakers of this worker's connections, so that a drain reaches idle ones.
#[derive(Debug, Default)]
struct Connections {
    wakers: HashMap<u64, Option<Waker>>,
    next: u64,
}

impl Worker {
    /// A worker without listeners.
    pub fn new(
        index: usize,
        (registry, overload): (Arc<Registry>, Arc<Overload>),
        seed: u64,
    ) -> Self {
        Self {
            index,
            stats: registry.worker(index),
            registry,
            overload,
            pressed: Cell::new(None),
            buffers: Buffers::default(),
            limiters: Services::default(),
            desk: Arc::default(),
            hooks: Seats::default(),
            operator: None,
            lines: Cell::default(),
            view: RefCell::default(),
            listeners: RefCell::default(),
            random: RefCell::new(Random::seeded(seed)),
            started: clock::now(),
            scratch: RefCell::default(),
            drain: Cell::new(None),
            accepting: RefCell::default(),
            connections: RefCell::default(),
        }
    }

    /// Puts a snapshot in force: requests that begin from now on see it.
    pub fn install(&self, snapshot: &Arc<Snapshot>) {
        let before = Rc::clone(&self.view.borrow());
        let registry = (&*self.registry, self.index);
        let view = View::after(&before, Arc::clone(snapshot), registry);
        *self.view.borrow_mut() = Rc::new(view);
        self.hooks
            .retain(|name| snapshot.hooks.iter().any(|hook| *hook.name == *name));
        let mut listeners = self.listeners.borrow_mut();
        let mut left = false;
        listeners.retain(|name, run| {
            let stays = snapshot
                .listeners
                .iter()
                .any(|listener| listener.name == *name);
            if !stays {
                run.leave(&before);
                left = true;
            }
            stays
        });
        for listener in &snapshot.listeners {
            if let Some(run) = listeners.get(&listener.name) {
                run.replace(listener);
            } else {
                let run = ListenerRun::new(listener, (&self.registry, self.index));
                listeners.insert(Arc::clone(&listener.name), Rc::new(run));
            }
        }
        drop(listeners);
        // Only a listener's end concerns idle connections; ten thousand need not hear of the rest.
        if left {
            self.wake_connections();
        }
    }

    /// The view that a request beginning now keeps to its end.
    pub fn view(&self) -> Rc<View> {
        Rc::clone(&self.view.borrow())
    }

    /// A listener by name.
    pub fn listener(&self, name: &str) -> Option<Rc<ListenerRun>> {
        self.listeners.borrow().get(name).cloned()
    }

    /// The cluster in a slot of `view`.
    pub fn cluster<'v>(&self, view: &'v View, slot: ClusterSlot) -> Option<&'v Rc<ClusterRun>> {
        view.cluster(slot, (&self.registry, self.index))
    }

    /// This worker's randomness.
    pub fn with_random<T>(&self, f: impl FnOnce(&mut Random) -> T) -> T {
        f(&mut self.random.borrow_mut())
    }

    /// Microseconds since the worker started.
    pub fn micros(&self, now: Instant) -> u64 {
        clock::micros_between(self.started, now)
    }

    /// An empty buffer for a head.
    pub fn take_scratch(&self) -> Vec<u8> {
        self.scratch
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Vec::with_capacity(1024))
    }

    /// Gives a head buffer back.
    pub fn give_scratch(&self, mut scratch: Vec<u8>) {
        let mut kept = self.scratch.borrow_mut();
        if kept.len() < SCRATCH_KEPT && scratch.capacity() <= SCRATCH_BYTES_MAX {
            scratch.clear();
            kept.push(scratch);
        }
    }

    /// Begins an ordered end: nothing is accepted, answers say `Connection: close`.
    pub fn begin_drain(&self, idle_grace: Duration) {
        if self.drain.get().is_none() {
            self.drain.set(Some(Drain {
                since: clock::now(),
                idle_grace,
            }));
        }
        for run in self.listeners.borrow().values() {
            run.stop_accepting();
        }
        self.wake_connections();
    }

    /// The drain that is under way.
    pub fn draining(&self) -> Option<Drain> {
        self.drain.get()
    }

    /// Closes pooled connections that are of no more use, and renews those that have become old.
    pub fn sweep(self: &Rc<Self>) {
        self.note_stage();
        let now = clock::now();
        self.limiters.sweep(now);
        for (cluster, run) in self.view().sweep(now) {
            renew::spawn(self, cluster, run);
        }
    }

    /// The age of a connection that is made now.
    pub fn age(&self, now: Instant) -> Age {
        Age::new(now, self.with_random(Random::next_u64))
    }

    /// Counts a connection of a listener in and out.
    pub fn enter(self: &Rc<Self>, listener: &Arc<ListenerStats>) -> Open {
        let mut connections = self.connections.borrow_mut();
        connections.next += 1;
        let id = connections.next;
        connections.wakers.insert(id, None);
        self.stats.connections_active.add(1);
        listener.connections_active.add(1);
        Open {
            worker: Rc::clone(self),
            listener: Arc::clone(listener),
            id,
            noted: Cell::new(false),
        }
    }

    /// Counts a task that accepts on `socket`, until its guard is dropped.
    pub fn begin_accepting(self: &Rc<Self>, socket: u64) -> Accepting {
        self.accepting.borrow_mut().push(socket);
        Accepting {
            worker: Rc::clone(self),
            socket,
        }
    }

    /// Whether no connection is open and none can come.
    pub fn is_deserted(&self) -> bool {
        self.accepting.borrow().is_empty() && self.connections.borrow().wakers.is_empty()
    }

    fn wake_connections(&self) {
        for waker in self.connections.borrow().wakers.values().flatten() {
            waker.wake_by_ref();
        }
    }
}

/// An open connection; dropping it counts it out, and a drop by a panic counts that.
#[derive(Debug)]
pub struct Open {
    worker: Rc<Worker>,
    listener: Arc<ListenerStats>,
    id: u64,
    noted: Cell<bool>,
}

impl Open {
    /// The worker.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// Notes how to wake the connection's task; a task keeps its waker, so once is enough.
    pub fn note_waker(&self, cx: &Context<'_>) {
        if self.noted.replace(true) {
            return;
        }
        if let Some(slot @ None) = self
            .worker
            .connections
            .borrow_mut()
            .wakers
            .get_mut(&self.id)
        {
            *slot = Some(cx.waker().clone());
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.worker.stats.panics_total.increment();
        }
        self.worker.stats.connections_active.sub(1);
        self.listener.connections_active.sub(1);
        self.worker.connections.borrow_mut().wakers.remove(&self.id);
    }
}
