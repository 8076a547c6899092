//! A connection among those of its worker.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;

use super::Worker;
use crate::telemetry::ListenerStats;

/// An open connection; dropping it counts it out, and a drop by a panic counts that.
#[derive(Debug)]
pub struct Open {
    pub(super) worker: Rc<Worker>,
    pub(super) listener: Arc<ListenerStats>,
    pub(super) id: u64,
    pub(super) noted: Cell<bool>,
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
