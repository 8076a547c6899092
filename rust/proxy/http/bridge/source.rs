//! Where a body comes from, as pieces that either writer takes.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;

use super::begun::Begun;
use super::grpc_web::CallSource;
use super::pump::Pieces;
use crate::protocol::grpc_web;
use crate::protocol::http1::ChunkMode;
use crate::protocol::http1::chunked::ChunkScanner;
use crate::protocol::http1::{Framing, ResponseFraming};
use crate::protocol::http2::trailers;
use crate::proxy::fill::poll_fill;
use crate::proxy::flow::Body;
use crate::proxy::http::hooks::Hooked;
use crate::runtime::buffers::{Buffer, Buffers};
use crate::tls::io::Io;

/// A part of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Bytes, and whether nothing follows them.
    Data(Bytes, bool),
    /// Trailers; nothing follows them.
    Trailers(Box<HeaderMap>),
    /// Nothing follows.
    End,
}

/// Why a body came to no end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Its sender is gone, or has reset it.
    From,
    /// Its receiver is gone, or has reset it.
    To,
    /// Its framing is wrong.
    Framing,
    /// More bytes than allowed.
    TooLarge,
    /// A hook lets no more of it pass.
    Hook,
}

/// Where a body comes from.
pub(crate) enum Source<'a> {
    /// An HTTP/1 connection.
    Http1(Http1Source<'a>),
    /// A stream.
    Http2(Http2Source),
    /// Either of them, past filters.
    Hooked(Box<Hooked<'a>>),
    /// Either of them, of which a part was read before.
    Begun(Box<Begun<'a>>),
    /// Either of them, from a client that speaks gRPC-Web.
    GrpcWeb(Box<CallSource<'a>>),
    /// There is none.
    Empty,
}

impl Source<'_> {
    /// The same as gRPC has it, where the client's `call` is bridged.
    pub(crate) fn called(self, call: Option<grpc_web::Call>) -> Self {
        match call {
            Some(call) => Self::GrpcWeb(Box::new(CallSource::new(self, call.sends))),
            None => self,
        }
    }

    /// What its sender sends, whatever becomes of it.
    pub(crate) fn raw(self) -> Self {
        match self {
            Self::GrpcWeb(source) => source.into_inner().raw(),
            Self::Hooked(source) => source.into_inner().raw(),
            source => source,
        }
    }

    /// Everything that follows is another protocol's.
    pub(crate) fn become_tunnel(&mut self) {
        match self {
            Self::Http1(source) => source.body = Body::UntilEnd,
            Self::Hooked(source) => source.inner_mut().become_tunnel(),
            _ => {}
        }
    }

    /// What was read beyond the body's end.
    pub(crate) fn finish(self) -> Option<Buffer> {
        match self.raw() {
            Self::Http1(source) => source.buffer.filter(|buffer| !buffer.is_empty()),
            Self::Begun(source) => source.into_inner().finish(),
            Self::Http2(_) | Self::Hooked(_) | Self::GrpcWeb(_) | Self::Empty => None,
        }
    }
}

impl Pieces for Source<'_> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        match self {
            Self::Http1(source) => source.poll_piece(cx),
            Self::Http2(source) => source.poll_piece(cx),
            Self::Hooked(source) => source.poll_piece(cx),
            Self::Begun(source) => source.poll_piece(cx),
            Self::GrpcWeb(source) => source.poll_piece(cx),
            Self::Empty => Poll::Ready(Ok(Piece::End)),
        }
    }
}

/// A stream's body.
pub(crate) struct Http2Source {
    stream: RecvStream,
    /// Bytes given out whose window the sender doesn't have back yet.
    held: usize,
    data_ended: bool,
    /// No DATA has a place here.
    bodiless: bool,
}

impl Http2Source {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self {
            stream,
            held: 0,
            data_ended: false,
            bodiless: false,
        }
    }

    /// Behind a head that no body can follow, such as a 204's. h2 lets DATA come there; on an HTTP/1
    /// connection it would be read as the next response (FR-23).
    pub(crate) fn bodiless(stream: RecvStream) -> Self {
        Self {
            bodiless: true,
            ..Self::new(stream)
        }
    }

    /// Whether all of the stream has been taken.
    pub(crate) fn has_ended(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        if self.held > 0 {
            // Fails only on a stream that has ended, which needs no window.
            let _ = self.stream.flow_control().release_capacity(self.held);
            self.held = 0;
        }
        let from = |_| Broken::From;
        if !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(bytes)) if self.bodiless && !bytes.is_empty() => {
                    return Poll::Ready(Err(Broken::Framing));
                }
                Some(Ok(bytes)) => {
                    self.held = bytes.len();
                    let last = self.stream.is_end_stream();
                    return Poll::Ready(Ok(Piece::Data(bytes, last)));
                }
                Some(Err(error)) => return Poll::Ready(Err(from(error))),
                None => self.data_ended = true,
            }
        }
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(from)?;
        Poll::Ready(Ok(match trailers {
            Some(mut fields) => {
                trailers::passing_trailers(&mut fields).map_err(|_| Broken::Framing)?;
                Piece::Trailers(Box::new(fields))
            }
            None => Piece::End,
        }))
    }
}

/// A body on an HTTP/1 connection, without its framing.
pub(crate) struct Http1Source<'a> {
    io: &'a Io,
    buffers: &'a Buffers,
    body: Body,
    buffer: Option<Buffer>,
    /// Lines of a chunked body's end.
    trailers: Vec<u8>,
}

impl<'a> Http1Source<'a> {
    /// Reads from `io`; `buffer` holds what has been read already.
    pub(crate) fn new(
        io: &'a Io,
        buffers: &'a Buffers,
        body: Body,
        buffer: Option<Buffer>,
    ) -> Self {
        Self {
            io,
            buffers,
            body,
            buffer: buffer.filter(|buffer| !buffer.is_empty()),
            trailers: Vec::new(),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        loop {
            if let Some(piece) = self.take()? {
                return Poll::Ready(Ok(piece));
            }
            let filled = poll_fill(cx, self.io, self.buffers, &mut self.buffer);
            match ready!(filled).map_err(|_| Broken::From)? {
                0 if matches!(self.body, Body::UntilEnd) => self.body = Body::Done,
                0 => return Poll::Ready(Err(Broken::From)),
                _ => {}
            }
        }
    }

    /// What the buffer's front is; `None` where more has to be read first.
    fn take(&mut self) -> Result<Option<Piece>, Broken> {
        if let Body::Done | Body::Length(0) = self.body {
            self.body = Body::Done;
            return self.end().map(Some);
        }
        let Some(buffer) = &mut self.buffer else {
            return Ok(None);
        };
        let (payload, consumed) = match &mut self.body {
            Body::Done => (0, 0),
            Body::UntilEnd => (buffer.len(), buffer.len()),
            Body::Length(left) => {
                let take = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                *left -= take as u64;
                (take, take)
            }
            Body::Chunked(scanner) => {
                let scanned = scanner.scan(buffer).map_err(|_| Broken::Framing)?;
                let payload = scanned.kept - scanned.trailers;
                let lines = buffer.get(payload..scanned.kept).unwrap_or_default();
                self.trailers.extend_from_slice(lines);
                if scanned.done {
                    self.body = Body::Done;
                }
                (payload, scanned.consumed)
            }
        };
        let bytes = Bytes::copy_from_slice(buffer.get(..payload).unwrap_or_default());
        buffer.consume(consumed);
        if buffer.is_empty() {
            self.buffer = None;
        }
        let ended = matches!(self.body, Body::Done | Body::Length(0));
        if bytes.is_empty() {
            return if ended {
                self.end().map(Some)
            } else {
                Ok(None)
            };
        }
        Ok(Some(Piece::Data(bytes, ended && self.trailers.is_empty())))
    }

    fn end(&mut self) -> Result<Piece, Broken> {
        if self.trailers.is_empty() {
            return Ok(Piece::End);
        }
        let lines = std::mem::take(&mut self.trailers);
        let fields = trailers::parse_trailers(&lines).map_err(|_| Broken::Framing)?;
        Ok(Piece::Trailers(Box::new(fields)))
    }
}

/// A request's body on an HTTP/1 connection.
pub(crate) fn request_body(framing: Framing) -> Body {
    match framing {
        Framing::None => Body::Done,
        Framing::Length(length) => Body::Length(length),
        Framing::Chunked => Body::Chunked(Box::new(ChunkScanner::new(ChunkMode::Split))),
    }
}

/// A response's body on an HTTP/1 connection.
pub(crate) fn response_body(framing: ResponseFraming) -> Body {
    match framing {
        ResponseFraming::None => Body::Done,
        ResponseFraming::Length(length) => Body::Length(length),
        ResponseFraming::Chunked => Body::Chunked(Box::new(ChunkScanner::new(ChunkMode::Split))),
        ResponseFraming::UntilClose => Body::UntilEnd,
    }
}
