//! One of two attempts beside each other, until the head of its answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::course::Course;
use super::exchange::Exchange;
use super::opening::{Begun, Place};
use super::patience::Patience;
use super::server::{Arrived, Interims};
use crate::error::{Error, ErrorKind};
use crate::pool::Tried;
use crate::proxy::connection::Downstream;

type Opening<'p> = dyn Future<Output = (Tried, Result<Begun<'p>, Error>)> + 'p;

/// One of two attempts, until its answer's head.
pub(super) struct Racer<'p> {
    opening: Option<Pin<Box<Opening<'p>>>>,
    pub(super) begun: Option<Begun<'p>>,
    pub(super) interims: Interims,
    patience: Option<Box<Patience>>,
}

impl<'p> Racer<'p> {
    pub(super) fn start(
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

    /// Ready when finding a connection takes too long.
    fn poll_late(&self, cx: &mut Context<'_>) -> Poll<Result<Arrived, Error>> {
        let patience = self.patience.as_deref();
        if patience.is_some_and(|it| it.poll_connecting(cx).is_ready()) {
            return Poll::Ready(Err(ErrorKind::PerTryTimeout.into()));
        }
        Poll::Pending
    }

    /// Ready with the next head.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &Exchange<'_>,
        course: &mut Course<'_, '_>,
    ) -> Poll<Result<Arrived, Error>> {
        if let Some(opening) = &mut self.opening {
            let Poll::Ready((tried, begun)) = opening.as_mut().poll(cx) else {
                return self.poll_late(cx);
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
