//! Who accepts on which socket.

use std::rc::Rc;

use super::Worker;

/// A task that accepts.
#[derive(Debug)]
pub struct Accepting {
    pub(super) worker: Rc<Worker>,
    pub(super) socket: u64,
}

impl Accepting {
    /// The worker.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// Whether another task accepts on the same socket too, for the listener that has it now.
    pub fn is_succeeded(&self) -> bool {
        let accepting = self.worker.accepting.borrow();
        accepting.iter().filter(|id| **id == self.socket).count() > 1
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        let mut accepting = self.worker.accepting.borrow_mut();
        if let Some(place) = accepting.iter().position(|id| *id == self.socket) {
            accepting.swap_remove(place);
        }
    }
}
