//! The one face of the engine: start, apply, check, stats, drain, stop.
//!
//! An engine is N worker threads, which move bytes, and one service thread, which compiles
//! configuration, resolves names and answers the admin interface. Calls that take time are ordered
//! at the service thread and answered by an event.

mod changes;
pub mod events;
pub mod explain;
mod guards;
mod hook_counters;
pub mod hooks;
mod names;
mod options;
mod overload;
mod service;
mod sockets;
mod view;
mod worker;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

pub use changes::check;
pub use options::{Credential, Options};

use events::Event;
use service::Request;
use view::Seen;

use crate::proxy::worker::Operator;
use crate::runtime::{clock, cores, workers};
use crate::telemetry::Registry;

/// Calls that wait for the service thread; more fail at once.
const REQUESTS_MAX: usize = 256;

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    requests: mpsc::Sender<Request>,
    seen: Arc<Seen>,
    next_id: AtomicU64,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Starts workers and the service thread; nothing is accepted before the first `apply`.
    ///
    /// # Errors
    /// The admin address can't be bound, a descriptor handed over is unusable, or threads can't
    /// be made.
    pub fn start(options: Options) -> io::Result<Self> {
        let count = if options.workers > 0 {
            options.workers
        } else {
            cores::allowed().get()
        };
        let mut sockets = sockets::Sockets::inherit(options.sockets)?;
        let admin = options.admin.as_deref();
        let admin = admin.map(|text| sockets.admin(text)).transpose()?;
        let seen = Arc::new(Seen::new(count, admin)?);
        let (requests, queue) = mpsc::channel(REQUESTS_MAX);
        let mut threads = Vec::with_capacity(count + 1);
        let mut commands = Vec::with_capacity(count);
        for index in 0..count {
            let (sender, receiver) = mpsc::channel(worker::COMMANDS_MAX);
            let registry = Arc::clone(&seen.registry);
            let seed = clock::wall_micros() ^ (index as u64).rotate_left(32);
            let pin = options.pin.then_some(index);
            let (overload, desk) = (Arc::clone(&seen.overload), Arc::clone(&seen.desk));
            let told = Arc::clone(&seen);
            let operator = Operator(Arc::new(move |level, line| told.tell(level, line)));
            let shared = (registry, overload, desk);
            let main = move || worker::run(index, shared, operator, seed, receiver);
            threads.push(workers::spawn(format!("mc-worker-{index}"), pin, main)?);
            commands.push(sender);
        }
        let shown = Arc::clone(&seen);
        // Made where it lives: its health checks belong to that thread.
        let main = move || service::Service::new(commands, sockets, shown).run(queue);
        threads.push(workers::spawn("mc-service".to_owned(), None, main)?);
        let engine = Self {
            requests,
            seen,
            next_id: AtomicU64::new(1),
            threads: Mutex::new(threads),
        };
        Ok(engine)
    }

    /// Puts a change in force; answered by `Applied` or `Refused`. `delta` is the JSON of
    /// [`crate::wire::Delta`].
    pub fn apply(&self, delta: Vec<u8>, credentials: Vec<Credential>) -> u64 {
        self.ask(|id| Request::Apply {
            id,
            delta,
            credentials,
        })
    }

    /// Stops accepting and lets connections end; answered by `Drained`, at the latest after
    /// `timeout`. An idle connection may make one more request within `idle_grace`.
    pub fn drain(&self, timeout: Duration, idle_grace: Duration) -> u64 {
        self.ask(|id| Request::Drain {
            id,
            timeout,
            idle_grace,
        })
    }

    fn ask(&self, request: impl FnOnce(u64) -> Request) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.requests.try_send(request(id)) {
            let why = match error {
                mpsc::error::TrySendError::Full(_) => "too many calls wait for the engine",
                mpsc::error::TrySendError::Closed(_) => "the engine has stopped",
            };
            self.seen.events.complete(Event::Failed(id, why.to_owned()));
        }
        id
    }

    /// Ends everything at once: threads are joined, sockets closed. A second call does nothing.
    pub fn stop(&self) {
        let threads = {
            let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *threads)
        };
        if threads.is_empty() {
            return;
        }
        self.seen.stopping.notify_one();
        self.seen.desk.close();
        for thread in threads {
            // A thread that panicked has ended as well.
            let _ = thread.join();
        }
        self.seen.forget_sockets();
    }

    /// Takes up to `limit` events.
    pub fn drain_events(&self, limit: usize) -> Vec<Event> {
        self.seen.events.drain(limit)
    }

    /// Readable while events wait.
    pub fn event_fd(&self) -> BorrowedFd<'_> {
        self.seen.events.fd()
    }

    /// Counters of everything, merged over workers.
    pub fn stats(&self) -> serde_json::Value {
        self.seen.stats()
    }

    /// Counters of everything.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.seen.registry
    }

    /// The snapshot in force on every worker.
    pub fn generation(&self) -> u64 {
        self.seen.snapshot().generation
    }

    /// Every listening socket: listener, address as configured, address as bound, descriptor.
    /// Descriptors stay open until `stop`, or until their listener goes.
    pub fn listeners(&self) -> Vec<(String, String, String, RawFd)> {
        let mut all = Vec::new();
        for (name, bound) in self.seen.sockets() {
            for socket in &bound.sockets {
                let (address, actual) = (bound.address.to_string(), bound.actual.to_string());
                all.push((name.clone(), address, actual, socket.as_raw_fd()));
            }
        }
        all.sort();
        all
    }

    /// The admin interface's socket: address as configured, address as bound, descriptor. It stays
    /// open as long as the engine.
    pub fn admin_socket(&self) -> Option<(String, String, RawFd)> {
        let admin = self.seen.admin()?;
        let fd = admin.listener.as_raw_fd();
        Some((admin.address.clone(), admin.actual.clone(), fd))
    }

    /// Leaves the admin interface to a successor that has its socket too: nothing more is accepted
    /// there.
    pub fn hand_over_admin(&self) {
        self.seen.admin_handed_over.notify_one();
    }

    /// Says which notices are told: `error`, `warning`, `info` or `debug`.
    ///
    /// # Errors
    /// Names the levels.
    pub fn set_log_level(&self, level: &str) -> Result<(), String> {
        self.seen.set_log_level(level)
    }

    /// Opens access logs anew after a rotation.
    pub fn reopen_logs(&self) {
        self.seen.logs.reopen();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}
