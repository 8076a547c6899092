//! A request on a stream that waits for a hook: its head is kept, and decided about once more
//! afterwards.

use std::future::poll_fn;
use std::rc::Rc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::request::Parts;

use super::Shared;
use super::stream::{Incoming, answer, exchange, leave, linger, refuse, wait};
use crate::error::ErrorKind;
use crate::proxy::http::admit::{self, Facts, Stop};
use crate::proxy::http::bridge::{Http2Source, Source};
use crate::proxy::http::gather::{Gathered, gather};
use crate::proxy::http::held::{self, Waited};
use crate::proxy::http::record::Record;

/// Serves a request that waits to its end.
pub(super) async fn serve(
    shared: &Shared,
    (mut parts, ended, facts): (Parts, bool, Facts),
    (body, mut respond): (RecvStream, SendResponse<Bytes>),
    mut record: Record,
) {
    let conn = &*shared.conn;
    let mut source = Source::Http2(Http2Source::new(body));
    let plan = loop {
        let expects = parts.headers.contains_key(http::header::EXPECT);
        let asked = (facts, expects);
        match turn(shared, (source, &mut respond), asked, &mut record).await {
            Some(body) => source = body,
            None => return,
        }
        let current = Rc::clone(&record.current);
        match admit::admit_http2(conn, &current, (&mut parts, ended), &mut record) {
            Ok(plan) => break plan,
            Err(Stop::Parked(..)) => {}
            Err(Stop::Refused(refusal)) => {
                let left = (Incoming::Source(Box::new(source)), respond);
                return refuse(shared, refusal, left, record).await;
            }
        }
    };
    drop(parts);
    let incoming = Incoming::Source(Box::new(source));
    exchange(shared, plan, (incoming, respond), record).await;
}

/// Waits for what a request waits for, and for its body where a hook wants to see that; none where
/// the request has ended with it.
async fn turn(
    shared: &Shared,
    (mut source, respond): (Source<'static>, &mut SendResponse<Bytes>),
    (facts, expects): (Facts, bool),
    record: &mut Record,
) -> Option<Source<'static>> {
    let conn = &*shared.conn;
    let mut waited = wait(shared, respond, record).await;
    let wanted = record.hooks.as_ref().map_or(0, |run| run.wants_body());
    if matches!(waited, Waited::Over) && wanted > 0 {
        if expects {
            let mut go_ahead = http::Response::new(());
            *go_ahead.status_mut() = http::StatusCode::CONTINUE;
            // Fails where the client is gone, which reading its body tells.
            let _ = respond.send_informational(go_ahead);
        }
        match gather(conn, source, wanted, record).await {
            Gathered::On(body) => source = body,
            Gathered::Refused(reply, body) => {
                source = body;
                waited = Waited::Refused(reply);
            }
            Gathered::Left(_) => {
                leave(shared, record);
                return None;
            }
        }
    }
    if matches!(waited, Waited::Over) {
        let left = async { drop(poll_fn(|cx| respond.poll_reset(cx)).await) };
        waited = held::wait_for_hook(conn.worker(), record, left).await;
        if matches!(waited, Waited::Left(())) {
            leave(shared, record);
        }
    }
    match waited {
        Waited::Over => return Some(source),
        Waited::Refused(reply) => {
            answer(shared, (respond, Some(facts)), &reply, record);
            if record.error != Some(ErrorKind::DownstreamClosed) {
                linger(&mut source.raw()).await;
            }
        }
        Waited::Left(()) => {}
    }
    None
}
