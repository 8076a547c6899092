//! A hook's seat at one worker: its counters and what is remembered of its verdicts.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::cache::Verdicts;
use super::sharing::{Shared, Turn};
use crate::policy::hook::{Cache, Decision, Hook};
use crate::proxy::worker::Worker;
use crate::telemetry::HookStats;

/// The seats of a worker, by the slot of the hook that they are for: each holds on to its hook, so that
/// no other one gets that slot. To hash a name at each call would take longer.
#[derive(Debug, Default)]
pub struct Seats(RefCell<Vec<Option<Rc<Seat>>>>);

/// One of them.
#[derive(Debug)]
pub struct Seat {
    /// This worker's counters.
    pub stats: Arc<HookStats>,
    /// Of what, and of which loading of functions, the verdicts are.
    made_for: RefCell<Arc<Hook>>,
    epoch: Cell<u64>,
    verdicts: RefCell<Verdicts>,
    shared: Shared,
}

impl Seats {
    /// The seat of `hook`.
    #[inline]
    pub fn of(&self, worker: &Worker, hook: &Arc<Hook>) -> Rc<Seat> {
        if let Some(Some(seat)) = self.0.borrow().get(hook.slot.index()) {
            return Rc::clone(seat);
        }
        self.take(worker, hook)
    }

    /// A seat for a hook that has none, or had another form.
    #[cold]
    fn take(&self, worker: &Worker, hook: &Arc<Hook>) -> Rc<Seat> {
        let mut seats = self.0.borrow_mut();
        let at = hook.slot.index();
        if seats.len() <= at {
            seats.resize_with(at + 1, || None);
        }
        let named = |seat: &mut Rc<Seat>| seat.made_for.borrow().name == hook.name;
        let before = seats.iter_mut().find_map(|place| place.take_if(named));
        let seat = before.map_or_else(|| Rc::new(Seat::of(worker, hook)), |seat| seat.moved(hook));
        seats[at] = Some(Rc::clone(&seat));
        seat
    }

    /// Leaves those that `stays` doesn't name.
    pub fn retain(&self, stays: impl Fn(&str) -> bool) {
        let leaves = |seat: &mut Rc<Seat>| !stays(&seat.made_for.borrow().name);
        for place in self.0.borrow_mut().iter_mut() {
            place.take_if(leaves);
        }
    }
}

impl Seat {
    fn of(worker: &Worker, hook: &Arc<Hook>) -> Self {
        Self {
            stats: worker.registry.hook(worker.index, &hook.name),
            made_for: RefCell::new(Arc::clone(hook)),
            epoch: Cell::new(worker.desk.epoch()),
            verdicts: RefCell::default(),
            shared: Shared::default(),
        }
    }

    /// It is now that of another hook of the same name.
    fn moved(self: Rc<Self>, hook: &Arc<Hook>) -> Rc<Self> {
        let before = self.made_for.replace(Arc::clone(hook));
        if !Arc::ptr_eq(&before.wire, &hook.wire) {
            self.forget();
        }
        self
    }

    /// What was decided of the same question since functions were loaded `epoch` times, if that still
    /// holds.
    pub fn remembered(
        &self,
        cache: &Cache,
        (key, now): (&[u8], Instant),
        epoch: u64,
    ) -> Option<Arc<Decision>> {
        if self.epoch.replace(epoch) != epoch {
            self.forget();
            return None;
        }
        self.verdicts.borrow_mut().get(key, now, cache.entries)
    }

    /// Whether this question is to be asked, or its answer is on its way.
    pub fn turn(&self, key: &[u8]) -> Turn<'_> {
        self.shared.turn(key)
    }

    fn forget(&self) {
        self.verdicts.borrow_mut().clear();
        self.shared.clear();
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
