//! One stream: a request, its response, and what is said where there is none.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::Request;

use super::{Shared, parked};
use crate::error::{Error, ErrorKind};
use crate::protocol::grpc;
use crate::proxy::http::activity::Activity;
use crate::proxy::http::admit::{self, Facts, Plan, Refusal, Stop};
use crate::proxy::http::bridge::{Client, Exchange, Http2Source, Piece, Pieces, Source};
use crate::proxy::http::held::{self, Waited};
use crate::proxy::http::hooks::Hooked;
use crate::proxy::http::record::Record;
use crate::proxy::http::reply::Reply;
use crate::proxy::http::{LINGER_BYTES, LINGER_TIME, reply};
use crate::runtime::clock;
use crate::runtime::timer::Timer;

/// Serves a request to its end.
pub(super) async fn serve(
    shared: &Shared,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let begun = clock::now();
    let conn = &*shared.conn;
    let current = conn.listener.current();
    let mut record = Record::new(conn, Rc::clone(&current), begun);
    let (mut parts, body) = request.into_parts();
    let ended = body.is_end_stream();
    match admit::admit_http2(conn, &current, (&mut parts, ended), &mut record) {
        Ok(plan) => {
            drop(parts);
            exchange(shared, plan, (Incoming::Stream(body), respond), record).await;
        }
        Err(Stop::Parked(facts, _)) => {
            let asked = (parts, ended, facts);
            Box::pin(parked::serve(shared, asked, (body, respond), record)).await;
        }
        Err(Stop::Refused(refusal)) => {
            drop(parts);
            let left = (Incoming::Stream(body), respond);
            Box::pin(refuse(shared, refusal, left, record)).await;
        }
    }
}

/// Where a request's body comes from.
pub(super) enum Incoming {
    /// Its stream.
    Stream(RecvStream),
    /// Of which a part was read before; boxed, since hardly any request has it.
    Source(Box<Source<'static>>),
}

impl Incoming {
    /// The body.
    pub(super) fn source(self) -> Source<'static> {
        match self {
            Self::Stream(body) => Source::Http2(Http2Source::new(body)),
            Self::Source(source) => *source,
        }
    }
}

pub(super) async fn refuse(
    shared: &Shared,
    refusal: Refusal,
    (incoming, mut respond): (Incoming, SendResponse<Bytes>),
    mut record: Record,
) {
    let Refusal {
        mut reply, facts, ..
    } = refusal;
    if record.held.is_some() {
        match wait(shared, &mut respond, &mut record).await {
            Waited::Over => {}
            Waited::Refused(other) => reply = other,
            Waited::Left(()) => return,
        }
    }
    answer(shared, (&mut respond, facts), &reply, &mut record);
    linger(&mut incoming.source()).await;
}

pub(super) async fn exchange(
    shared: &Shared,
    plan: Plan,
    (incoming, respond): (Incoming, SendResponse<Bytes>),
    record: Record,
) {
    let conn = &*shared.conn;
    // Moved before the first wait: what is moved after one has its place twice.
    let mut record = RefCell::new(record);
    let mut client = Client::http2(conn, plan.facts, (respond, shared.watch.clone()));
    let noted = record.get_mut();
    if noted.held.is_some()
        && let Some(respond) = client.respond()
    {
        if Box::pin(held_back(shared, (respond, plan.facts), noted)).await {
            return linger(&mut incoming.source()).await;
        }
        noted.goes_to(&plan.cluster);
    }
    let activity = Activity::new(noted.allowed_from(noted.begun), plan.timeout, noted);
    let source = Hooked::of_request(incoming.source(), &plan, (conn, &record));
    let mut source = source.called(plan.grpc_web);
    let outcome = {
        let exchange = Exchange {
            plan: &plan,
            activity: &activity,
            record: &record,
        };
        let work = pin!(exchange.run(&mut client, &mut source));
        // A stream has its own: several may wait on one connection.
        let timer = shared.take_timer();
        let watched = timer.watch(|| activity.next(), work).await;
        shared.give_timer(timer);
        watched.unwrap_or_else(|_| Err(activity.elapsed().into()))
    };
    let left = conclude(shared, &mut client, outcome, (&activity, &record));
    if !activity.uploaded.get() && !left {
        linger(&mut source.raw()).await;
    }
}

/// Ends an exchange; says whether its client has left.
fn conclude(
    shared: &Shared,
    client: &mut Client<'_>,
    outcome: Result<(), Error>,
    (activity, record): (&Activity, &RefCell<Record>),
) -> bool {
    // Filters of its bodies hold on to it: it isn't moved.
    let mut record = record.borrow_mut();
    record.received = activity.received.get();
    record.sent = activity.sent.get();
    match outcome {
        Ok(()) => shared.watch.answered(),
        Err(error) => {
            let early = error.kind == ErrorKind::DownstreamClosed && !activity.started.get();
            if early {
                shared.watch.reset_early();
            }
            fail(client, &error, &mut record);
        }
    }
    record.finish(&shared.conn);
    record.error == Some(ErrorKind::DownstreamClosed)
}

/// Holds a request back; says whether it goes no further, which ends it.
async fn held_back(
    shared: &Shared,
    (respond, facts): (&mut SendResponse<Bytes>, Facts),
    record: &mut Record,
) -> bool {
    match wait(shared, respond, record).await {
        Waited::Over => return false,
        Waited::Refused(reply) => answer(shared, (respond, Some(facts)), &reply, record),
        Waited::Left(()) => {}
    }
    true
}

/// Waits for what holds a request back; a client that wants no answer meanwhile has ended it.
pub(super) async fn wait(
    shared: &Shared,
    respond: &mut SendResponse<Bytes>,
    record: &mut Record,
) -> Waited<()> {
    let timer = shared.take_timer();
    let worker = shared.conn.worker();
    let left = async { drop(poll_fn(|cx| respond.poll_reset(cx)).await) };
    let waited = held::wait(worker, &timer, record, left).await;
    shared.give_timer(timer);
    if matches!(waited, Waited::Left(())) {
        leave(shared, record);
    }
    waited
}

/// The client wants no answer any more.
pub(super) fn leave(shared: &Shared, record: &mut Record) {
    shared.watch.reset_early();
    record.fail(ErrorKind::DownstreamClosed);
    record.finish(&shared.conn);
}

/// Answers a request that goes no further, and ends it.
pub(super) fn answer(
    shared: &Shared,
    (respond, facts): (&mut SendResponse<Bytes>, Option<Facts>),
    reply: &Reply,
    record: &mut Record,
) {
    reply.note(record);
    // Fails where the client is gone meanwhile.
    let _ = reply::send_http2(respond, reply, facts, record);
    shared.watch.answered();
    record.finish(&shared.conn);
}

/// Reads on for a moment after an early answer. The reset that ends the stream otherwise takes the
/// answer's place with clients that meet both at once.
pub(super) async fn linger(source: &mut Source<'_>) {
    let mut dropped = 0;
    let work = async {
        while dropped < LINGER_BYTES {
            match poll_fn(|cx| source.poll_piece(cx)).await {
                Ok(Piece::Data(bytes, false)) => dropped += bytes.len(),
                Ok(_) | Err(_) => return,
            }
        }
    };
    // The end of the time is the end of the stream either way.
    let deadline = clock::now() + LINGER_TIME;
    let _ = Timer::default().until(Some(deadline), work).await;
}

/// An exchange that failed: told while the client has seen nothing, cut otherwise.
fn fail(client: &mut Client<'_>, error: &Error, record: &mut Record) {
    let kind = error.kind;
    if let Some(reply) = record.take_instead()
        && client.sink.is_none()
    {
        reply.note(record);
        let facts = client.facts;
        if let Some(respond) = client.respond() {
            // Fails where the client is gone meanwhile.
            let _ = reply::send_http2(respond, &reply, Some(facts), record);
        }
        return;
    }
    record.fail(kind);
    if kind.status() == 0 {
        return;
    }
    let told = client.end_call(kind);
    if let Some(sink) = &mut client.sink {
        if client.facts.grpc {
            record.grpc_status = Some(u32::from(grpc::status_of(kind) as u8));
        }
        if !told {
            sink.cut(Reason::INTERNAL_ERROR);
        }
        return;
    }
    record.status = kind.status();
    let facts = client.facts;
    if let Some(respond) = client.respond() {
        // Fails where the client is gone meanwhile.
        let _ = reply::send_http2(respond, &kind.into(), Some(facts), record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of_future<F: Future>(
        _: impl FnOnce(&'static Shared, Request<RecvStream>, SendResponse<Bytes>) -> F,
    ) -> usize {
        size_of::<F>()
    }

    /// A stream's state is moved into its task: what it weighs is copied and allocated.
    #[test]
    fn the_state_of_a_stream_is_bounded() {
        let size = size_of_future(serve);
        assert!(size <= 3616, "{size} bytes");
    }
}
