//! Two attempts beside each other: the second begins where the first lets wait for its answer, and who
//! answers first wins.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::answer::{self, Final, Step};
use super::client::Client;
use super::course::Course;
use super::exchange::{Exchange, failed, write_out};
use super::opening::{Begun, Place};
use super::patience::Patience;
use super::server::{Arrived, Interims};
use crate::error::{Blame, Error, ErrorKind};
use crate::pool::Tried;
use crate::proxy::connection::Downstream;
use crate::proxy::link::Link;
use crate::runtime::clock;
use crate::runtime::timer::Timer;

/// What happened in a race.
enum Event {
    /// The first lets wait.
    Due,
    /// A head of the first (`false`) or the second.
    Head(bool, Arrived),
    /// One of them came to nothing.
    Failed(bool, Error),
}

type Opening<'p> = dyn Future<Output = (Tried, Result<Begun<'p>, Error>)> + 'p;

/// One of two attempts, until its answer's head.
struct Racer<'p> {
    opening: Option<Pin<Box<Opening<'p>>>>,
    begun: Option<Begun<'p>>,
    interims: Interims,
    patience: Option<Box<Patience>>,
}

impl<'p> Racer<'p> {
    fn start(
        exchange: &'p Exchange<'p>,
        conn: &'p Downstream,
        place: &'p Place,
        course: &Course<'_, '_>,
    ) -> Self {
        let how = (course.reuse, course.body.is_head_alone());
        let mut tried = course.tried.clone();
        let effort = exchange.plan.effort.as_ref();
        let within = effort.and_then(|effort| effort.per_try_timeout);
        let opening = async move {
            let begun = exchange.open(conn, place, &mut tried, how).await;
            (tried, begun)
        };
        Self {
            opening: Some(Box::pin(opening)),
            begun: None,
            interims: Interims::default(),
            patience: within.map(|within| Box::new(Patience::from_now(within))),
        }
    }

    /// Ready with the next head.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &Exchange<'_>,
        course: &mut Course<'_, '_>,
    ) -> Poll<Result<Arrived, Error>> {
        if let Some(opening) = &mut self.opening {
            let Poll::Ready((tried, begun)) = opening.as_mut().poll(cx) else {
                let patience = self.patience.as_deref();
                let late = patience.is_some_and(|it| it.poll_connecting(cx).is_ready());
                return if late {
                    Poll::Ready(Err(ErrorKind::PerTryTimeout.into()))
                } else {
                    Poll::Pending
                };
            };
            self.opening = None;
            course.tried = tried;
            if let Some(patience) = &mut self.patience {
                patience.connected();
            }
            self.begun = Some(begun?);
        }
        let Some(begun) = &mut self.begun else {
            return Poll::Pending;
        };
        if begun.upload.is_done() && !course.body.has_ended() {
            course.body.finish();
        }
        let sent = (&mut course.body, &mut begun.opened.sink);
        begun.upload.poll(cx, sent, exchange.activity)?;
        course.mirror();
        Patience::poll(self.patience.as_deref_mut(), cx, exchange.activity)?;
        let arrived = begun.opened.answer.poll_head(cx);
        arrived.map_err(|error| begun.upload.judge(error))
    }
}

impl Exchange<'_> {
    /// After what time a second attempt begins; none where there is to be none. What asks for a tunnel
    /// has one end only.
    pub(super) fn hedges_after(&self) -> Option<Duration> {
        let effort = self.plan.effort.as_ref()?;
        let harmless = effort.policy.may_repeat(self.plan.repeatable);
        let may = harmless && !self.is_tunnel() && self.plan.grpc_web.is_none();
        effort.hedge_delay.filter(|_| may)
    }

    /// One or two attempts. How long to wait before further ones; none where the client has its answer.
    pub(super) async fn hedged(
        &self,
        client: &mut Client<'_>,
        course: &mut Course<'_, '_>,
        delay: Duration,
    ) -> Result<Option<Duration>, Error> {
        course.rivals = false;
        let (first, second) = (Place::new(), Place::new());
        let (conn, timer) = (client.conn, Timer::default());
        let mut one = Some(Racer::start(self, conn, &first, course));
        let mut two = None;
        let mut spent = None;
        let mut due = Some(clock::now() + delay);
        let (is_second, ended, arrived) = loop {
            let event = poll_fn(|cx| {
                client.poll_gone(cx, self.activity.uploaded.get())?;
                let event = self.poll_race(cx, (&mut one, &mut two), course);
                let late = event.is_pending()
                    && due.is_some_and(|due| timer.poll_expired(cx, due).is_ready());
                if late {
                    Poll::Ready(Ok(Event::Due))
                } else {
                    event.map(Ok)
                }
            });
            let event: Result<Event, Error> = event.await;
            let rivals = one.is_some() && two.is_some();
            match event? {
                // Refused, it isn't asked for again: late it would cost as much and save little.
                Event::Due if course.body.has_ended() => {
                    due = None;
                    spent = course.hedge();
                    two = spent
                        .as_ref()
                        .map(|_| Racer::start(self, conn, &second, course));
                }
                Event::Due => due = Some(clock::now() + delay),
                Event::Failed(is_second, error) => {
                    let place = if is_second { &second } else { &first };
                    if !rivals || error.kind.blame() == Blame::Downstream {
                        return failed(place, &error, course).map(Some).ok_or(error);
                    }
                    self.failed_beside(place, &error);
                    if is_second { two = None } else { one = None }
                }
                Event::Head(is_second, arrived) => {
                    course.rivals = rivals;
                    let passed = if is_second {
                        let racer = (&second, two.as_mut());
                        self.pass_head(client, racer, arrived, course).await?
                    } else {
                        let racer = (&first, one.as_mut());
                        self.pass_head(client, racer, arrived, course).await?
                    };
                    match passed {
                        Passed::Won(ended, arrived) => break (is_second, ended, arrived),
                        Passed::Interim => {}
                        Passed::Again(_) if rivals && is_second => two = None,
                        Passed::Again(_) if rivals => one = None,
                        Passed::Again(wait) => return Ok(Some(wait)),
                    }
                }
            }
        };
        // Who lost goes at once.
        if is_second {
            drop(one);
            cancel(first);
            let reusable = self.take(client, two, course, (ended, arrived)).await?;
            self.give_back(second, reusable);
        } else {
            drop(two);
            cancel(second);
            let reusable = self.take(client, one, course, (ended, arrived)).await?;
            self.give_back(first, reusable);
        }
        drop(spent);
        Ok(None)
    }

    fn poll_race(
        &self,
        cx: &mut Context<'_>,
        (one, two): (&mut Option<Racer<'_>>, &mut Option<Racer<'_>>),
        course: &mut Course<'_, '_>,
    ) -> Poll<Event> {
        let event = |is_second, polled| match polled {
            Ok(arrived) => Event::Head(is_second, arrived),
            Err(error) => Event::Failed(is_second, error),
        };
        if let Some(racer) = one
            && let Poll::Ready(polled) = racer.poll(cx, self, course)
        {
            return Poll::Ready(event(false, polled));
        }
        if let Some(racer) = two
            && let Poll::Ready(polled) = racer.poll(cx, self, course)
        {
            return Poll::Ready(event(true, polled));
        }
        Poll::Pending
    }

    /// Notes that one of two came to nothing.
    fn failed_beside(&self, place: &Place, error: &Error) {
        if let Some((flight, _)) = place.get() {
            let mut record = self.record.borrow_mut();
            record.chose_endpoint(flight);
            record.attempt_failed(error.kind);
        }
    }

    /// Passes a head on, unless it is dropped for the other attempt's or that of a further one.
    async fn pass_head(
        &self,
        client: &mut Client<'_>,
        (place, racer): (&Place, Option<&mut Racer<'_>>),
        arrived: Arrived,
        course: &mut Course<'_, '_>,
    ) -> Result<Passed, Error> {
        let lost = || Error::from(ErrorKind::UpstreamReset);
        let racer = racer.ok_or_else(lost)?;
        let begun = racer.begun.as_mut().ok_or_else(lost)?;
        if let Some((flight, _)) = place.get() {
            self.record.borrow_mut().chose_endpoint(flight);
        }
        let before = (&mut racer.interims, course);
        match answer::pass_on(self, client, &arrived, begun.link, before)? {
            Step::Final(ended) => Ok(Passed::Won(ended, arrived)),
            Step::Again { wait, .. } => Ok(Passed::Again(wait)),
            Step::Interim(told) => {
                write_out(told).await?;
                begun.opened.answer.resume(arrived);
                Ok(Passed::Interim)
            }
        }
    }

    /// Passes on what the winner's answer has behind its head; says whether an HTTP/1 connection can be
    /// used again.
    async fn take(
        &self,
        client: &mut Client<'_>,
        winner: Option<Racer<'_>>,
        course: &mut Course<'_, '_>,
        head: (Final, Arrived),
    ) -> Result<bool, Error> {
        let Some(mut begun) = winner.and_then(|winner| winner.begun) else {
            return Ok(false);
        };
        let up = (&mut begun.upload, course);
        self.download((client, begun.link), up, &mut begun.opened, head)
            .await
    }
}

/// What became of a head.
enum Passed {
    /// The client has it.
    Won(Final, Arrived),
    /// The client has it, and another will follow.
    Interim,
    /// It is dropped.
    Again(Duration),
}

/// Ends an attempt whose answer nobody wants any more. Its stream has been reset already.
fn cancel(place: Place) {
    if let Some((_, Link::Http1(upstream))) = place.get() {
        upstream.io.socket().reset_on_close();
    }
    drop(place);
}
