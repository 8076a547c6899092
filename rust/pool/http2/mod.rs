//! HTTP/2 connections to an endpoint: few, shared by many requests of one worker.
//!
//! A request takes the connection with the fewest streams. A new one is made only when all are
//! full, and one at a time: who comes meanwhile waits for it instead of dialling too. One that has
//! become old serves on until its successor is there, and then ends with its last stream.

mod connection;
mod keepalive;
mod lease;
mod outbox;
mod transport;
mod watch;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;

pub use connection::{Connection, connect};
pub use keepalive::Keepalive;
pub use lease::StreamLease;
pub use outbox::Outbox;
pub use transport::Transport;
pub use watch::Watch;

use crate::error::{Error, ErrorKind};
use crate::wire;

/// Bytes of one stream that the h2 crate holds for a connection which takes no more.
pub const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// The connections of one endpoint in one worker.
#[derive(Debug, Default)]
pub struct Connections {
    open: RefCell<Vec<Rc<Connection>>>,
    dialling: Cell<bool>,
    dialled: Notify,
    /// How many attempts have failed, and how the last one did.
    failed: Cell<(u64, Option<ErrorKind>)>,
    /// The endpoint may choose its protocol, and chose HTTP/1 the last time.
    pub chose_http1: Cell<bool>,
    gone: Cell<bool>,
}

/// The right to make a connection; others wait until it is dropped.
#[derive(Debug)]
pub struct Dialling<'a>(&'a Connections);

impl Connections {
    /// A place for a stream on a connection that has room.
    pub fn lend(&self, bounds: &wire::Cluster) -> Option<StreamLease> {
        let mut open = self.open.borrow_mut();
        open.retain(|connection| connection.takes_requests(bounds));
        let most = bounds.http2.max_concurrent_streams;
        loop {
            // Of two with as many streams the younger.
            let free = open
                .iter()
                .rev()
                .filter(|connection| connection.has_room(most))
                .min_by_key(|connection| connection.active())?;
            let lease = StreamLease::next(free);
            if lease.is_some() {
                return lease;
            }
            open.retain(|connection| connection.takes_requests(bounds));
        }
    }

    /// The right to make the next connection, unless another has it.
    pub fn try_turn(&self) -> Option<Dialling<'_>> {
        let free = !self.dialling.replace(true);
        free.then(|| Dialling(self))
    }

    /// The right to make the next connection; `None` once another has made one.
    ///
    /// # Errors
    /// How the other's attempt failed: those who waited for it share its fate, instead of waiting
    /// for one attempt of their own after the other.
    pub async fn turn(&self) -> Result<Option<Dialling<'_>>, Error> {
        if let Some(turn) = self.try_turn() {
            return Ok(Some(turn));
        }
        let before = self.failed.get().0;
        self.dialled.notified().await;
        match self.failed.get() {
            (failures, Some(kind)) if failures > before => Err(kind.into()),
            _ => Ok(None),
        }
    }

    /// Takes a new connection in and lends its first stream.
    pub fn add(&self, connection: Connection) -> StreamLease {
        let connection = Rc::new(connection);
        let lease = StreamLease::first(&connection);
        if !self.gone.get() {
            self.open.borrow_mut().push(connection);
        }
        lease
    }

    /// Takes a new connection in instead of the oldest, which ends with its last stream.
    pub fn replace_oldest(&self, connection: Connection, bounds: &wire::Cluster, now: Instant) {
        self.retire_oldest(bounds, now);
        if !self.gone.get() {
            connection.rest();
            self.open.borrow_mut().push(Rc::new(connection));
        }
    }

    /// No other stream begins on the oldest connection, if it is too old.
    pub fn retire_oldest(&self, bounds: &wire::Cluster, now: Instant) {
        let mut open = self.open.borrow_mut();
        if let Some(oldest) = open.iter().position(|one| one.is_old(bounds, now)) {
            open.remove(oldest);
        }
    }

    /// Lets go of connections that are of no more use; those with streams end with these. Whether
    /// one that is used has become too old.
    pub fn sweep(&self, bounds: &wire::Cluster, now: Instant) -> bool {
        let mut renews = false;
        self.open.borrow_mut().retain(|connection| {
            let of_use = connection.takes_requests(bounds) && !connection.is_stale(bounds, now);
            let old = of_use && connection.is_old(bounds, now);
            let used = connection.was_used();
            renews |= old && used;
            of_use && (used || !old)
        });
        renews
    }

    /// The endpoint has left the configuration.
    pub fn leave(&self) {
        self.gone.set(true);
        self.open.borrow_mut().clear();
    }

    /// Connections without a request.
    pub fn idle_count(&self) -> usize {
        let open = self.open.borrow();
        open.iter().filter(|one| one.active() == 0).count()
    }
}

impl Dialling<'_> {
    /// No connection came of it.
    pub fn fail(&self, kind: ErrorKind) {
        let failures = self.0.failed.get().0;
        self.0.failed.set((failures + 1, Some(kind)));
    }
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        self.0.dialling.set(false);
        self.0.dialled.notify_waiters();
    }
}
