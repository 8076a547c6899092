//! The engine under test, with its events awaited.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use meshcore::engine::events::Event;
use meshcore::engine::{Credential, Engine};
use meshcore::runtime::clock;
use meshcore::wire::Problem;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};

use super::PATIENCE;
use super::peer::Peer;

/// A running engine.
pub(crate) struct Proxy {
    pub(crate) engine: Engine,
    events: RefCell<Vec<Event>>,
}

impl Proxy {
    pub(crate) fn of(engine: Engine) -> Self {
        Self {
            engine,
            events: RefCell::default(),
        }
    }

    /// A client of the listener `web`.
    #[track_caller]
    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.address("web"))
    }

    /// Where a listener is bound.
    #[track_caller]
    pub(crate) fn address(&self, listener: &str) -> SocketAddr {
        let all = self.engine.listeners();
        let bound = all.iter().find(|(name, ..)| name == listener);
        bound.expect("the listener is bound").2.parse().unwrap()
    }

    pub(crate) fn apply(&self, delta: &Value) -> Result<u64, Vec<Problem>> {
        self.apply_with(delta, Vec::new())
    }

    pub(crate) fn apply_with(
        &self,
        delta: &Value,
        credentials: Vec<Credential>,
    ) -> Result<u64, Vec<Problem>> {
        let id = self
            .engine
            .apply(delta.to_string().into_bytes(), credentials);
        let ours = |event: &Event| {
            matches!(event, Event::Applied(of, _) | Event::Refused(of, _) | Event::Failed(of, _)
                if *of == id)
        };
        match self.event(ours) {
            Event::Applied(_, generation) => Ok(generation),
            Event::Refused(_, problems) => Err(problems),
            other => panic!("{other:?}"),
        }
    }

    /// Replaces the endpoints of `api`.
    #[track_caller]
    pub(crate) fn endpoints(&self, addresses: &[String]) {
        let all: Vec<Value> = addresses.iter().map(|at| json!({"address": at})).collect();
        self.apply(&json!({"endpoints": [{"name": "api", "endpoints": all}]}))
            .unwrap();
    }

    /// Begins a drain; gives its id.
    pub(crate) fn drain(&self, idle_grace: Duration) -> u64 {
        self.engine.drain(PATIENCE, idle_grace)
    }

    /// Waits for the end of a drain.
    #[track_caller]
    pub(crate) fn drained(&self, id: u64) {
        self.event(|event| matches!(event, Event::Drained(of) if *of == id));
    }

    /// Waits for an event that `wanted` takes; others wait for their turn.
    #[track_caller]
    pub(crate) fn event(&self, wanted: impl Fn(&Event) -> bool) -> Event {
        let wait = Timespec::try_from(PATIENCE).unwrap();
        loop {
            let mut events = self.events.borrow_mut();
            if let Some(at) = events.iter().position(&wanted) {
                return events.remove(at);
            }
            let fd = self.engine.event_fd();
            let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
            assert_eq!(poll(&mut fds, Some(&wait)), Ok(1), "no event came");
            events.extend(self.engine.drain_events(64));
        }
    }

    /// A number of the statistics: `/clusters/api/requests_total`.
    #[track_caller]
    pub(crate) fn stat(&self, pointer: &str) -> i64 {
        let stats = self.engine.stats();
        let value = stats.pointer(pointer).and_then(Value::as_i64);
        value.unwrap_or_else(|| panic!("no {pointer} in {stats:#}"))
    }

    /// Waits until a number is this.
    #[track_caller]
    pub(crate) fn has(&self, pointer: &str, wanted: i64) {
        eventually(|| {
            let found = self.stat(pointer);
            if found == wanted {
                Ok(())
            } else {
                Err(format!("{pointer} is {found}, not {wanted}"))
            }
        });
    }
}

/// Looks until what it waits for is there; for what no socket and no event tells.
#[track_caller]
pub(crate) fn eventually(look: impl Fn() -> Result<(), String>) {
    let end = clock::now() + PATIENCE;
    while let Err(why) = look() {
        assert!(clock::now() < end, "{why}");
        std::thread::yield_now();
    }
}
