//! One request and its response over a bridge.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::Poll;

use super::answer::{self, Final, Step};
use super::client::Client;
use super::pump::Pump;
use super::server::{self, Announced, Arrived, Interims, Opened};
use super::sink::{Coding, Sink};
use super::source::{Http1Source, Source};
use super::upload::Upload;
use crate::error::{Error, ErrorKind};
use crate::pool::{InFlight, Tried, Upstream};
use crate::protocol::http1::RequestMethod;
use crate::proxy::flow::Body;
use crate::proxy::http::activity::Activity;
use crate::proxy::http::admit::Plan;
use crate::proxy::http::record::Record;
use crate::proxy::link::{self, Link};
use crate::proxy::upstream::Ask;
use crate::runtime::clock;

/// How often a request is sent again because its connection took no more or refused it. Each time
/// is proved harmless; more would only say that the endpoint refuses everything.
const RESENDS_MAX: u32 = 2;

/// One exchange, from its plan to its end.
pub(crate) struct Exchange<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) activity: &'a Activity,
    pub(crate) record: &'a RefCell<Record>,
}

impl Exchange<'_> {
    /// Sends the request until somebody answers, as long as it is certain that nobody has seen it,
    /// and passes the answer on.
    ///
    /// # Errors
    /// What the client is to be told, or why it can't be.
    pub(crate) async fn run(
        &self,
        client: &mut Client<'_>,
        source: &mut Source<'_>,
    ) -> Result<(), Error> {
        let mut resends = 0;
        loop {
            let (flight, link) = self.obtain(client, resends).await?;
            self.record.borrow_mut().chose_endpoint(&flight);
            let held = self.asks_for_tunnel(&link);
            let mut upload = Upload::new(source, self.plan.body_limit, held);
            let error = match self.attempt(client, &link, &mut upload).await {
                Ok(reusable) => {
                    self.give_back(&flight, link, reusable);
                    return Ok(());
                }
                Err(error) => error,
            };
            if error.kind == ErrorKind::DownstreamClosed
                && let Link::Http1(upstream) = &link
            {
                // An end alone might be taken for that of a client that waits.
                upstream.io.socket().reset_on_close();
            }
            let unseen = error.retry && !upload.has_taken() && !self.activity.started.get();
            if resends == RESENDS_MAX || !unseen || !is_unprocessed(&link) {
                return Err(error);
            }
            if let Link::Http1(upstream) = &link {
                // Nor may the other side still get what waits in the kernel.
                upstream.io.socket().reset_on_close();
            }
            self.plan.cluster.stats.resends_total.increment();
            resends += 1;
            tokio::task::yield_now().await;
        }
    }

    async fn obtain(&self, client: &Client<'_>, resends: u32) -> Result<(InFlight, Link), Error> {
        let proxied = self.wants_proxy_header();
        let ask = Ask {
            reuse: resends == 0 && !self.is_tunnel() && !proxied,
            client: client.conn.peer,
            local: if proxied {
                client.conn.io.socket().local_addr()
            } else {
                None
            },
        };
        let (worker, cluster) = (client.conn.worker(), &self.plan.cluster);
        let mut tried = Tried::aiming(self.plan.aim.clone());
        link::obtain_link(worker, cluster, &mut tried, (ask, self.plan.speaks)).await
    }

    fn wants_proxy_header(&self) -> bool {
        self.plan.cluster.cluster.wire.proxy_protocol.is_some()
    }

    /// Whether bytes of another protocol may follow the heads.
    fn is_tunnel(&self) -> bool {
        self.plan.facts.upgrade || self.is_connect()
    }

    /// Whether the request that `link` carries asks for a tunnel. In HTTP/2 CONNECT alone does: an
    /// upgrade that has no form there is left out, and the request is one like any other.
    pub(crate) fn asks_for_tunnel(&self, link: &Link) -> bool {
        match link {
            Link::Http1(_) => self.is_tunnel(),
            Link::Http2(_) => {
                let sent = self.plan.heads.http2();
                sent.is_some_and(|request| request.method() == http::Method::CONNECT)
            }
        }
    }

    fn is_connect(&self) -> bool {
        matches!(self.plan.facts.method, RequestMethod::Connect)
    }

    fn give_back(&self, flight: &InFlight, link: Link, reusable: bool) {
        if let Link::Http1(upstream) = link
            && reusable
            && !self.wants_proxy_header()
        {
            let bounds = &self.plan.cluster.cluster.wire;
            flight.run().checkin(*upstream, bounds, clock::now());
        }
    }

    /// One attempt; says whether an HTTP/1 connection can be used again.
    async fn attempt(
        &self,
        client: &mut Client<'_>,
        link: &Link,
        upload: &mut Upload<'_, '_>,
    ) -> Result<bool, Error> {
        match link {
            Link::Http1(upstream) if self.is_connect() => {
                return Box::pin(self.connect(client, upstream, upload)).await;
            }
            // The endpoint could have chosen HTTP/2, without which there is no gRPC.
            Link::Http1(_) if self.plan.grpc_web.is_some() => {
                return Err(ErrorKind::UpstreamProtocol.into());
            }
            Link::Http1(_) | Link::Http2(_) => {}
        }
        let ends =
            self.plan.framing.is_empty() && !self.asks_for_tunnel(link) && upload.is_head_alone();
        let conn = client.conn;
        let buffers = &conn.worker().buffers;
        let announced = Announced {
            framing: self.plan.framing,
            ends,
            time_left: self.activity.time_left().filter(|_| self.plan.facts.grpc),
        };
        let mut opened = server::open(link, buffers, &self.plan.heads, announced).await?;
        if ends && matches!(link, Link::Http2(_)) {
            upload.complete();
            self.activity.uploaded.set(true);
        }
        let mut interims = Interims::default();
        let (ended, arrived) = loop {
            let arrived = poll_fn(|cx| {
                upload.poll(cx, &mut opened.sink, self.activity)?;
                client.poll_gone(cx, self.activity.uploaded.get())?;
                let arrived = opened.answer.poll_head(cx);
                arrived.map_err(|error| upload.judge(error))
            })
            .await?;
            match answer::pass_on(self, client, &arrived, link, &mut interims)? {
                Step::Final(ended) => break (ended, arrived),
                Step::Interim(told) => {
                    write_out(told).await?;
                    opened.answer.resume(arrived);
                }
            }
        };
        self.download((client, link), upload, &mut opened, (ended, arrived))
            .await
    }

    /// Passes an answer's body on, and what the client still sends.
    async fn download(
        &self,
        (client, link): (&mut Client<'_>, &Link),
        upload: &mut Upload<'_, '_>,
        opened: &mut Opened<'_>,
        (ended, arrived): (Final, Arrived),
    ) -> Result<bool, Error> {
        self.activity.started.set(true);
        let keeps = ended.keep_upstream;
        if ended.tunnel {
            self.activity.lift_deadline();
            upload.release();
            opened.sink.become_tunnel();
        }
        let mut source = opened.answer.source(ended.body, arrived);
        let rests = (!ended.tunnel).then_some(link);
        let copied = self
            .copy(client, (upload, &mut opened.sink), &mut source, rests)
            .await;
        if copied.is_err() && keeps_connection(&opened.sink) {
            opened.sink.cut(h2::Reason::CANCEL);
        }
        copied?;
        let surplus = source.finish().is_some();
        Ok(keeps && self.activity.uploaded.get() && !surplus)
    }

    /// A tunnel whose far end gets bytes, not a head.
    async fn connect(
        &self,
        client: &mut Client<'_>,
        upstream: &Upstream,
        upload: &mut Upload<'_, '_>,
    ) -> Result<bool, Error> {
        self.record.borrow_mut().answered(200);
        client.connected()?;
        self.activity.started.set(true);
        self.activity.lift_deadline();
        upload.release();
        let buffers = &client.conn.worker().buffers;
        let mut sink = Sink::http1(&upstream.io, Vec::new(), Coding::Tunnel);
        let body = Http1Source::new(&upstream.io, buffers, Body::UntilEnd, None);
        let mut source = Source::Http1(body);
        self.copy(client, (upload, &mut sink), &mut source, None)
            .await?;
        Ok(false)
    }

    /// Copies both ways until the answer is through; in a tunnel, which doesn't rest before its end,
    /// until both ways are.
    async fn copy(
        &self,
        client: &mut Client<'_>,
        (upload, to_upstream): (&mut Upload<'_, '_>, &mut Sink<'_>),
        source: &mut Source<'_>,
        rests: Option<&Link>,
    ) -> Result<(), Error> {
        let conn = client.conn;
        let Some((sink, mut watch)) = client.answering() else {
            return Ok(());
        };
        let tunnel = rests.is_none();
        let mut download = Pump::down(rests);
        let mut downloaded = false;
        let copied: Result<(), Error> = poll_fn(|cx| {
            // An early response doesn't stop a body that the upstream still takes.
            upload.poll(cx, to_upstream, self.activity)?;
            if let Some(watch) = &mut watch
                && self.activity.uploaded.get()
                && !tunnel
            {
                watch.poll(cx, conn, true)?;
            }
            if !downloaded {
                let waits = (&self.activity.movement, &self.activity.downward);
                let polled = download.poll(cx, (source, sink), waits);
                self.activity.sent.set(download.moved());
                let failed = |broken| answer::download_failed(&broken);
                downloaded = polled.map_err(failed)?.is_ready();
            }
            if downloaded && (!tunnel || upload.is_over()) {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        })
        .await;
        // Trailers within a message end no call of gRPC-Web: its client can't be given them.
        let unfit = matches!(&copied, Err(error) if error.kind == ErrorKind::UpstreamProtocol);
        if let Some(status) = download.grpc_status.filter(|_| !unfit) {
            self.record.borrow_mut().grpc_status = Some(status);
        }
        copied
    }
}

/// Writes an interim head to an HTTP/1 client; h2 has sent the others already.
async fn write_out(told: Option<Sink<'_>>) -> Result<(), Error> {
    let Some(mut told) = told else {
        return Ok(());
    };
    let written = poll_fn(|cx| told.poll_ready(cx)).await;
    written.map_err(|_| ErrorKind::DownstreamClosed.into())
}

/// A stream that failed is reset; a connection is closed by whoever owns it.
fn keeps_connection(sink: &Sink<'_>) -> bool {
    matches!(sink, Sink::Http2(_))
}

/// What the upstream's own word is enough for on a stream, needs the kernel's on a connection.
fn is_unprocessed(link: &Link) -> bool {
    match link {
        Link::Http1(upstream) => upstream.is_reused() && upstream.took_nothing(),
        Link::Http2(_) => true,
    }
}
