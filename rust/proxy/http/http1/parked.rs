//! A request that waits for a hook: its head is kept, and decided about once more afterwards.

use std::future::poll_fn;
use std::rc::Rc;

use super::exchange;
use super::{bridged, held};
use crate::protocol::http1::Framing;
use crate::proxy::connection::Downstream;
use crate::proxy::http::Next;
use crate::proxy::http::admit::{self, Facts, Plan, Refusal, Stop};
use crate::proxy::http::bridge::{Coding, Sink, Source};
use crate::proxy::http::gather::{Gathered, gather};
use crate::proxy::http::held::Waited;
use crate::proxy::http::record::Record;
use crate::proxy::http::reply::SEND_TIME;
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;

/// What a client waits for that announced a body with `Expect`.
const GO_AHEAD: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// How a request has ended, and what follows it.
type Ended = (Next, Option<Buffer>);

/// A request that can be served: what was read behind its head, or its body where a part of that was
/// read before.
type Admitted<'c> = (Plan, Buffer, Option<Box<Source<'c>>>);

/// Waits until a request can be served: its plan, and what follows its head. Or it has ended with
/// that.
pub(super) async fn wait<'c>(
    conn: &'c Downstream,
    (head, buffer): (Vec<u8>, Buffer),
    (facts, framing): (Facts, Framing),
    record: &mut Record,
) -> Result<Admitted<'c>, Ended> {
    let mut source = bridged::source(conn, framing, buffer);
    let plan = loop {
        let asked = (facts, framing, expects(&head));
        source = match turn(conn, asked, source, record).await {
            Ok(source) => source,
            Err(ended) => {
                record.finish(conn);
                return Err(ended);
            }
        };
        let current = Rc::clone(&record.current);
        match admit::admit_http1(conn, &current, &head, record) {
            Ok(plan) => break plan,
            Err(Stop::Parked(..)) => {}
            Err(Stop::Refused(refusal)) => {
                let next = exchange::refuse(conn, refusal, record).await;
                record.finish(conn);
                return Err((next, source.finish()));
            }
        }
    };
    let lend = || conn.worker().buffers.lend();
    Ok(match source {
        Source::Http1(_) => (plan, source.finish().unwrap_or_else(lend), None),
        source => (plan, lend(), Some(Box::new(source))),
    })
}

/// Waits for what a request waits for, and for its body where a hook wants to see that.
async fn turn<'c>(
    conn: &'c Downstream,
    (facts, framing, expects): (Facts, Framing, bool),
    mut source: Source<'c>,
    record: &mut Record,
) -> Result<Source<'c>, Ended> {
    let mut waited = held::wait(conn, facts, record).await;
    if matches!(waited, Waited::Over) {
        let wanted = record.hooks.as_ref().map_or(0, |run| run.wants_body());
        if wanted > 0 {
            if expects {
                go_ahead(conn).await;
            }
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

/// Whether the client waits for a word before it sends the body (RFC 9110 §10.1.1).
fn expects(head: &[u8]) -> bool {
    head.split(|byte| *byte == b'\n').any(|line| {
        line.get(..7)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"expect:"))
    })
}

/// Has the client send its body. It is told so once more by an upstream that says it too: clients skip
/// that (RFC 9110 §15.2). Where it can't be told, its body doesn't come, and that ends the request.
async fn go_ahead(conn: &Downstream) {
    let mut sink = Sink::http1(&conn.io, GO_AHEAD.to_vec(), Coding::Plain);
    let written = poll_fn(|cx| sink.poll_ready(cx));
    let _ = conn
        .timer
        .until(Some(clock::now() + SEND_TIME), written)
        .await;
}
