//! The client's body on its way to the upstream.

use std::task::{Context, Poll};

use super::pump::Pump;
use super::replay::{Place, Replay};
use super::sink::Sink;
use super::source::Broken;
use crate::error::{Error, ErrorKind};
use crate::proxy::http::activity::Activity;

/// A request's body on its way in one attempt, or a tunnel's upward half.
pub(crate) struct Upload {
    pump: Pump<'static>,
    at: Place,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// FR-20: what the client sends after it asked for a tunnel waits until there is one.
    Held,
    Going,
    Done,
    /// The upstream takes no more; it may have said why. A reset that a write met is used up by it:
    /// reading then shows a clean end that nobody sent, and that proves nothing.
    Failed,
}

impl Upload {
    /// At its beginning.
    pub(crate) fn new(limit: u64, held: bool) -> Self {
        Self {
            pump: Pump::up(limit),
            at: Place::default(),
            state: if held { State::Held } else { State::Going },
        }
    }

    /// Goes on as far as it can.
    ///
    /// # Errors
    /// The client's faults. That the upstream takes no more is none yet: it may have answered.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (body, sink): (&mut Replay<'_, '_>, &mut Sink<'_>),
        activity: &Activity,
    ) -> Result<(), Error> {
        let polled = match self.state {
            State::Going => {
                let between = (&mut body.from(&mut self.at), sink);
                let waits = (&activity.movement, &activity.upward);
                self.pump.poll(cx, between, waits)
            }
            // The head alone is to be sent.
            State::Held => sink.poll_ready(cx).map_ok(|()| ()),
            State::Done | State::Failed => return Ok(()),
        };
        activity.received.set(body.taken());
        let waits = polled.is_pending() && self.pump.waits_for_source;
        activity.waits_for_client.set(waits);
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(())) if self.state == State::Held => activity.asked.set(true),
            Poll::Ready(Ok(())) => {
                self.state = State::Done;
                activity.uploaded.set(true);
            }
            Poll::Ready(Err(Broken::To)) => self.state = State::Failed,
            Poll::Ready(Err(Broken::From)) => return Err(ErrorKind::DownstreamClosed.into()),
            Poll::Ready(Err(Broken::Framing)) => return Err(ErrorKind::BadRequest.into()),
            Poll::Ready(Err(Broken::Hook)) => return Err(ErrorKind::HookFailed.into()),
            Poll::Ready(Err(Broken::TooLarge)) => return Err(ErrorKind::BodyTooLarge.into()),
        }
        Ok(())
    }

    /// There is nothing to send beside the head.
    pub(crate) fn complete(&mut self) {
        self.state = State::Done;
    }

    /// The tunnel is open: what was held goes on.
    pub(crate) fn release(&mut self, body: &mut Replay<'_, '_>) {
        body.become_tunnel();
        self.state = State::Going;
    }

    /// Whether all has been sent.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether nothing more will be sent.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Failed)
    }

    /// See [`State::Failed`].
    pub(crate) fn judge(&self, error: Error) -> Error {
        match self.state {
            State::Failed => error.processed(),
            _ => error,
        }
    }
}
