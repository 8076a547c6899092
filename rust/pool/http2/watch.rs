//! What is known of an HTTP/2 connection below the h2 crate: its guard's judgement, and how its writes go.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use crate::protocol::http2::guard::{Excess, Guard};
use crate::runtime::clock;
use crate::tls::io::Io;

/// What the guard knows of a connection, shared with whoever serves it.
#[derive(Debug, Clone)]
pub struct Watch(Rc<Watched>);

#[derive(Debug)]
struct Watched {
    guard: RefCell<Guard>,
    excess: Cell<Option<Excess>>,
    received: Cell<bool>,
    /// Bytes that the kernel has taken.
    written: Cell<u64>,
    /// The kernel takes no more for now.
    held: Cell<bool>,
    /// Up to when time has been paid to the guard.
    paid: Cell<Instant>,
}

impl Watch {
    pub(super) fn new(guard: Guard) -> Self {
        Self(Rc::new(Watched {
            guard: RefCell::new(guard),
            excess: Cell::new(None),
            received: Cell::new(false),
            written: Cell::new(0),
            held: Cell::new(false),
            paid: Cell::new(clock::now()),
        }))
    }

    /// Whether anything has come; SETTINGS are first, or h2 ends the connection.
    pub fn has_received(&self) -> bool {
        self.0.received.get()
    }

    /// Whether the other side has acknowledged our SETTINGS.
    pub fn is_settled(&self) -> bool {
        self.0.guard.borrow().is_settled()
    }

    /// Bytes that the kernel has taken, where it is the connection that holds up its streams; none
    /// where each has only its own window to wait for.
    pub fn written_while_held(&self) -> Option<u64> {
        self.0.held.get().then(|| self.0.written.get())
    }

    /// What the other side did too much of, once it did.
    pub fn excess(&self) -> Option<Excess> {
        self.0.excess.get()
    }

    /// The other side reset a stream that had no answer yet.
    pub fn reset_early(&self) {
        let judged = self.0.guard.borrow_mut().reset_early();
        self.note(judged);
    }

    /// A stream has had its answer.
    pub fn answered(&self) {
        self.0.guard.borrow_mut().answered();
    }

    pub(super) fn received(&self, bytes: &[u8]) {
        self.0.received.set(true);
        let mut guard = self.0.guard.borrow_mut();
        let rest = clock::now().saturating_duration_since(self.0.paid.get());
        if let Ok(seconds @ 1..) = u32::try_from(rest.as_secs()) {
            guard.rested(seconds);
            self.0.paid.set(clock::now());
        }
        let judged = guard.received(bytes);
        drop(guard);
        self.note(judged);
    }

    /// h2 has written so many bytes.
    pub(super) fn sent(&self, n: usize) {
        self.0.guard.borrow_mut().sent(n);
    }

    /// What a write to `io` came to; `held`: the kernel takes no more for now.
    pub(super) fn note_write(&self, io: &Io, held: bool) {
        self.0.written.set(io.socket().written());
        self.0.held.set(held);
    }

    fn note(&self, judged: Result<(), Excess>) {
        if let Err(excess) = judged {
            self.0.excess.set(Some(excess));
        }
    }
}
