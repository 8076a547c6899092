//! What a request waits for before it goes on: its route's fault, and those who count for its limits.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

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

/// Waits, unless `left` ends first: the client has left. The timeouts of the route and the listener
/// begin later.
pub(super) async fn wait<L: Future>(
    worker: &Rc<Worker>,
    timer: &Timer,
    record: &mut Record,
    left: L,
) -> Waited<L::Output> {
    let begun = clock::now();
    let waited = {
        let mut waiting = pin!(pass(worker, timer, record));
        let mut left = pin!(left);
        poll_fn(|cx| {
            if let Poll::Ready(how) = left.as_mut().poll(cx) {
                return Poll::Ready(Waited::Left(how));
            }
            waiting.as_mut().poll(cx).map(|passed| match passed {
                Ok(()) => Waited::Over,
                Err(reply) => Waited::Refused(reply),
            })
        })
        .await
    };
    if let Some(held) = &mut record.held {
        held.waited = clock::micros_between(begun, clock::now());
    }
    waited
}

async fn pass(worker: &Rc<Worker>, timer: &Timer, record: &mut Record) -> Result<(), Reply> {
    let delay = record.held.as_ref().and_then(|held| held.delay);
    if let Some(delay) = delay {
        let deadline = clock::now().checked_add(delay);
        // There is nothing else that could end it.
        let _ = timer.until(deadline, pending::<()>()).await;
    }
    limit::ask(worker, record, clock::now()).await
}
