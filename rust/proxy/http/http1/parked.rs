//! A request that waits for a hook: its head is kept, and decided about once more afterwards.

use std::rc::Rc;
use std::time::Instant;

use super::exchange::{self, Incoming};
use super::{bridged, held};
use crate::protocol::http1::Framing;
use crate::proxy::connection::Downstream;
use crate::proxy::http::Next;
use crate::proxy::http::admit::{self, Facts, Plan, Refusal, Stop};
use crate::proxy::http::bridge::Source;
use crate::proxy::http::gather::{Gathered, gather};
use crate::proxy::http::held::Waited;
use crate::proxy::http::record::Record;
use crate::runtime::buffers::Buffer;

/// Serves a request that waits, with what follows its head; gives back what follows the request.
pub(super) async fn serve(
    conn: &Downstream,
    (head, buffer): (Vec<u8>, Buffer),
    (facts, framing): (Facts, Framing),
    complete: Instant,
    mut record: Record,
) -> (Next, Option<Buffer>) {
    let mut source = bridged::source(conn, framing, buffer);
    let plan = loop {
        match turn(conn, (facts, framing), source, &mut record).await {
            Ok(body) => source = body,
            Err((next, rest)) => {
                record.finish(conn);
                return (next, rest);
            }
        }
        let current = Rc::clone(&record.current);
        match admit::admit_http1(conn, &current, &head, &mut record) {
            Ok(plan) => break plan,
            Err(Stop::Parked(..)) => {}
            Err(Stop::Refused(refusal)) => {
                let next = exchange::refuse(conn, refusal, &mut record).await;
                record.finish(conn);
                return (next, source.finish());
            }
        }
    };
    go_on(conn, plan, source, complete, record).await
}

/// Waits for what a request waits for, and for its body where a hook wants to see that.
async fn turn<'c>(
    conn: &'c Downstream,
    (facts, framing): (Facts, Framing),
    mut source: Source<'c>,
    record: &mut Record,
) -> Result<Source<'c>, (Next, Option<Buffer>)> {
    let mut waited = held::wait(conn, facts, record).await;
    if matches!(waited, Waited::Over) {
        let wanted = record.hooks.as_ref().map_or(0, |run| run.wants_body());
        if wanted > 0 {
            match gather(conn, source, wanted, record).await {
                Gathered::On(body) => source = body,
                Gathered::Refused(reply, body) => {
                    source = body;
                    waited = Waited::Refused(reply);
                }
                Gathered::Left(error) => return Err((held::left(conn, &error, record), None)),
            }
        }
    }
    if matches!(waited, Waited::Over) {
        waited = held::wait_for_hook(conn, facts, record).await;
    }
    match waited {
        Waited::Over => Ok(source),
        Waited::Refused(reply) => {
            let refusal = Refusal::new(reply, facts, framing);
            let next = exchange::answer(conn, refusal, record).await;
            Err((next, source.finish()))
        }
        Waited::Left(error) => Err((held::left(conn, &error, record), None)),
    }
}

async fn go_on(
    conn: &Downstream,
    plan: Plan,
    source: Source<'_>,
    complete: Instant,
    record: Record,
) -> (Next, Option<Buffer>) {
    let incoming = match source {
        Source::Http1(_) => {
            let rest = source.finish();
            Incoming::Buffer(rest.unwrap_or_else(|| conn.worker().buffers.lend()))
        }
        source => Incoming::Source(source),
    };
    exchange::go_on(conn, plan, incoming, complete, record).await
}
