//! One request and its response over a bridge.

use std::cell::{OnceCell, RefCell};
use std::future::poll_fn;
use std::time::Duration;

use super::answer::{self, Step};
use super::client::Client;
use super::course::Course;
use super::patience::Patience;
use super::replay::Replay;
use super::server::{self, Announced, Interims, Opened};
use super::sink::Sink;
use super::source::Source;
use super::upload::Upload;
use crate::error::{Error, ErrorKind};
use crate::pool::{InFlight, Tried};
use crate::protocol::http1::RequestMethod;
use crate::proxy::connection::Downstream;
use crate::proxy::http::activity::Activity;
use crate::proxy::http::admit::Plan;
use crate::proxy::http::record::Record;
use crate::proxy::link::{self, Link};
use crate::proxy::upstream::Ask;
use crate::runtime::clock;
use crate::runtime::timer::Timer;

/// Bytes of a body that is copied; requests with a longer one are not.
const COPIED_BYTES: usize = 1 << 20;

/// One exchange, from its plan to its end.
pub(crate) struct Exchange<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) activity: &'a Activity,
    pub(crate) record: &'a RefCell<Record>,
}

/// Where an attempt's connection stands while it lasts.
type Place = OnceCell<(InFlight, Link)>;

/// How an attempt ended that didn't fail.
pub(super) enum Ended {
    /// The client has its answer; an HTTP/1 connection may be used again.
    Complete { reusable: bool },
    /// Its answer is dropped for that of another attempt, after this wait.
    Again { wait: Duration, reusable: bool },
}

impl Exchange<'_> {
    /// Sends the request until somebody answers as the route wants it, as long as that does no harm,
    /// and passes the answer on.
    ///
    /// # Errors
    /// What the client is to be told, or why it can't be.
    pub(crate) async fn run(
        &self,
        client: &mut Client<'_>,
        source: &mut Source<'_>,
    ) -> Result<(), Error> {
        let worker = client.conn.worker();
        let mut course = Course::new(self, worker, Replay::new(source, self.keeps()));
        loop {
            let place = Place::new();
            let wait = match self.attempt(client, &place, &mut course).await {
                Ok(Ended::Complete { reusable }) => {
                    self.give_back(place, reusable);
                    return Ok(());
                }
                Ok(Ended::Again { wait, reusable }) => {
                    self.give_back(place, reusable);
                    wait
                }
                Err(error) => match failed(&place, &error, &mut course) {
                    Some(wait) => wait,
                    None => return Err(error),
                },
            };
            self.activity.begin_again();
            if wait.is_zero() {
                tokio::task::yield_now().await;
            } else {
                Box::pin(pause(client, course.body.has_ended(), wait)).await?;
            }
        }
    }

    /// What is kept of the body, for further attempts and for copies.
    fn keeps(&self) -> usize {
        let copied = self.plan.copies.as_ref().map_or(0, |_| COPIED_BYTES);
        let effort = self.plan.effort.as_ref();
        effort.map_or(copied, |effort| effort.body_bytes.max(copied))
    }

    /// No endpoint was tried.
    pub(super) fn untried(&self) -> Tried {
        Tried::aiming(self.plan.aim.clone())
    }

    /// Finds what carries an attempt, and begins it there.
    async fn open<'p>(
        &self,
        conn: &'p Downstream,
        place: &'p Place,
        course: &mut Course<'_, '_>,
    ) -> Result<(&'p Link, Upload, Opened<'p>), Error> {
        let found = self.obtain(conn, course).await?;
        let (flight, link) = place.get_or_init(|| found);
        self.record.borrow_mut().chose_endpoint(flight);
        let held = self.asks_for_tunnel(link);
        let mut upload = Upload::new(self.plan.body_limit, held);
        let ends = self.plan.framing.is_empty() && !held && course.body.is_head_alone();
        let announced = Announced {
            framing: self.plan.framing,
            ends,
            time_left: self.activity.time_left().filter(|_| self.plan.facts.grpc),
        };
        let buffers = &conn.worker().buffers;
        let opened = server::open(link, buffers, &self.plan.heads, announced).await?;
        if ends && matches!(link, Link::Http2(_)) {
            course.body.finish();
            upload.complete();
            self.activity.uploaded.set(true);
        }
        Ok((link, upload, opened))
    }

    async fn obtain(
        &self,
        conn: &Downstream,
        course: &mut Course<'_, '_>,
    ) -> Result<(InFlight, Link), Error> {
        let proxied = self.wants_proxy_header();
        let ask = Ask {
            reuse: course.reuse && !self.is_tunnel() && !proxied,
            client: conn.peer,
            local: if proxied {
                conn.io.socket().local_addr()
            } else {
                None
            },
        };
        let (worker, cluster) = (conn.worker(), &self.plan.cluster);
        let found = link::obtain_link(worker, cluster, &mut course.tried, (ask, self.plan.speaks));
        match found.await {
            // All have been tried: again from the first.
            Err(error) if error.kind == ErrorKind::NoEndpoint && !course.tried.is_empty() => {
                course.tried = self.untried();
                let asked = (ask, self.plan.speaks);
                Box::pin(link::obtain_link(worker, cluster, &mut course.tried, asked)).await
            }
            found => found,
        }
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

    fn give_back(&self, place: Place, reusable: bool) {
        if let Some((flight, Link::Http1(upstream))) = place.into_inner()
            && reusable
            && !self.wants_proxy_header()
        {
            let bounds = &self.plan.cluster.cluster.wire;
            flight.run().checkin(*upstream, bounds, clock::now());
        }
    }

    /// One attempt.
    async fn attempt(
        &self,
        client: &mut Client<'_>,
        place: &Place,
        course: &mut Course<'_, '_>,
    ) -> Result<Ended, Error> {
        let within = self.plan.effort.as_ref().and_then(|it| it.per_try_timeout);
        let mut patience = within.map(|within| Box::new(Patience::new(within)));
        let conn = client.conn;
        // Not made in one place: it would be stored there and where it is polled.
        let (link, mut upload, mut opened) = match &patience {
            Some(patience) => {
                let opening = self.open(conn, place, course);
                Box::pin(patience.connecting(opening)).await?
            }
            None => self.open(conn, place, course).await?,
        };
        match link {
            Link::Http1(upstream) if self.is_connect() => {
                return Box::pin(self.connect(client, upstream, (&mut upload, course))).await;
            }
            // The endpoint could have chosen HTTP/2, without which there is no gRPC.
            Link::Http1(_) if self.plan.grpc_web.is_some() => {
                return Err(ErrorKind::UpstreamProtocol.into());
            }
            Link::Http1(_) | Link::Http2(_) => {}
        }
        let mut interims = Interims::default();
        let (ended, arrived) = loop {
            let arrived = poll_fn(|cx| {
                upload.poll(cx, (&mut course.body, &mut opened.sink), self.activity)?;
                course.mirror();
                client.poll_gone(cx, self.activity.uploaded.get())?;
                Patience::poll(patience.as_deref_mut(), cx, self.activity)?;
                let arrived = opened.answer.poll_head(cx);
                arrived.map_err(|error| upload.judge(error))
            })
            .await?;
            let before = (&mut interims, &mut *course);
            match answer::pass_on(self, client, &arrived, link, before)? {
                Step::Final(ended) => break (ended, arrived),
                Step::Interim(told) => {
                    write_out(told).await?;
                    opened.answer.resume(arrived);
                }
                Step::Again { wait, whole } => {
                    let reusable = whole && upload.is_done();
                    return Ok(Ended::Again { wait, reusable });
                }
            }
        };
        let reusable = self
            .download(
                (client, link),
                (&mut upload, course),
                &mut opened,
                (ended, arrived),
            )
            .await?;
        Ok(Ended::Complete { reusable })
    }
}

/// Waits before another attempt, unless the client goes away.
async fn pause(client: &mut Client<'_>, uploaded: bool, wait: Duration) -> Result<(), Error> {
    let (timer, until) = (Timer::default(), clock::now() + wait);
    poll_fn(|cx| {
        client.poll_gone(cx, uploaded)?;
        timer.poll_expired(cx, until).map(Ok)
    })
    .await
}

/// An attempt came to no answer. How long to wait before another.
fn failed(place: &Place, error: &Error, course: &mut Course<'_, '_>) -> Option<Duration> {
    let unseen = match place.get() {
        None => true,
        Some((_, link)) => error.retry && is_unprocessed(link),
    };
    let again = course.after(error, unseen);
    if (again.is_some() || error.kind == ErrorKind::DownstreamClosed)
        && let Some((_, Link::Http1(upstream))) = place.get()
    {
        // Nor may the other side still get what waits in the kernel, or take an end alone for
        // that of a client that waits.
        upstream.io.socket().reset_on_close();
    }
    again
}

/// Writes an interim head to an HTTP/1 client; h2 has sent the others already.
async fn write_out(told: Option<Sink<'_>>) -> Result<(), Error> {
    let Some(mut told) = told else {
        return Ok(());
    };
    let written = poll_fn(|cx| told.poll_ready(cx)).await;
    written.map_err(|_| ErrorKind::DownstreamClosed.into())
}

/// What the upstream's own word is enough for on a stream, needs the kernel's on a connection.
fn is_unprocessed(link: &Link) -> bool {
    match link {
        Link::Http1(upstream) => upstream.is_reused() && upstream.took_nothing(),
        Link::Http2(_) => true,
    }
}
