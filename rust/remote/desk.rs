//! Where workers leave questions for Python's functions and get their answers. An eventfd says that
//! there are some; no thread of the engine ever calls into the interpreter.
//!
//! A question holds a place of its hook's until Python has answered it, or until nobody wants the
//! answer and Python has not taken it yet. So a function that hangs has no more questions open than
//! its hook may have, whatever clients do, and they are all that the desk ever holds.

mod question;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::oneshot;

use crate::abi::Phase;
use crate::policy::hook::Kind;

pub use question::Facts;
pub use question::Failure;
pub use question::Pair;
pub use question::Question;
pub use question::Reply;

/// As many questions wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The desk of an engine. A default one has no place for Python to wait at: nobody answers there.
#[derive(Debug, Default)]
pub struct Desk {
    papers: Mutex<Papers>,
    fd: Option<OwnedFd>,
    epoch: AtomicU64,
}

#[derive(Debug, Default)]
struct Papers {
    /// Not taken yet, in the order of their coming.
    waiting: BTreeMap<u64, (Question, Open)>,
    /// Python has them.
    taken: HashMap<u64, Open>,
    last: u64,
    pending: bool,
    attended: bool,
    closed: bool,
}

/// What stays at the desk of a question.
#[derive(Debug)]
struct Open {
    answer: oneshot::Sender<Reply>,
    _place: Place,
}

impl Open {
    /// Whether nobody waits for the answer.
    fn is_moot(&self, phase: Phase) -> bool {
        phase != Phase::Log && self.answer.is_closed()
    }
}

/// One of a hook's places, until it is dropped.
#[derive(Debug)]
struct Place(Arc<AtomicU32>);

impl Place {
    fn take(count: &Arc<AtomicU32>, room_for: u32) -> Option<Self> {
        let place = Self(Arc::clone(count));
        // Counted first: of two workers that ask for the last place, one gets it.
        (count.fetch_add(1, Ordering::Relaxed) < room_for).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A question that was asked; dropped, it is taken back.
#[derive(Debug)]
pub struct Asked {
    desk: Arc<Desk>,
    ident: u64,
    reply: oneshot::Receiver<Reply>,
    /// Whether a drop takes it back.
    recall: bool,
}

/// A question in Python's hands.
#[derive(Debug)]
pub struct Taken {
    /// What the answer names.
    pub ident: u64,
    /// What is asked.
    pub question: Question,
}

impl Desk {
    /// An empty desk.
    ///
    /// # Errors
    /// What `eventfd` says.
    pub fn new() -> io::Result<Arc<Self>> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Arc::new(Self {
            fd: Some(fd),
            ..Self::default()
        }))
    }

    /// Leaves a question. Of a `Log` phase nobody awaits the answer: dropping `Asked` lets it be.
    ///
    /// # Errors
    /// The hook has as many as it may.
    pub fn ask(self: &Arc<Self>, question: Question) -> Result<Asked, Full> {
        let (answer, reply) = oneshot::channel();
        let mut asked = Asked {
            desk: Arc::clone(self),
            ident: 0,
            reply,
            recall: false,
        };
        let Kind::Python(python) = &question.hook.kind else {
            return Ok(asked);
        };
        let place = Place::take(&python.asked, python.room_for).ok_or(Full)?;
        let mut papers = self.lock();
        if papers.closed || !papers.attended {
            return Ok(asked);
        }
        papers.last += 1;
        asked.ident = papers.last;
        asked.recall = question.phase != Phase::Log;
        let open = Open {
            answer,
            _place: place,
        };
        papers.waiting.insert(asked.ident, (question, open));
        let first = !std::mem::replace(&mut papers.pending, true);
        drop(papers);
        if first {
            self.announce();
        }
        Ok(asked)
    }

    /// Begins to answer: what is asked from now on waits for that. The descriptor is readable while
    /// questions wait; a default desk has none.
    pub fn attend(&self) -> Option<BorrowedFd<'_>> {
        self.lock().attended = self.fd.is_some();
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Takes up to `limit` questions, the oldest first, without those that nobody waits for.
    pub fn take(&self, limit: usize) -> Vec<Taken> {
        if let Some(fd) = &self.fd {
            // Only says that there was nothing to clear.
            let _ = rustix::io::read(fd, &mut [0_u8; 8]);
        }
        let mut found = Vec::new();
        let mut papers = self.lock();
        while found.len() < limit {
            let Some((ident, (question, open))) = papers.waiting.pop_first() else {
                break;
            };
            if open.is_moot(question.phase) {
                continue;
            }
            papers.taken.insert(ident, open);
            found.push(Taken { ident, question });
        }
        // Under the same lock: what comes from now on is announced again.
        papers.pending = !papers.waiting.is_empty();
        if papers.pending {
            drop(papers);
            self.announce();
        }
        found
    }

    /// Answers a question; one that isn't open any more is ignored.
    pub fn answer(&self, ident: u64, reply: Reply) {
        let open = self.lock().taken.remove(&ident);
        if let Some(open) = open {
            // Nobody waits any more: it came late.
            let _ = open.answer.send(reply);
        }
    }

    /// Counts up with each reload of functions: verdicts of before are forgotten.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Functions were loaded anew.
    pub fn reloaded(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Nobody answers any more: what is open ends with `Failure::Gone`, and what comes does at once.
    pub fn close(&self) {
        let (waiting, taken) = {
            let mut papers = self.lock();
            papers.closed = true;
            let waiting = std::mem::take(&mut papers.waiting);
            (waiting, std::mem::take(&mut papers.taken))
        };
        // Wakes who waits, without the lock.
        drop((waiting, taken));
    }

    fn take_back(&self, ident: u64) {
        let question = self.lock().waiting.remove(&ident);
        // Freed without the lock.
        drop(question);
    }

    /// Wakes Python, without the lock: where the other core sleeps, that takes long, and who wakes
    /// wants the lock at once. Follows each time that `pending` was set.
    fn announce(&self) {
        if let Some(fd) = &self.fd {
            // A counter that is full wakes the reader as well.
            let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Asked {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let reply = ready!(Pin::new(&mut self.reply).poll(cx));
        self.recall = false;
        Poll::Ready(reply.unwrap_or(Reply::Failed(Failure::Gone)))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.recall {
            self.desk.take_back(self.ident);
        }
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
