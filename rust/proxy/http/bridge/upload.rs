//! The client's body on its way to the upstream.

use std::task::{Context, Poll};

use super::pump::Pump;
use super::sink::Sink;
use super::source::{Broken, Source};
use crate::error::{Error, ErrorKind};
use crate::proxy::http::activity::Activity;

/// A request's body, or a tunnel's upward half.
pub(crate) struct Upload<'a, 's> {
    pump: Pump<'static>,
    source: &'a mut Source<'s>,
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

impl<'a, 's> Upload<'a, 's> {
    /// At its beginning.
    pub(crate) fn new(source: &'a mut Source<'s>, limit: u64, held: bool) -> Self {
        Self {
            pump: Pump::up(limit),
            source,
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
        sink: &mut Sink<'_>,
        activity: &Activity,
    ) -> Result<(), Error> {
        let polled = match self.state {
            State::Going => {
                let between = (&mut *self.source, sink);
                let waits = (&activity.movement, &activity.upward);
                self.pump.poll(cx, between, waits)
            }
            // The head alone is to be sent.
            State::Held => sink.poll_ready(cx).map_ok(|()| ()),
            State::Done | State::Failed => return Ok(()),
        };
        activity.received.set(self.pump.moved());
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
            Poll::Ready(Err(Broken::TooLarge)) => return Err(ErrorKind::BodyTooLarge.into()),
        }
        Ok(())
    }

    /// Whether nothing follows the head of a request without a body: over HTTP/2 trailers still may.
    pub(crate) fn is_head_alone(&self) -> bool {
        match &self.source {
            Source::Http2(source) => source.has_ended(),
            Source::Http1(_) | Source::Empty => true,
            Source::GrpcWeb(_) => false,
        }
    }

    /// There is nothing to send beside the head.
    pub(crate) fn complete(&mut self) {
        self.state = State::Done;
    }

    /// The tunnel is open: what was held goes on.
    pub(crate) fn release(&mut self) {
        self.source.become_tunnel();
        self.state = State::Going;
    }

    /// Whether anything of the body has been taken from the client.
    pub(crate) fn has_taken(&self) -> bool {
        self.pump.has_taken()
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
