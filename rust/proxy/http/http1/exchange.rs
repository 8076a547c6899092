//! One request and its response: admit, find a connection, send, receive, record.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::response::{self, Arrived};
use super::watch::ClientWatch;
use super::{bridged, held, parked, tunnel};
use crate::error::{Error, ErrorKind};
use crate::pool::{ClusterRun, InFlight, Tried, Upstream};
use crate::protocol::http1::{ChunkMode, ChunkScanner, Framing, RequestMethod};
use crate::proxy::connection::Downstream;
use crate::proxy::flow::{Body, Flow, FlowError, Ground};
use crate::proxy::http::activity::Activity;
use crate::proxy::http::admit::{self, Facts, Plan, Refusal, Stop};
use crate::proxy::http::record::Record;
use crate::proxy::http::reply::Reply;
use crate::proxy::http::{Next, reply};
use crate::proxy::link::Speaks;
use crate::proxy::upstream::{self, Ask};
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;

/// How often a request is sent again because a kept-alive connection had ended under it. Each
/// time is proved harmless; more would only say that the endpoint closes everything.
const RESENDS_MAX: u32 = 2;

/// How an exchange ended.
pub(super) enum Done {
    /// The response is complete.
    Complete { next: Next, rest: Option<Buffer> },
    /// The upstream switched protocols; bytes follow both ways.
    Tunnel {
        /// Counted at its endpoint until it ends.
        flight: InFlight,
        upstream: Upstream,
        from_client: Option<Buffer>,
        from_upstream: Option<Buffer>,
    },
}

/// Serves the request whose head is the first `len` bytes of `buffer`; gives back what follows it.
/// The head began and was complete at these times: only what comes after it has deadlines here.
pub(super) async fn serve(
    conn: &Downstream,
    mut buffer: Buffer,
    len: usize,
    (begun, complete): (Instant, Instant),
) -> (Next, Option<Buffer>) {
    let current = conn.listener.current();
    let mut record = Record::new(conn, Rc::clone(&current), begun);
    let head = buffer.get(..len).unwrap_or_default();
    let mut source = None;
    let plan = match admit::admit_http1(conn, &current, head, &mut record) {
        Ok(plan) => {
            buffer.consume(len);
            plan
        }
        Err(Stop::Parked(facts, framing)) => {
            let kept = head.to_vec();
            buffer.consume(len);
            let parked = parked::wait(conn, (kept, buffer), (facts, framing), &mut record);
            match Box::pin(parked).await {
                Ok((plan, left, begun)) => {
                    (buffer, source) = (left, begun);
                    plan
                }
                Err(ended) => return ended,
            }
        }
        Err(Stop::Refused(refusal)) => {
            return Box::pin(refused(conn, refusal, (buffer, len), record)).await;
        }
    };
    let facts = plan.facts;
    drop(current);
    if record.held.is_some()
        && let Some(next) = Box::pin(held::back(conn, &plan, &mut record)).await
    {
        return (next, Some(buffer));
    }
    let activity = Activity::new(record.allowed_from(complete), plan.timeout, &record);
    if plan.speaks != Speaks::Http1 || plan.is_kept() || source.is_some() {
        let body = (buffer, source);
        return Box::pin(bridged::serve(conn, plan, body, &activity, record)).await;
    }
    let record = RefCell::new(record);
    let outcome = {
        let work = pin!(attempts(conn, plan, buffer, &activity, &record));
        let watched = conn.timer.watch(|| activity.next(), work).await;
        watched.unwrap_or_else(|_| Err(activity.elapsed().into()))
    };
    let mut record = record.into_inner();
    record.received = activity.received.get();
    record.sent = activity.sent.get();
    let ended = match outcome {
        Ok(Done::Complete { next, rest }) => (next, rest),
        other => {
            let started = activity.started.get();
            let ending = end(conn, other, (facts, started), &mut record);
            (Box::pin(ending).await, None)
        }
    };
    record.finish(conn);
    ended
}

/// Answers a request that isn't admitted.
async fn refused(
    conn: &Downstream,
    refusal: Refusal,
    (mut buffer, len): (Buffer, usize),
    mut record: Record,
) -> (Next, Option<Buffer>) {
    if matches!(refusal.reply, Reply::Error(kind) if kind.status() == 400) {
        record.refused_head(&buffer);
    }
    buffer.consume(len);
    let next = refuse(conn, refusal, &mut record).await;
    record.finish(conn);
    (next, Some(buffer))
}

/// An exchange that ended otherwise than with a complete answer.
async fn end(
    conn: &Downstream,
    outcome: Result<Done, Error>,
    (facts, started): (Facts, bool),
    record: &mut Record,
) -> Next {
    match outcome {
        Ok(Done::Complete { next, .. }) => next,
        Ok(Done::Tunnel {
            flight,
            upstream,
            from_client,
            from_upstream,
        }) => {
            tunnel::run(conn, upstream, (from_client, from_upstream), record).await;
            drop(flight);
            Next::Gone
        }
        Err(error) => fail(conn, &error, facts, started, record).await,
    }
}

pub(super) async fn refuse(conn: &Downstream, refusal: Refusal, record: &mut Record) -> Next {
    match held::refusal(conn, refusal, record).await {
        Ok(refusal) => answer(conn, refusal, record).await,
        Err(next) => next,
    }
}

/// Answers a request that goes no further.
pub(super) async fn answer(conn: &Downstream, refusal: Refusal, record: &mut Record) -> Next {
    let reply = refusal.reply;
    reply.note(record);
    let close = !refusal.reusable || conn.should_close();
    let shape = reply::Shape {
        close,
        ..refusal.shape
    };
    match reply::send(conn, &reply, shape, record).await {
        Ok(()) if close => Next::Close,
        Ok(()) => Next::KeepAlive,
        Err(_) => Next::Gone,
    }
}

/// An exchange that failed: told while the client has seen nothing, cut otherwise.
pub(super) async fn fail(
    conn: &Downstream,
    error: &Error,
    facts: Facts,
    started: bool,
    record: &mut Record,
) -> Next {
    let instead = record.take_instead();
    let reply = instead.unwrap_or(Reply::Error(error.kind));
    if started || reply.status() == 0 {
        record.fail(error.kind);
        reply::cut(conn);
        return Next::Gone;
    }
    reply.note(record);
    // Whether the request's body was read to its end is unknown here: close.
    let shape = reply::Shape::closing(facts);
    match reply::send(conn, &reply, shape, record).await {
        Ok(()) => Next::Close,
        Err(_) => Next::Gone,
    }
}

/// Sends the request until somebody answers, as long as it is certain that nobody has seen it.
async fn attempts(
    conn: &Downstream,
    plan: Plan,
    buffer: Buffer,
    activity: &Activity,
    record: &RefCell<Record>,
) -> Result<Done, Error> {
    let worker = conn.worker();
    let Plan {
        cluster,
        aim,
        heads,
        framing,
        body_limit,
        facts,
        _pools: pools,
        ..
    } = plan;
    let head = heads.http1;
    let mut upload = Flow::new(head, body(framing), Some(buffer)).with_limit(body_limit);
    let wants_local = cluster.cluster.wire.proxy_protocol.is_some();
    let fresh = facts.upgrade || wants_local || matches!(facts.method, RequestMethod::Connect);
    let local = || conn.io.socket().local_addr();
    let local = wants_local.then(local).flatten();
    let mut resends = 0;
    loop {
        let mut tried = Tried::aiming(aim.clone());
        let ask = Ask {
            reuse: !fresh && resends == 0,
            client: conn.peer,
            local,
        };
        let (flight, upstream) = upstream::obtain(worker, &cluster, &mut tried, ask).await?;
        record.borrow_mut().chose_endpoint(&flight);
        if matches!(facts.method, RequestMethod::Connect) {
            drop(pools);
            let ends = (flight, upstream);
            let connected = tunnel::connected(conn, ends, upload.finish().1, record);
            return Box::pin(connected).await;
        }
        let side = Side {
            conn,
            upstream: &upstream,
            activity,
            record,
            facts,
        };
        let error = match forward(&side, &mut upload).await {
            Ok(ended) => return Ok(settle(conn, &cluster, ended, (flight, upstream, upload))),
            Err(error) => error,
        };
        if error.kind == ErrorKind::DownstreamClosed {
            // An end alone might be taken for that of a client that waits.
            upstream.io.socket().reset_on_close();
        }
        let stale = resends < RESENDS_MAX && !activity.started.get();
        if !(stale && is_unprocessed(&upstream, &error) && upload.rewind()) {
            return Err(error);
        }
        // Nor may the other side still get what waits in the kernel: a close alone would send it.
        upstream.io.socket().reset_on_close();
        cluster.stats.resends_total.increment();
        resends += 1;
        tokio::task::yield_now().await;
    }
}

fn body(framing: Framing) -> Body {
    match framing {
        Framing::None => Body::Done,
        Framing::Length(length) => Body::Length(length),
        Framing::Chunked => Body::Chunked(Box::new(ChunkScanner::new(ChunkMode::Forward))),
    }
}

/// One attempt's surroundings.
pub(super) struct Side<'a> {
    pub(super) conn: &'a Downstream,
    pub(super) upstream: &'a Upstream,
    pub(super) activity: &'a Activity,
    pub(super) record: &'a RefCell<Record>,
    pub(super) facts: Facts,
}

/// What an attempt left behind.
pub(super) struct Ended {
    pub(super) keep_downstream: bool,
    pub(super) keep_upstream: bool,
    pub(super) switched: bool,
    /// Read from the upstream after the switch.
    pub(super) surplus: Option<Buffer>,
}

/// Sends the request and receives the response, both at once where the body is long.
async fn forward(side: &Side<'_>, upload: &mut Flow) -> Result<Ended, Error> {
    let Side {
        conn,
        upstream,
        activity,
        record,
        ..
    } = side;
    let ground = Ground {
        buffers: &conn.worker().buffers,
        movement: &activity.movement,
        rests: None,
    };
    let mut sending = Sending::Going;
    let mut reader = response::Reader::new(side.facts);
    loop {
        let arrived = poll_fn(|cx| {
            sending.poll(cx, upload, &ground, side)?;
            let arrived = reader.poll(cx, &ground, side);
            arrived.map_err(|error| sending.judge(error))
        })
        .await?;
        match arrived {
            Arrived::Interim(head) => {
                let mut download = Flow::new(head, Body::Done, None);
                let sent = poll_fn(|cx| download.poll(cx, &ground, &upstream.io, &conn.io)).await;
                sent.map_err(downstream_failed)?;
                conn.worker().give_scratch(download.finish().0);
            }
            Arrived::Final(answer) => {
                activity.started.set(true);
                record.borrow_mut().answered(answer.status);
                let mut download = Flow::new(answer.head, answer.body, answer.buffer);
                let ending = Ground {
                    rests: (!answer.switched).then_some(*upstream),
                    ..ground
                };
                let copied = poll_fn(|cx| {
                    // An early response doesn't stop a body that the upstream still takes.
                    sending.poll(cx, upload, &ground, side)?;
                    let copied = download.poll(cx, &ending, &upstream.io, &conn.io);
                    activity.sent.set(download.received());
                    copied.map_err(|error| response::failed(&error))
                })
                .await;
                copied?;
                let (head, surplus) = download.finish();
                conn.worker().give_scratch(head);
                return Ok(Ended {
                    keep_downstream: answer.keep_downstream,
                    keep_upstream: answer.keep_upstream
                        && activity.uploaded.get()
                        && surplus.is_none(),
                    switched: answer.switched,
                    surplus,
                });
            }
        }
    }
}

fn downstream_failed(_: FlowError) -> Error {
    ErrorKind::DownstreamClosed.into()
}

/// How far the request is.
enum Sending<'a> {
    Going,
    /// The client has only to listen now.
    Done(ClientWatch<'a>),
    /// The upstream takes no more; it may have said why.
    Failed(std::io::Error),
}

impl<'a> Sending<'a> {
    /// A reset that a write met is used up by it: reading then shows a clean end that nobody sent,
    /// and that proves nothing.
    fn judge(&self, error: Error) -> Error {
        match self {
            Self::Failed(why) if why.kind() != std::io::ErrorKind::BrokenPipe => error.processed(),
            _ => error,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        upload: &mut Flow,
        ground: &Ground<'_>,
        side: &Side<'a>,
    ) -> Result<(), Error> {
        match self {
            Self::Going => {}
            Self::Done(watch) => return watch.poll(cx, side.conn, side.activity.started.get()),
            Self::Failed(_) => return Ok(()),
        }
        let polled = upload.poll(cx, ground, &side.conn.io, &side.upstream.io);
        side.activity.received.set(upload.received());
        side.activity
            .waits_for_client
            .set(polled.is_pending() && upload.waits_for_source());
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                side.activity.uploaded.set(true);
                let rule = side.record.borrow().half_close();
                let mut watch = ClientWatch::new(side.conn, side.facts, rule);
                let gone = watch.poll(cx, side.conn, side.activity.started.get());
                *self = Self::Done(watch);
                return gone;
            }
            Poll::Ready(Err(FlowError::To(error))) => *self = Self::Failed(error),
            Poll::Ready(Err(FlowError::From(_))) => return Err(ErrorKind::DownstreamClosed.into()),
            Poll::Ready(Err(FlowError::Framing)) => return Err(ErrorKind::BadRequest.into()),
            Poll::Ready(Err(FlowError::TooLarge)) => return Err(ErrorKind::BodyTooLarge.into()),
        }
        Ok(())
    }
}

/// Whether the connection had ended before any byte of the request reached the other side: it was
/// used before, its peer had sent FIN and no byte of a response, and has acknowledged none of ours.
fn is_unprocessed(upstream: &Upstream, error: &Error) -> bool {
    upstream.is_reused() && error.retry && upstream.took_nothing()
}

/// Gives the upstream connection back and says what becomes of the client's.
fn settle(
    conn: &Downstream,
    cluster: &ClusterRun,
    ended: Ended,
    (flight, upstream, upload): (InFlight, Upstream, Flow),
) -> Done {
    let (head, rest) = upload.finish();
    conn.worker().give_scratch(head);
    if ended.switched {
        return Done::Tunnel {
            flight,
            upstream,
            from_client: rest,
            from_upstream: ended.surplus,
        };
    }
    // A connection that began with a PROXY header speaks for one client alone.
    if ended.keep_upstream && cluster.cluster.wire.proxy_protocol.is_none() {
        flight
            .run()
            .checkin(upstream, &cluster.cluster.wire, clock::now());
    }
    let next = if ended.keep_downstream {
        Next::KeepAlive
    } else {
        Next::Close
    };
    Done::Complete {
        next,
        rest: if next == Next::KeepAlive { rest } else { None },
    }
}
