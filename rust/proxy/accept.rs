//! Accepting: takes connections as long as the listener wants them and descriptors last.

use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::connection;
use super::listener::ListenerRun;
use super::worker::{Accepting, Worker};
use crate::net::Socket;
use crate::net::listener::{Accepted, Acceptor};
use crate::policy::overload::Stage;

/// The wait after the kernel had no descriptor or memory left: long enough not to spin, short
/// enough that a freed descriptor is used within a blink.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Connections taken in one go before others get their turn.
const BATCH: usize = 64;

/// Pauses after the listener has stopped while connections still wait in the kernel's queue; then
/// they are given up, for their clients to try elsewhere.
const LAST_PAUSES: usize = 50;

/// Accepts in a task of its own until the listener stops or has other sockets than those of
/// `tenure`; what waits in the kernel's queue then is still served.
pub fn spawn(worker: &Rc<Worker>, listener: Rc<ListenerRun>, acceptor: Acceptor, tenure: u64) {
    let accepting = worker.begin_accepting(acceptor.id());
    tokio::task::spawn_local(run(accepting, listener, acceptor, tenure));
}

async fn run(accepting: Accepting, listener: Rc<ListenerRun>, acceptor: Acceptor, tenure: u64) {
    let worker = accepting.worker();
    let mut taken = 0;
    // Asked in the same breath: the socket may be another listener's from the next change on.
    let poll_accept = |cx: &mut Context<'_>| {
        if listener.accepts(tenure) {
            acceptor.poll_accept(cx)
        } else {
            Poll::Pending
        }
    };
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = poll_fn(poll_accept) => accepted,
            () = listener.stopped(tenure) => break,
        };
        match accepted {
            Ok(Accepted::Exhausted(error)) => pause(worker, &error).await,
            Ok(accepted) => take(worker, &listener, accepted),
            // epoll itself failed: nothing can be accepted here any more.
            Err(_) => return,
        }
        taken += 1;
        if taken % BATCH == 0 {
            tokio::task::yield_now().await;
        }
    }
    if accepting.is_succeeded() {
        return;
    }
    // Closing the socket would reset what waits in its queue.
    let mut pauses = 0;
    while let Some(accepted) = acceptor.accept_now() {
        match accepted {
            Accepted::Exhausted(_) if pauses == LAST_PAUSES => return,
            Accepted::Exhausted(error) => {
                pauses += 1;
                pause(worker, &error).await;
            }
            accepted => take(worker, &listener, accepted),
        }
    }
}

async fn pause(worker: &Worker, error: &io::Error) {
    debug_assert!(error.raw_os_error().is_some());
    worker.stats.accept_errors_total.increment();
    tokio::time::sleep(EXHAUSTED_PAUSE).await;
}

fn take(worker: &Rc<Worker>, listener: &Rc<ListenerRun>, accepted: Accepted) {
    let Accepted::Connection(socket, peer) = accepted else {
        return;
    };
    listener.stats.connections_total.increment();
    if worker.overload.stage() == Stage::RefuseAll {
        worker.stats.shed_connections_total.increment();
        return;
    }
    let current = listener.current();
    let limit = current.listener.wire.limits.connections;
    let Some(place) = current.listener.open.enter(limit) else {
        listener.stats.connections_refused_total.increment();
        return;
    };
    match Socket::new(socket) {
        Ok(socket) => connection::spawn(worker, listener, (socket, peer), place),
        Err(_) => worker.stats.accept_errors_total.increment(),
    }
}
