//! The service thread: changes one after the other, names when their time comes, the admin interface.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use super::changes;
use super::events::Event;
use super::guards;
use super::names::Resolver;
use super::options::Credential;
use super::sockets::Sockets;
use super::view::{AdminView, Seen};
use super::worker::Command;
use crate::admin;
use crate::remote::health::Prober;
use crate::runtime::clock;
use crate::snapshot::{Compiler, Snapshot};
use crate::tls::credentials::Credentials;

/// What the engine's owner asks.
#[derive(Debug)]
pub(super) enum Request {
    Apply {
        id: u64,
        delta: Vec<u8>,
        credentials: Vec<Credential>,
    },
    Drain {
        id: u64,
        timeout: Duration,
        idle_grace: Duration,
    },
}

/// Everything that one thread alone changes.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) workers: Vec<mpsc::Sender<Command>>,
    pub(super) sockets: Sockets,
    pub(super) compiler: Compiler,
    pub(super) credentials: Credentials,
    pub(super) names: Resolver,
    pub(super) prober: Prober,
    pub(super) seen: Arc<Seen>,
}

impl Service {
    pub(super) fn new(
        workers: Vec<mpsc::Sender<Command>>,
        sockets: Sockets,
        seen: Arc<Seen>,
    ) -> Self {
        let told = Arc::clone(&seen);
        Self {
            workers,
            sockets,
            compiler: Compiler::default(),
            credentials: Credentials::default(),
            names: Resolver::default(),
            prober: Prober::new(clock::wall_micros(), move |level, text| {
                told.tell(level, text);
            }),
            seen,
        }
    }

    /// Runs until the engine stops.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let seen = Arc::clone(&self.seen);
        spawn_local(guards::watch(Arc::clone(&seen), clock::wall_micros()));
        let socket = seen.admin().map(|admin| admin.listener.try_clone());
        let socket = socket.map(|copy| copy.and_then(tokio::net::TcpListener::from_std));
        if let Some(Ok(listener)) = socket {
            let view = Arc::new(AdminView(Arc::clone(&seen)));
            let seen = Arc::clone(&seen);
            spawn_local(async move {
                admin::serve(listener, view, seen.admin_handed_over.notified()).await;
            });
        }
        // Ends with the thread.
        spawn_local(super::overload::watch(Arc::clone(&seen)));
        loop {
            tokio::select! {
                () = seen.stopping.notified() => break,
                request = queue.recv() => match request {
                    Some(request) => self.handle(request).await,
                    None => break,
                },
                changed = self.names.changed() => {
                    let snapshot = self.compiler.resolved(&changed, self.names.known());
                    self.install(&snapshot, Vec::new()).await;
                    self.forget_unused();
                }
            }
        }
        // Who asked waits for an answer.
        queue.close();
        while let Ok(Request::Apply { id, .. } | Request::Drain { id, .. }) = queue.try_recv() {
            let why = "the engine has stopped".to_owned();
            self.seen.events.complete(Event::Failed(id, why));
        }
    }

    async fn handle(&mut self, request: Request) {
        match request {
            Request::Apply {
                id,
                delta,
                credentials,
            } => {
                let outcome = changes::apply(self, &delta, credentials).await;
                let stats = self.seen.registry.engine();
                self.seen.events.complete(match outcome {
                    Ok(generation) => {
                        stats.applies_total.increment();
                        stats
                            .generation
                            .set(i64::try_from(generation).unwrap_or(i64::MAX));
                        Event::Applied(id, generation)
                    }
                    Err(problems) => {
                        stats.applies_refused_total.increment();
                        Event::Refused(id, problems)
                    }
                });
            }
            Request::Drain {
                id,
                timeout,
                idle_grace,
            } => self.drain(id, timeout, idle_grace).await,
        }
    }

    /// Gives every worker the snapshot and waits until each runs it.
    pub(super) async fn install(
        &mut self,
        snapshot: &Arc<Snapshot>,
        mut sockets: Vec<Vec<(String, std::os::fd::OwnedFd)>>,
    ) {
        let mut waits = Vec::with_capacity(self.workers.len());
        for (index, worker) in self.workers.iter().enumerate() {
            let (done, wait) = oneshot::channel();
            let sockets = sockets
                .get_mut(index)
                .map(std::mem::take)
                .unwrap_or_default();
            let command = Command::Install {
                snapshot: Arc::clone(snapshot),
                sockets,
                done,
            };
            if worker.send(command).await.is_ok() {
                waits.push(wait);
            }
        }
        all(waits).await;
        guards::settle(snapshot);
        self.seen.install(snapshot);
        self.prober.follow(snapshot, &self.seen.registry);
    }

    /// Drops the numbers of what is configured no longer: that bounds the labels.
    pub(super) fn forget_unused(&self) {
        let compiler = &self.compiler;
        self.seen
            .registry
            .forget_unused(|resource| compiler.configures(resource));
    }

    /// The wait happens beside, so that changes and the admin interface go on.
    async fn drain(&mut self, id: u64, timeout: Duration, idle_grace: Duration) {
        self.seen.begin_drain();
        // The workers' copies are left, for as long as their queues are: with the last one closed,
        // new clients are refused instead of left waiting. A successor has copies of its own.
        self.sockets.bound.clear();
        self.seen.forget_sockets();
        let mut waits = Vec::with_capacity(self.workers.len());
        for worker in &self.workers {
            let (done, wait) = oneshot::channel();
            if worker
                .send(Command::Drain { idle_grace, done })
                .await
                .is_ok()
            {
                waits.push(wait);
            }
        }
        let told = Told {
            seen: Arc::clone(&self.seen),
            id,
        };
        spawn_local(async move {
            let _told = told;
            // What is still open at the end of the time is cut by `stop`.
            let _ = tokio::time::timeout(timeout, all(waits)).await;
        });
    }
}

/// Waits for every worker's answer; one that ended gives none, and the engine stops then.
async fn all(waits: Vec<oneshot::Receiver<()>>) {
    for wait in waits {
        let _ = wait.await;
    }
}

/// Tells the end of a drain, also where `stop` brings it.
struct Told {
    seen: Arc<Seen>,
    id: u64,
}

impl Drop for Told {
    fn drop(&mut self) {
        self.seen.events.complete(Event::Drained(self.id));
    }
}
