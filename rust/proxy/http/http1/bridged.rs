//! A request of HTTP/1 whose upstream may speak HTTP/2.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;

use super::{ClientWatch, exchange};
use crate::error::Error;
use crate::protocol::grpc;
use crate::protocol::http1::Framing;
use crate::proxy::connection::Downstream;
use crate::proxy::http::Next;
use crate::proxy::http::activity::Activity;
use crate::proxy::http::admit::Plan;
use crate::proxy::http::bridge::{Client, Exchange, Http1Source, Source, request_body};
use crate::proxy::http::hooks::Hooked;
use crate::proxy::http::record::Record;
use crate::proxy::http::reply::{self, SEND_TIME};
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;

/// Serves an admitted request; `buffer` holds what follows its head, unless there is a `source` that was
/// read from already. Gives back what follows it.
pub(super) async fn serve(
    conn: &Downstream,
    plan: Plan,
    (buffer, source): (Buffer, Option<Box<Source<'_>>>),
    activity: &Activity,
    record: Record,
) -> (Next, Option<Buffer>) {
    let watch = ClientWatch::new(conn, plan.facts, record.half_close());
    let record = RefCell::new(record);
    let source = match source {
        Some(source) => *source,
        None => self::source(conn, plan.framing, buffer),
    };
    let mut source = Hooked::of_request(source, &plan, (conn, &record)).called(plan.grpc_web);
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
    let rest = source.finish();
    let mut record = record.into_inner();
    record.received = activity.received.get();
    record.sent = activity.sent.get();
    let ended = match outcome {
        Ok(()) if client.stays => (Next::KeepAlive, rest),
        Ok(()) => (Next::Close, None),
        Err(error) if told(&mut client, &error, &mut record) => {
            (Box::pin(write_out(&mut client)).await, None)
        }
        Err(error) => {
            let started = activity.started.get();
            let failing = exchange::fail(conn, &error, plan.facts, started, &mut record);
            (Box::pin(failing).await, None)
        }
    };
    record.finish(conn);
    ended
}

/// The body behind a request's head; `buffer` holds what has been read of it.
pub(super) fn source(conn: &Downstream, framing: Framing, buffer: Buffer) -> Source<'_> {
    let buffers = &conn.worker().buffers;
    let body = request_body(framing);
    Source::Http1(Http1Source::new(&conn.io, buffers, body, Some(buffer)))
}

/// Tells a gRPC-Web client that has had a part of its answer how the call ended; `false` where it has
/// had none, or can't be told.
fn told(client: &mut Client<'_>, error: &Error, record: &mut Record) -> bool {
    let kind = error.kind;
    if kind.status() == 0 || client.facts.grpc_web.is_none() {
        return false;
    }
    record.fail(kind);
    record.grpc_status = Some(u32::from(grpc::status_of(kind) as u8));
    client.end_call(kind)
}

/// Writes out what was told. The client may still be sending, so the connection ends with it.
async fn write_out(client: &mut Client<'_>) -> Next {
    let Some(sink) = &mut client.sink else {
        return Next::Gone;
    };
    let deadline = Some(clock::now() + SEND_TIME);
    let work = poll_fn(|cx| sink.poll_ready(cx));
    if let Ok(Ok(())) = client.conn.timer.until(deadline, work).await {
        return Next::Close;
    }
    reply::cut(client.conn);
    Next::Gone
}
