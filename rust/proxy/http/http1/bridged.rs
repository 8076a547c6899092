//! A request of HTTP/1 whose upstream may speak HTTP/2.

use std::cell::RefCell;
use std::pin::pin;

use super::{ClientWatch, exchange};
use crate::proxy::connection::Downstream;
use crate::proxy::http::Next;
use crate::proxy::http::activity::Activity;
use crate::proxy::http::admit::Plan;
use crate::proxy::http::bridge::{Client, Exchange, Http1Source, Source, request_body};
use crate::proxy::http::record::Record;
use crate::runtime::buffers::Buffer;

/// Serves an admitted request; `buffer` holds what follows its head. Gives back what follows it.
pub(super) async fn serve(
    conn: &Downstream,
    plan: Plan,
    buffer: Buffer,
    activity: &Activity,
    record: Record,
) -> (Next, Option<Buffer>) {
    let watch = ClientWatch::new(conn, plan.facts, record.half_close());
    let record = RefCell::new(record);
    let buffers = &conn.worker().buffers;
    let body = request_body(plan.framing);
    let mut source = Source::Http1(Http1Source::new(&conn.io, buffers, body, Some(buffer)));
    let mut client = Client::http1(conn, plan.facts, watch);
    let outcome = {
        let exchange = Exchange {
            plan: &plan,
            activity,
            record: &record,
        };
        let work = pin!(exchange.run(&mut client, &mut source));
        let watched = conn.timer.watch(|| activity.next(), work).await;
        watched.unwrap_or_else(|_| Err(activity.elapsed().into()))
    };
    let mut record = record.into_inner();
    record.received = activity.received.get();
    record.sent = activity.sent.get();
    let ended = match outcome {
        Ok(()) if client.stays => (Next::KeepAlive, source.finish()),
        Ok(()) => (Next::Close, None),
        Err(error) => {
            let started = activity.started.get();
            let failing = exchange::fail(conn, &error, plan.facts, started, &mut record);
            (Box::pin(failing).await, None)
        }
    };
    record.finish(conn);
    ended
}
