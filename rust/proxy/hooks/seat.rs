//! A hook's seat at one worker: its counters and what is remembered of its verdicts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashMap;

use super::cache::Verdicts;
use crate::policy::hook::{Cache, Decision, Hook};
use crate::proxy::worker::Worker;
use crate::telemetry::HookStats;
use crate::wire;

/// The seats of a worker.
#[derive(Debug, Default)]
pub struct Seats(RefCell<HashMap<Arc<str>, Rc<Seat>>>);

/// One of them.
#[derive(Debug)]
pub struct Seat {
    /// This worker's counters.
    pub stats: Arc<HookStats>,
    /// Of what, and of which loading of functions, the verdicts are.
    made_for: RefCell<Arc<wire::Hook>>,
    epoch: Cell<u64>,
    verdicts: RefCell<Verdicts>,
}

impl Seats {
    /// The seat of `hook`.
    pub fn of(&self, worker: &Worker, hook: &Hook) -> Rc<Seat> {
        if let Some(seat) = self.0.borrow().get(&hook.name) {
            return Rc::clone(seat);
        }
        let seat = Rc::new(Seat {
            stats: worker.registry.hook(worker.index, &hook.name),
            made_for: RefCell::new(Arc::clone(&hook.wire)),
            epoch: Cell::new(worker.desk.epoch()),
            verdicts: RefCell::default(),
        });
        let mut seats = self.0.borrow_mut();
        seats.insert(Arc::clone(&hook.name), Rc::clone(&seat));
        seat
    }

    /// Leaves those that `stays` doesn't name.
    pub fn retain(&self, stays: impl Fn(&str) -> bool) {
        self.0.borrow_mut().retain(|name, _| stays(name));
    }
}

impl Seat {
    /// What was decided of the same question, if that still holds.
    pub fn remembered(
        &self,
        hook: &Hook,
        (key, now): (&[u8], Instant),
        epoch: u64,
    ) -> Option<Arc<Decision>> {
        let same = Arc::ptr_eq(&self.made_for.borrow(), &hook.wire);
        if !same || self.epoch.get() != epoch {
            *self.made_for.borrow_mut() = Arc::clone(&hook.wire);
            self.epoch.set(epoch);
            self.verdicts.borrow_mut().clear();
            return None;
        }
        self.verdicts.borrow_mut().get(key, now)
    }

    /// Remembers a decision that was asked for when functions had been loaded `epoch` times.
    pub fn remember(
        &self,
        cache: &Cache,
        key: Box<[u8]>,
        decision: &Arc<Decision>,
        (now, epoch): (Instant, u64),
    ) {
        if self.epoch.get() == epoch {
            let until = now + cache.ttl;
            let entry = (Arc::clone(decision), until);
            self.verdicts.borrow_mut().put(key, entry, cache.entries);
        }
    }
}
