//! HTTP/2 from clients: a task for the connection, and one for each stream.
//!
//! The h2 crate reads frames and holds windows; what it doesn't bound, `protocol::http2::guard`
//! counts before it. The connection's task accepts streams and watches over the end: idle, drained,
//! too old, or told off.

mod parked;
mod shared;
mod stream;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;

use self::shared::{Lent, OpenStream, Shared};
use super::linger;
use crate::pool::http2::{Keepalive, SEND_BUFFER_BYTES, Transport};
use crate::protocol::http2::guard::{Guard, Role};
use crate::proxy::connection::Downstream;
use crate::runtime::buffers::Buffer;
use crate::runtime::clock;
use crate::snapshot::Listener;

/// Streams that we reset for the client's faults before the connection ends (HA-2).
const LOCAL_RESETS_MAX: usize = 500;

/// h2 itself refuses heads so many times as large as the listener allows, without a word of ours: a
/// head that is a little too large is told why.
const HEAD_LIST_FACTOR: u32 = 2;

/// Reset streams that h2 remembers, for frames that were on their way.
const RESET_STREAMS_MAX: usize = 100;

/// Tasks of streams that the client has reset may live on for a moment; with so many times the
/// allowed streams at work, new ones are refused (HA-2).
const TASKS_PER_STREAM: u32 = 2;

/// How long a connection that was told to end, and has no stream, may take to do so.
const END_TIME: Duration = Duration::from_secs(5);

/// What happened on a connection.
enum Event {
    Stream(Box<Request<RecvStream>>, SendResponse<Bytes>),
    /// It should end after what it carries.
    End,
    /// It does too much of something, or too little.
    Fault(Reason),
    /// It has ended, or has to.
    Over,
}

/// Serves the connection to its end; `first` has been read of it.
pub async fn serve(conn: Downstream, first: Option<Buffer>) {
    let conn = Rc::new(conn);
    let buffers = conn.worker().buffers.clone();
    let guard = Guard::new(Role::Server);
    let transport = Transport::new(Lent(Rc::clone(&conn)), buffers, first, guard);
    let current = conn.listener.current();
    let deadline = current
        .listener
        .header_timeout
        .map(|wait| clock::now() + wait);
    let shared = Rc::new(Shared::new(conn, &transport, deadline));
    let handshake = builder(&current.listener).handshake::<_, Bytes>(transport);
    let mut handshake = pin!(handshake);
    let handshake = poll_fn(|cx| shared.settled(cx, |cx| handshake.as_mut().poll(cx)));
    let begun = shared.conn.timer.until(deadline, handshake).await;
    match begun {
        Ok(Ok(mut h2)) => {
            let keepalive = Keepalive::new(&current.listener.wire.http2, || h2.ping_pong());
            drop(current);
            run(&shared, h2, keepalive).await;
        }
        // h2 has said why; closing with unread bytes would take that back.
        Ok(Err(_)) | Err(_) => shared.conn.listener.stats.bad_requests_total.increment(),
    }
    linger(&shared.conn).await;
}

fn builder(listener: &Listener) -> Builder {
    let bounds = &listener.wire.http2;
    let mut builder = Builder::new();
    builder
        .initial_window_size(bounds.initial_stream_window_size)
        .initial_connection_window_size(bounds.initial_connection_window_size)
        .max_concurrent_streams(bounds.max_concurrent_streams)
        .max_header_list_size(
            listener
                .wire
                .limits
                .head_bytes
                .saturating_mul(HEAD_LIST_FACTOR),
        )
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_local_error_reset_streams(Some(LOCAL_RESETS_MAX))
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .enable_connect_protocol();
    builder
}

async fn run(
    shared: &Rc<Shared>,
    mut h2: Connection<Transport<Lent>, Bytes>,
    mut keepalive: Keepalive,
) {
    let mut ending = None;
    loop {
        let event = poll_fn(|cx| {
            let event = poll_event(shared, &mut h2, ending, cx);
            if event.is_pending() && keepalive.poll(cx, shared.streams.get() > 0).is_ready() {
                return Poll::Ready(Event::Over);
            }
            event
        });
        match event.await {
            Event::Stream(request, respond) => spawn(shared, *request, respond),
            Event::End => {
                // Two GOAWAYs: what is on its way before the client has read the first is served.
                h2.graceful_shutdown();
                ending = Some(clock::now());
            }
            Event::Fault(reason) => {
                h2.abrupt_shutdown(reason);
                let closed = poll_fn(|cx| shared.settled(cx, |cx| h2.poll_closed(cx)));
                let _ = shared
                    .conn
                    .timer
                    .until(Some(clock::now() + END_TIME), closed)
                    .await;
                return;
            }
            Event::Over => return,
        }
    }
}

fn poll_event(
    shared: &Shared,
    h2: &mut Connection<Transport<Lent>, Bytes>,
    ending: Option<Instant>,
    cx: &mut Context<'_>,
) -> Poll<Event> {
    shared.note_waker(cx);
    let accepted = shared.settled(cx, |cx| h2.poll_accept(cx));
    if shared.watch.excess().is_some() {
        return Poll::Ready(Event::Fault(Reason::ENHANCE_YOUR_CALM));
    }
    match accepted {
        Poll::Ready(Some(Ok((request, respond)))) => {
            return Poll::Ready(Event::Stream(Box::new(request), respond));
        }
        Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Event::Over),
        Poll::Pending => {}
    }
    if shared.poll_unsettled(cx).is_ready() {
        return Poll::Ready(Event::Fault(Reason::SETTINGS_TIMEOUT));
    }
    if let Some(since) = ending {
        if shared.streams.get() > 0 {
            return Poll::Pending;
        }
        let until = since.max(shared.idle_since.get()) + END_TIME;
        return shared
            .conn
            .timer
            .poll_expired(cx, until)
            .map(|()| Event::Over);
    }
    if shared.conn.should_close() {
        return Poll::Ready(Event::End);
    }
    match shared.end_of_waiting() {
        Some(deadline) => shared
            .conn
            .timer
            .poll_expired(cx, deadline)
            .map(|()| Event::End),
        None => Poll::Pending,
    }
}

fn spawn(shared: &Rc<Shared>, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let current = shared.conn.listener.current();
    let most = current.listener.wire.http2.max_concurrent_streams;
    if shared.streams.get() >= most.saturating_mul(TASKS_PER_STREAM) {
        respond.send_reset(Reason::REFUSED_STREAM);
        return;
    }
    let open = OpenStream::new(shared);
    // Boxed: tokio moves a task's state several times before it runs.
    tokio::task::spawn_local(Box::pin(async move {
        stream::serve(&open.0, request, respond).await;
    }));
}
