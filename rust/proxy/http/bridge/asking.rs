//! Passing a head on where hooks are asked about it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::answer::{self, Step};
use super::client::Client;
use super::course::Course;
use super::exchange::Exchange;
use super::server::{Arrived, Interims};
use crate::error::{Error, ErrorKind};
use crate::policy::outcome::Outcome;
use crate::protocol::http1::ResponseHead;
use crate::proxy::http::hooks::{self, Answered};
use crate::proxy::link::Link;

impl Exchange<'_> {
    /// Passes a head on, when all hooks that are to be asked about it have said what they say. Never
    /// ends with [`Step::Waits`].
    pub(super) async fn pass_on<'c>(
        &self,
        client: &mut Client<'c>,
        arrived: &Arrived,
        link: &Link,
        (interims, course): (&mut Interims, &mut Course<'_, '_>),
    ) -> Result<Step<'c>, Error> {
        loop {
            let before = (&mut *interims, &mut *course);
            match answer::pass_on(self, client, arrived, link, before)? {
                Step::Waits => Box::pin(self.ask_hook(client)).await?,
                step => return Ok(step),
            }
        }
    }

    /// Waits for a hook, unless the client goes away.
    async fn ask_hook(&self, client: &mut Client<'_>) -> Result<(), Error> {
        let Some(mut run) = self.record.borrow_mut().hooks.take() else {
            return Ok(());
        };
        let uploaded = self.activity.uploaded.get();
        let settled = {
            let mut settling = pin!(hooks::settle(client.conn.worker(), &mut run));
            poll_fn(|cx| match client.poll_gone(cx, uploaded) {
                Ok(()) => settling.as_mut().poll(cx).map(Ok),
                Err(gone) => Poll::Ready(Err(gone)),
            })
            .await
        };
        let came = match settled {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reply)) => {
                run.instead = Some(reply);
                Err(ErrorKind::HookFailed.into())
            }
            Err(gone) => Err(gone),
        };
        self.record.borrow_mut().hooks = Some(run);
        came
    }
}

/// Looks at a final head before the client has anything of it: whether it is dropped for another
/// attempt, or for what a hook says.
pub(super) fn look<'a>(
    exchange: &Exchange<'_>,
    client: &Client<'_>,
    (head, arrived): (&ResponseHead<'_, '_>, &Arrived),
    course: &mut Course<'_, '_>,
) -> Result<Option<Step<'a>>, Error> {
    if !exchange.record.borrow().is_judged() {
        // Of an attempt that is followed by another too.
        let call = exchange.plan.facts.grpc;
        exchange
            .record
            .borrow()
            .heed(head.status, head.fields, call);
        if let Some(wait) = course.judge(head) {
            let status = answer::grpc_status(exchange, head);
            let outcome = Outcome::answered(head.status, status);
            exchange.record.borrow_mut().came_to(outcome);
            let whole = head.keep_alive && answer::has_arrived(head, arrived);
            return Ok(Some(Step::Again { wait, whole }));
        }
    }
    if !exchange.plan.hooked.bodies_or_answer {
        return Ok(None);
    }
    match hooks::about_answer(client.conn, &mut exchange.record.borrow_mut(), head) {
        Answered::On => Ok(None),
        // What it is stands in the record.
        Answered::Instead => Err(ErrorKind::HookFailed.into()),
        Answered::Waits => Ok(Some(Step::Waits)),
    }
}
