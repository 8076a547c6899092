//! A listener as one worker sees it.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::runtime::clock;
use crate::snapshot::Listener;
use crate::telemetry::{ListenerStats, Registry, RouteStats};

/// How long a kept-alive connection of a removed listener may wait for one more request: a request
/// that is on its way is answered, and told that the connection ends.
pub const GONE_GRACE: Duration = Duration::from_secs(5);

/// A listener that outlives snapshots.
#[derive(Debug)]
pub struct ListenerRun {
    /// Its counters.
    pub stats: Arc<ListenerStats>,
    current: RefCell<Rc<Current>>,
    gone: Cell<Option<Instant>>,
    accepting: Cell<bool>,
    stopped: Notify,
}

/// What one snapshot says of a listener, with its routes' counters.
#[derive(Debug)]
pub struct Current {
    /// The listener.
    pub listener: Arc<Listener>,
    /// By the route's index; made when a request first takes it.
    routes: Vec<OnceCell<Arc<RouteStats>>>,
}

impl Current {
    fn new(listener: &Arc<Listener>) -> Self {
        let count = listener
            .routes
            .as_ref()
            .map_or(0, |table| table.routes().len());
        let routes = std::iter::repeat_with(OnceCell::new).take(count).collect();
        Self {
            listener: Arc::clone(listener),
            routes,
        }
    }

    /// A route's counters.
    pub fn route(
        &self,
        index: u32,
        name: &str,
        registry: (&Registry, usize),
    ) -> Option<&Arc<RouteStats>> {
        let cell = self.routes.get(index as usize)?;
        let table = self
            .listener
            .wire
            .route_table
            .as_deref()
            .unwrap_or_default();
        Some(cell.get_or_init(|| registry.0.route(registry.1, table, name)))
    }
}

impl ListenerRun {
    /// A worker's side of `listener`.
    pub fn new(listener: &Arc<Listener>, registry: (&Registry, usize)) -> Self {
        Self {
            stats: registry.0.listener(registry.1, &listener.name),
            current: RefCell::new(Rc::new(Current::new(listener))),
            gone: Cell::new(None),
            accepting: Cell::new(true),
            stopped: Notify::new(),
        }
    }

    /// What holds for a request that begins now.
    pub fn current(&self) -> Rc<Current> {
        Rc::clone(&self.current.borrow())
    }

    /// The next snapshot's form of it.
    pub fn replace(&self, listener: &Arc<Listener>) {
        if !Arc::ptr_eq(&self.current.borrow().listener, listener) {
            *self.current.borrow_mut() = Rc::new(Current::new(listener));
        }
    }

    /// It has left the configuration: its connections end after what they carry.
    pub fn leave(&self) {
        self.gone.set(Some(clock::now()));
        self.stop_accepting();
    }

    /// When it left.
    pub fn gone_since(&self) -> Option<Instant> {
        self.gone.get()
    }

    /// Accepts no more.
    pub fn stop_accepting(&self) {
        self.accepting.set(false);
        self.stopped.notify_waiters();
    }

    /// Ends when it accepts no more.
    pub async fn stopped(&self) {
        while self.accepting.get() {
            self.stopped.notified().await;
        }
    }
}
