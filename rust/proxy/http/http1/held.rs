//! Waiting before a request goes on, with an ear to its client.

use std::future::poll_fn;
use std::task::Poll;

use super::ClientWatch;
use super::exchange::answer;
use crate::error::Error;
use crate::proxy::connection::Downstream;
use crate::proxy::http::admit::{Facts, Plan, Refusal};
use crate::proxy::http::held::{self, Waited};
use crate::proxy::http::record::Record;
use crate::proxy::http::{Next, reply};

/// Holds a request back; `Some` where it goes no further, and what becomes of its connection. What of
/// a body has come is left where it is.
pub(super) async fn back(conn: &Downstream, plan: &Plan, record: &mut Record) -> Option<Next> {
    let facts = plan.facts;
    let next = match wait(conn, facts, record).await {
        Waited::Over => {
            record.goes_to(&plan.cluster);
            return None;
        }
        Waited::Refused(reply) => {
            let refusal = Refusal::new(reply, facts, plan.framing);
            answer(conn, refusal, record).await
        }
        Waited::Left(error) => left(conn, &error, record),
    };
    record.finish(conn);
    Some(next)
}

/// Holds back what the proxy answers itself: the answer, which may have become another one.
pub(super) async fn refusal(
    conn: &Downstream,
    mut refusal: Refusal,
    record: &mut Record,
) -> Result<Refusal, Next> {
    let Some(facts) = refusal.facts.filter(|_| record.held.is_some()) else {
        return Ok(refusal);
    };
    match wait(conn, facts, record).await {
        Waited::Over => {}
        Waited::Refused(reply) => refusal.reply = reply,
        Waited::Left(error) => return Err(left(conn, &error, record)),
    }
    Ok(refusal)
}

pub(super) async fn wait(conn: &Downstream, facts: Facts, record: &mut Record) -> Waited<Error> {
    let watch = ClientWatch::new(conn, facts, record.half_close());
    held::wait(conn.worker(), &conn.timer, record, leaving(conn, watch)).await
}

/// The same for a hook.
pub(super) async fn wait_for_hook(
    conn: &Downstream,
    facts: Facts,
    record: &mut Record,
) -> Waited<Error> {
    let watch = ClientWatch::new(conn, facts, record.half_close());
    held::wait_for_hook(conn.worker(), record, leaving(conn, watch)).await
}

/// Ends when the client has left.
async fn leaving<'c>(conn: &'c Downstream, mut watch: ClientWatch<'c>) -> Error {
    poll_fn(|cx| match watch.poll(cx, conn, false) {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(error),
    })
    .await
}

pub(super) fn left(conn: &Downstream, error: &Error, record: &mut Record) -> Next {
    record.fail(error.kind);
    reply::cut(conn);
    Next::Gone
}
