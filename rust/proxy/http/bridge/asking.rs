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
use crate::proxy::http::hooks;
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
