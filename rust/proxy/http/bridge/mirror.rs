//! Sends copies of a request. Nobody waits for them, and their answers are dropped.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::pump::{Pieces, Pump};
use super::replay::Copied;
use super::server::{self, Announced, Arrived, Interims, Opened};
use super::source::{Broken, Piece, Source, response_body};
use crate::error::{Error, ErrorKind};
use crate::pool::{ClusterRun, Tried};
use crate::protocol::http1::{FieldStorage, ResponseFraming, parse_response};
use crate::proxy::flow::Body;
use crate::proxy::http::UPSTREAM_HEAD;
use crate::proxy::http::mirror::Mirrored;
use crate::proxy::http::stall::Stall;
use crate::proxy::link::{self, Link};
use crate::proxy::upstream::Ask;
use crate::proxy::worker::Worker;
use crate::runtime::clock;
use crate::runtime::timer::{Movement, Timer};

/// Copies on their way to a cluster from one worker; more are not made. Each may hold a body, and a
/// cluster that hangs would gather them.
const COPIES_MAX: i64 = 256;

/// Sends each copy with this body, in a task of its own.
pub(super) fn send(worker: &Rc<Worker>, copies: Box<[Mirrored]>, body: &Copied) {
    for copy in copies {
        let stats = &copy.cluster.stats;
        if stats.mirrors_active.value() >= COPIES_MAX {
            stats.mirrors_dropped_total.increment();
            continue;
        }
        stats.mirrors_total.increment();
        let (worker, body) = (Rc::clone(worker), body.clone());
        let active = Active::begin(&copy.cluster);
        tokio::task::spawn_local(Box::pin(async move {
            let within = Some(clock::now() + copy.within);
            let timer = Timer::default();
            let sent = timer.until(within, deliver(&worker, &copy, body)).await;
            if !matches!(sent, Ok(Ok(()))) {
                copy.cluster.stats.mirror_failures_total.increment();
            }
            drop(active);
        }));
    }
}

/// Notes that no copies are made, since the body is too long to be kept.
pub(super) fn give_up(copies: &[Mirrored]) {
    for copy in copies {
        copy.cluster.stats.mirrors_dropped_total.increment();
    }
}

/// A copy on its way; dropping it counts it out.
struct Active(Rc<ClusterRun>);

impl Active {
    fn begin(cluster: &Rc<ClusterRun>) -> Self {
        cluster.stats.mirrors_active.add(1);
        Self(Rc::clone(cluster))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.stats.mirrors_active.sub(1);
    }
}

impl Pieces for Copied {
    fn poll_piece(&mut self, _: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        let bytes = std::mem::replace(&mut self.bytes, Bytes::new());
        let piece = match (bytes.is_empty(), self.trailers.take()) {
            (false, None) => Piece::Data(bytes, true),
            (false, trailers) => {
                self.trailers = trailers;
                Piece::Data(bytes, false)
            }
            (true, Some(trailers)) => Piece::Trailers(trailers),
            (true, None) => Piece::End,
        };
        Poll::Ready(Ok(piece))
    }
}

async fn deliver(worker: &Worker, copy: &Mirrored, mut body: Copied) -> Result<(), Error> {
    let ask = Ask {
        reuse: copy.cluster.cluster.wire.proxy_protocol.is_none(),
        client: None,
        local: None,
    };
    let mut tried = Tried::default();
    let asked = (ask, copy.speaks);
    let (flight, link) = link::obtain_link(worker, &copy.cluster, &mut tried, asked).await?;
    let announced = Announced {
        framing: copy.framing,
        ends: body.is_empty() && copy.framing.is_empty(),
        time_left: None,
    };
    let opened = server::open(&link, &worker.buffers, &copy.heads, announced).await?;
    let reusable = exchange(opened, (&link, announced.ends), copy, &mut body).await?;
    if let Link::Http1(upstream) = link
        && reusable
        && ask.reuse
    {
        let bounds = &copy.cluster.cluster.wire;
        flight.run().checkin(*upstream, bounds, clock::now());
    }
    Ok(())
}

/// Sends the body and drops the answer; says whether an HTTP/1 connection can be used again.
async fn exchange(
    mut opened: Opened<'_>,
    (link, ended): (&Link, bool),
    copy: &Mirrored,
    body: &mut Copied,
) -> Result<bool, Error> {
    let (movement, stall) = (Movement::since(clock::now()), Stall::default());
    let mut pump = Pump::up(u64::MAX);
    let mut sent = ended && matches!(link, Link::Http2(_));
    let mut interims = Interims::default();
    let (framing, keep, arrived) = loop {
        let arrived = poll_fn(|cx| {
            if !sent {
                let polled = pump.poll(cx, (body, &mut opened.sink), (&movement, &stall));
                sent = polled.is_ready();
            }
            opened.answer.poll_head(cx)
        })
        .await?;
        match read(&arrived, copy)? {
            Some((framing, keep)) => break (framing, keep, arrived),
            None => interims.count()?,
        }
        opened.answer.resume(arrived);
    };
    let form = match framing {
        Some(framing) => response_body(framing),
        None => Body::UntilEnd,
    };
    let mut source = opened.answer.source(form, arrived);
    poll_fn(|cx| {
        if !sent {
            let polled = pump.poll(cx, (body, &mut opened.sink), (&movement, &stall));
            sent = polled.is_ready();
        }
        drain(&mut source, cx)
    })
    .await?;
    Ok(keep && sent && source.finish().is_none())
}

/// How an answer's body stands, and whether its connection stays; none for an interim head.
fn read(
    arrived: &Arrived,
    copy: &Mirrored,
) -> Result<Option<(Option<ResponseFraming>, bool)>, Error> {
    let Arrived::Http1(buffer, len) = arrived else {
        let is_final = matches!(arrived, Arrived::Http2(_, Some(_)));
        return Ok(is_final.then_some((None, false)));
    };
    let mut storage = FieldStorage::new();
    let bytes = buffer.get(..*len).unwrap_or_default();
    let head = parse_response(bytes, &mut storage, &UPSTREAM_HEAD, copy.method)
        .map_err(|_| ErrorKind::UpstreamProtocol)?;
    let keep = head.keep_alive && head.framing != ResponseFraming::UntilClose;
    Ok((!head.is_interim()).then_some((Some(head.framing), keep)))
}

fn drain(source: &mut Source<'_>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
    loop {
        match std::task::ready!(source.poll_piece(cx)) {
            Ok(Piece::Data(_, false)) => {}
            Ok(_) => return Poll::Ready(Ok(())),
            Err(_) => return Poll::Ready(Err(ErrorKind::UpstreamReset.into())),
        }
    }
}
