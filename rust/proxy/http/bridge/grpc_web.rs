//! gRPC-Web over a bridge: a request's body on its way to gRPC, an answer's on its way back.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;

use super::pump::Pieces;
use super::sink::Sink;
use super::source::{Broken, Piece, Source};
use crate::protocol::grpc_web::{self, Form, Messages, TextReader};
use crate::protocol::head::Field;

/// A request's body as gRPC has it.
///
/// Its messages are followed: a body that was cut, or never was one, fails here with a reason instead
/// of in whatever way the upstream has.
pub(crate) struct CallSource<'a> {
    inner: Source<'a>,
    text: Option<TextReader>,
    messages: Messages,
}

impl<'a> CallSource<'a> {
    /// Reads from `inner` what has this form.
    pub(crate) fn new(inner: Source<'a>, form: Form) -> Self {
        Self {
            inner,
            text: (form == Form::Text).then(TextReader::default),
            messages: Messages::default(),
        }
    }

    /// As [`Source::poll_piece`].
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        loop {
            let (bytes, last) = match ready!(self.inner.poll_piece(cx))? {
                Piece::Data(bytes, last) => (self.read(bytes)?, last),
                // gRPC knows no trailers of a request.
                Piece::Trailers(_) | Piece::End => (Bytes::new(), true),
            };
            if last && !self.is_whole() {
                return Poll::Ready(Err(Broken::Framing));
            }
            if last || !bytes.is_empty() {
                return Poll::Ready(Ok(Piece::Data(bytes, last)));
            }
        }
    }

    fn read(&mut self, bytes: Bytes) -> Result<Bytes, Broken> {
        let bytes = match &mut self.text {
            Some(text) => Bytes::from(text.read(&bytes).map_err(|_| Broken::Framing)?),
            None => bytes,
        };
        let followed = self.messages.follow(&bytes);
        followed.map_err(|_| Broken::Framing)?;
        Ok(bytes)
    }

    fn is_whole(&self) -> bool {
        self.messages.is_whole() && self.text.as_ref().is_none_or(TextReader::is_whole)
    }

    /// The body as it came.
    pub(crate) fn into_inner(self) -> Source<'a> {
        self.inner
    }
}

/// Takes a gRPC answer's body and passes on gRPC-Web's.
pub(crate) struct AnswerSink<'a> {
    inner: Sink<'a>,
    form: Form,
    messages: Messages,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The status is still to come.
    Going,
    /// The head had the status already.
    Told,
    /// The answer ended without one.
    Lacking,
    /// No gRPC, or cut within a message.
    Broken,
    /// Passed on whole.
    Ended,
}

impl<'a> AnswerSink<'a> {
    /// Behind a head that is out; `told` where that had the status.
    pub(crate) fn new(inner: Sink<'a>, form: Form, told: bool) -> Self {
        Self {
            inner,
            form,
            messages: Messages::default(),
            state: if told { State::Told } else { State::Going },
        }
    }

    /// As [`Sink::put`].
    pub(crate) fn put(&mut self, piece: Piece) {
        match piece {
            Piece::Data(bytes, last) => {
                if self.messages.follow(&bytes).is_err() {
                    self.state = State::Broken;
                    return;
                }
                let ends = last && self.close();
                let bytes = self.coded(bytes);
                self.inner.put(Piece::Data(bytes, ends));
            }
            Piece::Trailers(fields) if self.messages.is_whole() => {
                let frame = self.trailers(&fields);
                self.inner.put(Piece::Data(frame, true));
                self.state = State::Ended;
            }
            // The frame would be read as the rest of a message.
            Piece::Trailers(_) => self.state = State::Broken,
            Piece::End if self.close() => self.inner.put(Piece::End),
            Piece::End => {}
        }
    }

    /// The upstream has ended without trailers; whether the client's answer ends as well.
    fn close(&mut self) -> bool {
        self.state = match self.state {
            _ if !self.messages.is_whole() => State::Broken,
            State::Told => State::Ended,
            _ => State::Lacking,
        };
        self.state == State::Ended
    }

    fn trailers(&self, fields: &HeaderMap) -> Bytes {
        self.coded(Bytes::from(grpc_web::trailers_frame(fields)))
    }

    fn coded(&self, bytes: Bytes) -> Bytes {
        match self.form {
            Form::Binary => bytes,
            Form::Text => Bytes::from(grpc_web::text(&bytes)),
        }
    }

    /// As [`Sink::poll_ready`]; fails behind an answer that was none of gRPC.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        ready!(self.inner.poll_ready(cx))?;
        Poll::Ready(match self.state {
            State::Lacking | State::Broken => Err(Broken::Framing),
            State::Going | State::Told | State::Ended => Ok(()),
        })
    }

    /// As [`Sink::has_moved`].
    pub(crate) fn has_moved(&mut self) -> Option<bool> {
        self.inner.has_moved()
    }

    /// As [`Sink::poll_reset`].
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        self.inner.poll_reset(cx)
    }

    /// As [`Sink::end_with`]. It can't be where a message was begun, or waits for the client to read.
    pub(crate) fn end_with(&mut self, fields: &HeaderMap) -> bool {
        if !self.messages.is_whole() || self.holds() {
            return false;
        }
        if matches!(self.state, State::Broken | State::Ended) {
            return false;
        }
        self.state = State::Ended;
        let frame = self.trailers(fields);
        self.inner.end_behind(frame)
    }

    /// As [`Sink::holds`].
    pub(crate) fn holds(&self) -> bool {
        self.inner.holds()
    }

    /// As [`Sink::cut`].
    pub(crate) fn cut(&mut self, reason: h2::Reason) {
        self.inner.cut(reason);
    }
}

/// The fields of a gRPC answer's head as gRPC-Web has them.
pub(crate) fn retyped<'b>(fields: &[Field<'b>], content_type: &'b [u8]) -> Vec<Field<'b>> {
    let mut fields = fields.to_vec();
    for field in &mut fields {
        if field.name.eq_ignore_ascii_case("content-type") {
            field.value = content_type;
        }
    }
    fields
}
