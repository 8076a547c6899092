//! One request and its response over a bridge.

use std::cell::RefCell;
use std::future::poll_fn;
use std::time::Duration;

use super::answer::Step;
use super::client::Client;
use super::course::Course;
use super::opening::{Begun, Place};
use super::patience::Patience;
use super::replay::Replay;
use super::server::Interims;
use super::sink::Sink;
use super::source::Source;
use crate::error::{Error, ErrorKind};
use crate::proxy::connection::Downstream;
use crate::proxy::http::activity::Activity;
use crate::proxy::http::admit::Plan;
use crate::proxy::http::record::Record;
use crate::proxy::link::Link;
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
            if let Some(delay) = self.hedges_after() {
                match Box::pin(self.hedged(client, &mut course, delay)).await? {
                    Some(wait) => Box::pin(self.rest(client, &course, wait)).await?,
                    None => return Ok(()),
                }
                continue;
            }
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
            Box::pin(self.rest(client, &course, wait)).await?;
        }
    }

    /// Waits before another attempt, unless the client goes away.
    async fn rest(
        &self,
        client: &mut Client<'_>,
        course: &Course<'_, '_>,
        wait: Duration,
    ) -> Result<(), Error> {
        self.activity.begin_again();
        if wait.is_zero() {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let (timer, until) = (Timer::default(), clock::now() + wait);
        poll_fn(|cx| {
            client.poll_gone(cx, course.body.has_ended())?;
            timer.poll_expired(cx, until).map(Ok)
        })
        .await
    }

    /// What is kept of the body, for further attempts and for copies.
    fn keeps(&self) -> usize {
        let copied = self.plan.copies.as_ref().map_or(0, |_| COPIED_BYTES);
        let effort = self.plan.effort.as_ref();
        effort.map_or(copied, |effort| effort.body_bytes.max(copied))
    }

    /// Begins an attempt, within its time.
    async fn begin<'p>(
        &self,
        conn: &'p Downstream,
        place: &'p Place,
        course: &mut Course<'_, '_>,
        patience: Option<&Patience>,
    ) -> Result<Begun<'p>, Error> {
        let how = (course.reuse, course.body.is_head_alone());
        let Some(patience) = patience else {
            return self.open(conn, place, &mut course.tried, how).await;
        };
        let opening = self.open(conn, place, &mut course.tried, how);
        Box::pin(patience.connecting(opening)).await
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
        let begun = self
            .begin(client.conn, place, course, patience.as_deref())
            .await?;
        let Begun {
            link,
            mut upload,
            mut opened,
        } = begun;
        course.begun(&upload);
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
            match self.pass_on(client, &arrived, link, before).await? {
                Step::Waits => {}
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

/// An attempt came to no answer. How long to wait before another.
pub(super) fn failed(
    place: &Place,
    error: &Error,
    course: &mut Course<'_, '_>,
) -> Option<Duration> {
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
pub(super) async fn write_out(told: Option<Sink<'_>>) -> Result<(), Error> {
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
