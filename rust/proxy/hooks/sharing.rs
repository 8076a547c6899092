//! Equal questions at the same time: one is asked, the others wait for its answer.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use hashbrown::HashMap;
use tokio::sync::Notify;

/// Questions under way, by what their verdicts depend on; no more than requests that wait.
#[derive(Debug, Default)]
pub(super) struct Shared(RefCell<HashMap<Box<[u8]>, Rc<Ending>>>);

/// Whose turn it is to ask.
#[derive(Debug)]
pub enum Turn<'s> {
    /// The caller's; until this is dropped.
    Ours(Asker<'s>),
    /// Somebody else has asked; whoever waits is notified when that has ended.
    Theirs(Rc<Ending>),
}

/// Who asks for others too.
#[derive(Debug)]
pub struct Asker<'s> {
    shared: &'s Shared,
    key: Box<[u8]>,
    ending: Rc<Ending>,
}

/// The end of a question.
#[derive(Debug, Default)]
pub struct Ending {
    notify: Notify,
    answered: Cell<bool>,
}

impl Ending {
    /// Waits for it; gives whether it was answered, with whatever: else who asked went away.
    pub async fn wait(&self) -> bool {
        self.notify.notified().await;
        self.answered.get()
    }
}

impl Asker<'_> {
    /// There is an answer.
    pub fn answered(&self) {
        self.ending.answered.set(true);
    }
}

impl Shared {
    pub(super) fn turn(&self, key: &[u8]) -> Turn<'_> {
        let mut open = self.0.borrow_mut();
        if let Some(theirs) = open.get(key) {
            return Turn::Theirs(Rc::clone(theirs));
        }
        let ending = Rc::<Ending>::default();
        let key = Box::from(key);
        open.insert(Clone::clone(&key), Rc::clone(&ending));
        Turn::Ours(Asker {
            shared: self,
            key,
            ending,
        })
    }

    /// What is asked from now on doesn't wait for what was asked before.
    pub(super) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        let mut open = self.shared.0.borrow_mut();
        // Where all was cleared meanwhile, another may have the place.
        if open
            .get(&self.key)
            .is_some_and(|it| Rc::ptr_eq(it, &self.ending))
        {
            open.remove(&self.key);
        }
        self.ending.notify.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_at_a_time() {
        let shared = Shared::default();
        let first = shared.turn(b"a");
        assert!(matches!(first, Turn::Ours(_)));
        assert!(matches!(shared.turn(b"a"), Turn::Theirs(_)));
        assert!(matches!(shared.turn(b"b"), Turn::Ours(_)));
        drop(first);
        assert!(matches!(shared.turn(b"a"), Turn::Ours(_)));
        assert!(shared.0.borrow().is_empty());
    }

    #[test]
    fn who_asked_before_a_reload_takes_no_place_away() {
        let shared = Shared::default();
        let before = shared.turn(b"a");
        shared.clear();
        let after = shared.turn(b"a");
        assert!(matches!(after, Turn::Ours(_)));
        drop(before);
        assert!(matches!(shared.turn(b"a"), Turn::Theirs(_)));
        drop(after);
        assert!(shared.0.borrow().is_empty());
    }
}
