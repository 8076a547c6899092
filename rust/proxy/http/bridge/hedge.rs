//! Two attempts beside each other: the second begins where the first lets wait for its answer, and who
//! answers first wins.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::answer::{Final, Step};
use super::client::Client;
use super::course::Course;
use super::exchange::{Exchange, failed, write_out};
use super::opening::Place;
use super::racer::Racer;
use super::server::Arrived;
use crate::error::{Blame, Error, ErrorKind};
use crate::policy::retry_budget::Spent;
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

/// Both attempts.
struct Race<'p, 'q> {
    one: Option<Racer<'p>>,
    two: Option<Racer<'q>>,
    places: (&'p Place, &'q Place),
    conn: &'q Downstream,
    /// The second's place in the budget.
    spent: Option<Spent>,
    delay: Duration,
    /// When the second begins.
    due: Option<Instant>,
    timer: Timer,
}

impl<'p, 'q> Race<'p, 'q> {
    fn into_parts(self) -> (Option<Racer<'p>>, Option<Racer<'q>>, Option<Spent>) {
        (self.one, self.two, self.spent)
    }

    fn place(&self, is_second: bool) -> &Place {
        if is_second {
            self.places.1
        } else {
            self.places.0
        }
    }

    fn lose(&mut self, is_second: bool) {
        if is_second {
            self.two = None;
        } else {
            self.one = None;
        }
    }
}

/// What follows.
enum Next {
    On,
    Won(bool, Final, Arrived),
    Again(Duration),
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
        let mut race = Race {
            one: Some(Racer::start(self, client.conn, &first, course)),
            two: None,
            places: (&first, &second),
            conn: client.conn,
            spent: None,
            delay,
            due: Some(clock::now() + delay),
            timer: Timer::default(),
        };
        let (is_second, ended, arrived) = loop {
            let event = poll_fn(|cx| self.poll_race(cx, client, &mut race, course)).await?;
            match self.goes_on(client, &mut race, course, event).await? {
                Next::On => {}
                Next::Won(is_second, ended, arrived) => break (is_second, ended, arrived),
                Next::Again(wait) => return Ok(Some(wait)),
            }
        };
        let (one, two, spent) = race.into_parts();
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
        client: &mut Client<'_>,
        race: &mut Race<'_, '_>,
        course: &mut Course<'_, '_>,
    ) -> Poll<Result<Event, Error>> {
        client.poll_gone(cx, self.activity.uploaded.get())?;
        let event = |is_second, polled| match polled {
            Ok(arrived) => Event::Head(is_second, arrived),
            Err(error) => Event::Failed(is_second, error),
        };
        if let Some(racer) = &mut race.one
            && let Poll::Ready(polled) = racer.poll(cx, self, course)
        {
            return Poll::Ready(Ok(event(false, polled)));
        }
        if let Some(racer) = &mut race.two
            && let Poll::Ready(polled) = racer.poll(cx, self, course)
        {
            return Poll::Ready(Ok(event(true, polled)));
        }
        match race.due {
            Some(due) => race.timer.poll_expired(cx, due).map(|()| Ok(Event::Due)),
            None => Poll::Pending,
        }
    }

    /// Makes of an event what follows from it.
    async fn goes_on<'q>(
        &'q self,
        client: &mut Client<'_>,
        race: &mut Race<'_, 'q>,
        course: &mut Course<'_, '_>,
        event: Event,
    ) -> Result<Next, Error> {
        let rivals = race.one.is_some() && race.two.is_some();
        match event {
            // Refused, it isn't asked for again: late it would cost as much and save little.
            Event::Due if course.body.has_ended() => {
                race.due = None;
                race.spent = course.hedge();
                let (conn, second) = (race.conn, race.places.1);
                let start = || Racer::start(self, conn, second, course);
                race.two = race.spent.as_ref().map(|_| start());
            }
            Event::Due => race.due = Some(clock::now() + race.delay),
            Event::Failed(is_second, error) => {
                if !rivals || error.kind.blame() == Blame::Downstream {
                    let again = failed(race.place(is_second), &error, course);
                    return again.map(Next::Again).ok_or(error);
                }
                self.failed_beside(race.place(is_second), &error);
                race.lose(is_second);
            }
            Event::Head(is_second, arrived) => {
                course.rivals = rivals;
                let passed = self.pass_head(client, (race, is_second), arrived, course);
                match passed.await? {
                    Passed::Won(ended, arrived) => return Ok(Next::Won(is_second, ended, arrived)),
                    Passed::Interim => {}
                    Passed::Again(_) if rivals => race.lose(is_second),
                    Passed::Again(wait) => return Ok(Next::Again(wait)),
                }
            }
        }
        Ok(Next::On)
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
        (race, is_second): (&mut Race<'_, '_>, bool),
        arrived: Arrived,
        course: &mut Course<'_, '_>,
    ) -> Result<Passed, Error> {
        if let Some((flight, _)) = race.place(is_second).get() {
            self.record.borrow_mut().chose_endpoint(flight);
        }
        if is_second {
            self.pass(client, race.two.as_mut(), arrived, course).await
        } else {
            self.pass(client, race.one.as_mut(), arrived, course).await
        }
    }

    async fn pass(
        &self,
        client: &mut Client<'_>,
        racer: Option<&mut Racer<'_>>,
        arrived: Arrived,
        course: &mut Course<'_, '_>,
    ) -> Result<Passed, Error> {
        let lost = || Error::from(ErrorKind::UpstreamReset);
        let racer = racer.ok_or_else(lost)?;
        let begun = racer.begun.as_mut().ok_or_else(lost)?;
        let before = (&mut racer.interims, course);
        match self.pass_on(client, &arrived, begun.link, before).await? {
            Step::Waits => Ok(Passed::Interim),
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
