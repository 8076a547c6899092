//! A worker thread's main: takes commands, and sweeps its pools.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;

use crate::net::listener::Acceptor;
use crate::policy::overload::Overload;
use crate::proxy::accept;
use crate::proxy::worker::{Operator, Worker};
use crate::remote::desk::Desk;
use crate::snapshot::Snapshot;
use crate::telemetry::Registry;

/// Commands that wait for a worker; the service thread sends one and waits for its answer.
pub(super) const COMMANDS_MAX: usize = 16;

/// How often pools are looked through for connections that have ended.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How often a drain looks whether connections are left.
const DRAIN_INTERVAL: Duration = Duration::from_millis(20);

/// What the service thread asks of a worker.
#[derive(Debug)]
pub(super) enum Command {
    /// Put a snapshot in force and accept on new sockets, by listener.
    Install {
        snapshot: Arc<Snapshot>,
        sockets: Vec<(String, OwnedFd)>,
        done: oneshot::Sender<()>,
    },
    /// Begin an ordered end and say when no connection is left.
    Drain {
        idle_grace: Duration,
        done: oneshot::Sender<()>,
    },
}

/// Runs until the sender of commands is gone; what is open then is closed.
pub(super) async fn run(
    index: usize,
    (registry, overload, desk): (Arc<Registry>, Arc<Overload>, Arc<Desk>),
    operator: Operator,
    seed: u64,
    mut commands: mpsc::Receiver<Command>,
) {
    let mut worker = Worker::new(index, (registry, overload), seed);
    worker.desk = desk;
    worker.operator = Some(operator);
    let worker = Rc::new(worker);
    let sweeper = spawn_local(sweep(Rc::clone(&worker)));
    while let Some(command) = commands.recv().await {
        match command {
            Command::Install {
                snapshot,
                sockets,
                done,
            } => {
                install(&worker, &snapshot, sockets);
                // Nobody waits any more: the engine stops.
                let _ = done.send(());
            }
            Command::Drain { idle_grace, done } => {
                worker.begin_drain(idle_grace);
                spawn_local(drained(Rc::clone(&worker), done));
            }
        }
    }
    sweeper.abort();
}

fn install(worker: &Rc<Worker>, snapshot: &Arc<Snapshot>, sockets: Vec<(String, OwnedFd)>) {
    worker.install(snapshot);
    // Several sockets of one listener share a tenure: they accept side by side.
    let mut tenures = HashMap::new();
    for (name, fd) in sockets {
        let (Some(run), Ok(acceptor)) = (worker.listener(&name), Acceptor::new(fd)) else {
            continue;
        };
        let tenure = *tenures.entry(name).or_insert_with(|| run.succeed());
        accept::spawn(worker, run, acceptor, tenure);
    }
}

async fn sweep(worker: Rc<Worker>) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        worker.sweep();
    }
}

async fn drained(worker: Rc<Worker>, done: oneshot::Sender<()>) {
    let mut ticks = tokio::time::interval(DRAIN_INTERVAL);
    while !worker.is_deserted() {
        ticks.tick().await;
    }
    let _ = done.send(());
}
