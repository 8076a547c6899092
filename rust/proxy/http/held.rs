//! What a request waits for before it goes on: its route's fault, and those who count for its limits.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use super::hooks;
use super::limit;
use super::record::Record;
use super::reply::Reply;
use crate::proxy::worker::Worker;
use crate::runtime::clock;
use crate::runtime::timer::Timer;

/// How a wait ended.
pub(super) enum Waited<L> {
    /// The request goes on.
    Over,
    /// It is answered so.
    Refused(Reply),
    /// Its client left meanwhile, and how.
    Left(L),
}

/// Waits for its fault and its limits, unless `left` ends first: the client has left. The timeouts of
/// the route and the listener begin later.
pub(super) async fn wait<L: Future>(
    worker: &Rc<Worker>,
    timer: &Timer,
    record: &mut Record,
    left: L,
) -> Waited<L::Output> {
    let begun = clock::now();
    let waited = listening(pass(worker, timer, record), left).await;
    note(record, begun);
    waited
}

/// The same for the hook that it waits for.
pub(super) async fn wait_for_hook<L: Future>(
    worker: &Rc<Worker>,
    record: &mut Record,
    left: L,
) -> Waited<L::Output> {
    let begun = clock::now();
    let Some(mut run) = record.hooks.take() else {
        return Waited::Over;
    };
    let waited = listening(hooks::settle(worker, &mut run), left).await;
    record.hooks = Some(run);
    note(record, begun);
    waited
}

fn note(record: &mut Record, begun: Instant) {
    if let Some(held) = &mut record.held {
        held.waited = held
            .waited
            .saturating_add(clock::micros_between(begun, clock::now()));
    }
}

async fn listening<L: Future>(
    work: impl Future<Output = Result<(), Reply>>,
    left: L,
) -> Waited<L::Output> {
    let (mut work, mut left) = (pin!(work), pin!(left));
    poll_fn(|cx| {
        if let Poll::Ready(how) = left.as_mut().poll(cx) {
            return Poll::Ready(Waited::Left(how));
        }
        work.as_mut().poll(cx).map(|passed| match passed {
            Ok(()) => Waited::Over,
            Err(reply) => Waited::Refused(reply),
        })
    })
    .await
}

async fn pass(worker: &Rc<Worker>, timer: &Timer, record: &mut Record) -> Result<(), Reply> {
    let held = record.held.as_mut().filter(|held| !held.delayed);
    if let Some(delay) = held.and_then(|held| {
        held.delayed = true;
        held.delay
    }) {
        let deadline = clock::now().checked_add(delay);
        // There is nothing else that could end it.
        let _ = timer.until(deadline, pending::<()>()).await;
    }
    limit::ask(worker, record, clock::now()).await
}
