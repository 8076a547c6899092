//! Where a body goes to; takes one piece at a time and has room again once it is passed on.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;

use super::grpc_web::AnswerSink;
use super::source::{Broken, Piece};
use crate::pool::http2::Watch;
use crate::protocol::http2::trailers;
use crate::proxy::http::stall::FLOOR_BYTES;
use crate::tls::io::Io;

/// Where a body goes to.
pub(crate) enum Sink<'a> {
    /// An HTTP/1 connection.
    Http1(Http1Sink<'a>),
    /// A stream.
    Http2(Http2Sink),
    /// Either of them, to a client that speaks gRPC-Web.
    GrpcWeb(Box<AnswerSink<'a>>),
}

/// How a body stands on an HTTP/1 connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// As it is: its length is known, or the connection's end is its end.
    Plain,
    /// In chunks.
    Chunked,
    /// As it is, and its end is passed on as the end of our direction.
    Tunnel,
}

impl<'a> Sink<'a> {
    /// An HTTP/1 connection on which `head` comes first.
    pub(crate) fn http1(io: &'a Io, head: Vec<u8>, coding: Coding) -> Self {
        Self::Http1(Http1Sink {
            io,
            coding,
            out: head,
            sent: 0,
            payload: Bytes::new(),
            ended: false,
        })
    }

    /// A stream whose head has been sent; `watch` knows its connection.
    pub(crate) fn http2(stream: SendStream<Bytes>, watch: Watch) -> Self {
        Self::Http2(Http2Sink {
            stream,
            watch,
            passed: 0,
            written: 0,
            payload: Bytes::new(),
            last: false,
            trailers: None,
        })
    }

    /// Everything that follows is another protocol's, and so is its end.
    pub(crate) fn become_tunnel(&mut self) {
        if let Self::Http1(sink) = self {
            sink.coding = Coding::Tunnel;
        }
    }

    /// Takes a piece; only after [`Self::poll_ready`] was ready, or as the first.
    pub(crate) fn put(&mut self, piece: Piece) {
        match self {
            Self::Http1(sink) => sink.put(piece),
            Self::Http2(sink) => sink.put(piece),
            Self::GrpcWeb(sink) => sink.put(piece),
        }
    }

    /// Ready when everything taken has been passed on.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        match self {
            Self::Http1(sink) => sink.poll_ready(cx),
            Self::Http2(sink) => sink.poll_ready(cx),
            Self::GrpcWeb(sink) => sink.poll_ready(cx),
        }
    }

    /// Whether the receiver of a stream that waits has taken enough to be waited for anew; `None` where
    /// TCP alone says who waits.
    pub(crate) fn has_moved(&mut self) -> Option<bool> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(sink) => Some(sink.has_moved()),
            Self::GrpcWeb(sink) => sink.has_moved(),
        }
    }

    /// Notices that the receiver has reset a stream to which nothing is sent now.
    pub(crate) fn poll_reset(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        match self {
            Self::Http1(_) => Poll::Pending,
            Self::Http2(sink) => {
                let _ = ready!(sink.stream.poll_reset(cx));
                Poll::Ready(Broken::To)
            }
            Self::GrpcWeb(sink) => sink.poll_reset(cx),
        }
    }

    /// Ends a stream by trailers, whatever was still to come; `false` where that can't be. What it
    /// gives to an HTTP/1 connection has to be written out.
    pub(crate) fn end_with(&mut self, fields: HeaderMap) -> bool {
        match self {
            Self::Http1(_) => false,
            Self::Http2(sink) => sink.stream.send_trailers(fields).is_ok(),
            Self::GrpcWeb(sink) => sink.end_with(&fields),
        }
    }

    /// Ends a body by these last bytes; it must not hold others. See [`Self::end_with`].
    pub(crate) fn end_behind(&mut self, bytes: Bytes) -> bool {
        if let Self::Http2(sink) = self {
            return sink.stream.send_data(bytes, true).is_ok();
        }
        self.put(Piece::Data(bytes, true));
        true
    }

    /// Whether it holds bytes that wait for the receiver, and that nothing may be put behind.
    pub(crate) fn holds(&self) -> bool {
        match self {
            Self::Http1(sink) => !sink.payload.is_empty(),
            Self::Http2(sink) => !sink.payload.is_empty(),
            Self::GrpcWeb(sink) => sink.holds(),
        }
    }

    /// Cuts the message, so that it can't look complete.
    pub(crate) fn cut(&mut self, reason: Reason) {
        match self {
            Self::Http1(sink) => sink.io.socket().reset_on_close(),
            Self::Http2(sink) => sink.stream.send_reset(reason),
            Self::GrpcWeb(sink) => sink.cut(reason),
        }
    }
}

/// A body on an HTTP/1 connection.
pub(crate) struct Http1Sink<'a> {
    io: &'a Io,
    coding: Coding,
    /// A head, or framing with small payload.
    out: Vec<u8>,
    /// How much of `out` and `payload` is written.
    sent: usize,
    payload: Bytes,
    ended: bool,
}

impl Http1Sink<'_> {
    fn put(&mut self, piece: Piece) {
        let chunked = self.coding == Coding::Chunked;
        match piece {
            Piece::Data(bytes, last) => {
                if chunked && !bytes.is_empty() {
                    self.chunk(&bytes);
                } else if !chunked {
                    self.payload = bytes;
                }
                if last {
                    self.end(None);
                }
            }
            Piece::Trailers(fields) => self.end(Some(&fields)),
            Piece::End => self.end(None),
        }
    }

    /// Copied, so that a chunk with its framing is one write and arrives as one.
    fn chunk(&mut self, bytes: &Bytes) {
        self.out
            .extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    fn end(&mut self, fields: Option<&HeaderMap>) {
        self.ended = true;
        if self.coding == Coding::Chunked {
            self.out.extend_from_slice(b"0\r\n");
            if let Some(fields) = fields {
                trailers::write_trailers(fields, &mut self.out);
            }
            self.out.extend_from_slice(b"\r\n");
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let to = |_| Broken::To;
        while self.sent < self.out.len() + self.payload.len() {
            let head = self.out.get(self.sent..).unwrap_or_default();
            let begun = self.sent.saturating_sub(self.out.len());
            let body = self.payload.get(begun..).unwrap_or_default();
            let n = ready!(self.io.poll_write(cx, head, body)).map_err(to)?;
            if n == 0 {
                return Poll::Ready(Err(Broken::To));
            }
            self.sent += n;
        }
        self.out.clear();
        self.payload.clear();
        self.sent = 0;
        ready!(self.io.poll_flush(cx)).map_err(to)?;
        if self.ended && self.coding == Coding::Tunnel {
            self.coding = Coding::Plain;
            return self.io.poll_shutdown(cx).map_err(to);
        }
        Poll::Ready(Ok(()))
    }
}

/// A stream's body.
pub(crate) struct Http2Sink {
    stream: SendStream<Bytes>,
    watch: Watch,
    /// Bytes let through since the wait for the receiver began.
    passed: u32,
    /// What its connection had written then; the low half of the number tells as much.
    written: u32,
    payload: Bytes,
    /// The stream ends with what is pending.
    last: bool,
    trailers: Option<Box<HeaderMap>>,
}

impl Http2Sink {
    fn put(&mut self, piece: Piece) {
        match piece {
            Piece::Data(bytes, last) => {
                self.payload = bytes;
                self.last = last;
            }
            Piece::Trailers(fields) => self.trailers = Some(fields),
            Piece::End => self.last = true,
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let to = |_| Broken::To;
        while !self.payload.is_empty() {
            self.stream.reserve_capacity(self.payload.len());
            // Waiting tells of new capacity only, never of what is there.
            let mut room = self.stream.capacity();
            if room == 0 {
                room = match ready!(self.stream.poll_capacity(cx)) {
                    Some(room) => room.map_err(to)?,
                    None => return Poll::Ready(Err(Broken::To)),
                };
            }
            let part = self.payload.split_to(room.min(self.payload.len()));
            self.passed = self.passed.saturating_add(low(part.len() as u64));
            if !part.is_empty() {
                let last = self.last && self.payload.is_empty();
                self.last &= !last;
                self.stream.send_data(part, last).map_err(to)?;
            }
        }
        if let Some(fields) = self.trailers.take() {
            self.stream.send_trailers(*fields).map_err(to)?;
        }
        if std::mem::take(&mut self.last) {
            self.stream.send_data(Bytes::new(), true).map_err(to)?;
        }
        self.passed = 0;
        Poll::Ready(Ok(()))
    }

    /// A connection that moves and has more to write than it can is slow, not its streams: they
    /// wait for their turn.
    fn has_moved(&mut self) -> bool {
        let written = self.watch.written_while_held().map_or(self.written, low);
        let turn = written.wrapping_sub(self.written) >= FLOOR_BYTES;
        let moved = turn || self.passed >= FLOOR_BYTES;
        if moved {
            self.passed = 0;
            self.written = written;
        }
        moved
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "differences alone count, and wrap"
)]
const fn low(bytes: u64) -> u32 {
    bytes as u32
}
