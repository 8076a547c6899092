//! How long one attempt may take until it is answered.

use std::task::Context;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::proxy::http::activity::Activity;
use crate::runtime::clock;
use crate::runtime::timer::Timer;

/// The time of one try.
pub(super) struct Patience {
    timer: Timer,
    limit: Duration,
    due: Option<Instant>,
}

impl Patience {
    /// With so much time.
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            timer: Timer::default(),
            limit,
            due: None,
        }
    }

    /// Finds a connection within the time.
    ///
    /// # Errors
    /// What `opening` says, or `PerTryTimeout`.
    pub(super) async fn connecting<T>(
        &self,
        opening: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let deadline = Some(clock::now() + self.limit);
        let opened = self.timer.until(deadline, opening).await;
        opened.unwrap_or_else(|_| Err(ErrorKind::PerTryTimeout.into()))
    }

    /// Looks whether the time is up. It begins anew once the request is sent whole: how long the client
    /// takes for that is not the endpoint's fault.
    ///
    /// # Errors
    /// `PerTryTimeout`.
    pub(super) fn poll(
        patience: Option<&mut Self>,
        cx: &mut Context<'_>,
        activity: &Activity,
    ) -> Result<(), Error> {
        let Some(this) = patience else {
            return Ok(());
        };
        if !(activity.uploaded.get() || activity.asked.get()) {
            return Ok(());
        }
        let due = *this.due.get_or_insert_with(|| clock::now() + this.limit);
        if this.timer.poll_expired(cx, due).is_ready() {
            return Err(ErrorKind::PerTryTimeout.into());
        }
        Ok(())
    }
}
