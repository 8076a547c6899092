//! A listener as one worker sees it.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::pool::View;
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
    last_view: OnceCell<Rc<View>>,
    accepting: Cell<bool>,
    /// Counts its addresses: those who accept on an earlier one stop.
    tenure: Cell<u64>,
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
            last_view: OnceCell::new(),
            accepting: Cell::new(true),
            tenure: Cell::new(0),
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

    /// It has left the configuration: its connections end after what they carry. `view` is the last
    /// one that its routes were made for; in a later one their slots may be another's.
    pub fn leave(&self, view: &Rc<View>) {
        let _ = self.last_view.set(Rc::clone(view));
        self.gone.set(Some(clock::now()));
        self.stop_accepting();
    }

    /// The view that it left with.
    pub fn last_view(&self) -> Option<&Rc<View>> {
        self.last_view.get()
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

    /// It has new sockets: those who accept on the old ones stop. Gives the number for the new.
    pub fn succeed(&self) -> u64 {
        self.tenure.set(self.tenure.get() + 1);
        self.stopped.notify_waiters();
        self.tenure.get()
    }

    /// Whether connections are to be taken from the sockets of `tenure`.
    pub fn accepts(&self, tenure: u64) -> bool {
        self.accepting.get() && self.tenure.get() == tenure
    }

    /// Ends when nothing is to be accepted any more on the sockets of `tenure`.
    pub async fn stopped(&self, tenure: u64) {
        while self.accepts(tenure) {
            self.stopped.notified().await;
        }
    }
}
