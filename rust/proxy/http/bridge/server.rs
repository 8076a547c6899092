//! The upstream's side of a bridged exchange: a request goes out, heads come back.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::ResponseFuture;
use http::HeaderValue;
use http::response::Parts;

use super::sink::{Coding, Sink};
use super::source::{Http1Source, Http2Source, Source};
use crate::error::{Error, ErrorKind};
use crate::pool::http2::StreamLease;
use crate::protocol::grpc;
use crate::protocol::http1::{Framing, HeadScanner};
use crate::proxy::fill::poll_fill;
use crate::proxy::flow::Body;
use crate::proxy::http::rewrite::Heads;
use crate::proxy::http::{INTERIM_MAX, UPSTREAM_HEAD, lost};
use crate::proxy::link::Link;
use crate::runtime::buffers::{Buffer, Buffers};
use crate::tls::io::Io;

/// A head that has arrived.
pub(crate) enum Arrived {
    /// The first so many bytes of a buffer.
    Http1(Buffer, usize),
    /// What h2 has read, with the body of a final response.
    Http2(Box<Parts>, Option<RecvStream>),
}

/// Where response heads come from.
pub(crate) enum Answer<'a> {
    /// An HTTP/1 connection.
    Http1(Http1Answer<'a>),
    /// A stream, and its place on a connection.
    Http2(ResponseFuture, &'a StreamLease),
}

/// The heads of an HTTP/1 connection.
pub(crate) struct Http1Answer<'a> {
    io: &'a Io,
    buffers: &'a Buffers,
    buffer: Option<Buffer>,
    scanner: HeadScanner,
    any: bool,
}

impl Http1Answer<'_> {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrived, Error>> {
        loop {
            if let Some(arrived) = self.complete()? {
                return Poll::Ready(Ok(arrived));
            }
            let filled = poll_fill(cx, self.io, self.buffers, &mut self.buffer);
            match ready!(filled).map_err(|error| lost(error, self.any))? {
                0 => {
                    let end = std::io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Err(lost(end, self.any)));
                }
                _ => self.any = true,
            }
        }
    }

    fn complete(&mut self) -> Result<Option<Arrived>, Error> {
        let Some(buffer) = self.buffer.take().filter(|buffer| !buffer.is_empty()) else {
            return Ok(None);
        };
        let found = self.scanner.scan(&buffer, &UPSTREAM_HEAD);
        if let Some(len) = found.map_err(|_| ErrorKind::UpstreamProtocol)? {
            self.scanner = HeadScanner::default();
            return Ok(Some(Arrived::Http1(buffer, len)));
        }
        self.buffer = Some(buffer);
        Ok(None)
    }
}

impl<'a> Answer<'a> {
    /// The next head.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arrived, Error>> {
        match self {
            Self::Http1(answer) => answer.poll_head(cx),
            Self::Http2(future, lease) => {
                if let Poll::Ready(Some(interim)) = future.poll_informational(cx) {
                    let interim = interim.map_err(|error| refused(&error, lease))?;
                    let parts = Box::new(interim.into_parts().0);
                    return Poll::Ready(Ok(Arrived::Http2(parts, None)));
                }
                let response = ready!(std::pin::Pin::new(future).poll(cx));
                let response = response.map_err(|error| refused(&error, lease))?;
                let (parts, body) = response.into_parts();
                Poll::Ready(Ok(Arrived::Http2(Box::new(parts), Some(body))))
            }
        }
    }

    /// Goes on after an interim head.
    pub(crate) fn resume(&mut self, arrived: Arrived) {
        if let (Self::Http1(answer), Arrived::Http1(mut buffer, len)) = (self, arrived) {
            buffer.consume(len);
            answer.buffer = Some(buffer);
        }
    }

    /// The body behind the final head; `body` says how HTTP/1 frames it, and whether there is one.
    pub(crate) fn source(&self, body: Body, arrived: Arrived) -> Source<'a> {
        match (self, arrived) {
            (Self::Http1(answer), Arrived::Http1(mut buffer, len)) => {
                buffer.consume(len);
                let source = Http1Source::new(answer.io, answer.buffers, body, Some(buffer));
                Source::Http1(source)
            }
            (_, Arrived::Http2(_, Some(stream))) => Source::Http2(match body {
                Body::Done => Http2Source::bodiless(stream),
                _ => Http2Source::new(stream),
            }),
            _ => Source::Empty,
        }
    }
}

/// Why a stream ended without an answer. A stream that was refused, or lies above what a GOAWAY
/// names, was never processed (RFC 9113 §8.7, RT-2).
fn refused(error: &h2::Error, lease: &StreamLease) -> Error {
    if error.is_go_away() || error.is_io() {
        // Its task may still be saying so to a peer that doesn't listen.
        lease.retire();
    }
    let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM)
        || (error.is_go_away()
            && error.is_remote()
            && error.reason() == Some(h2::Reason::NO_ERROR));
    let kind = match error.reason() {
        Some(h2::Reason::PROTOCOL_ERROR | h2::Reason::FRAME_SIZE_ERROR) if error.is_library() => {
            ErrorKind::UpstreamProtocol
        }
        _ => ErrorKind::UpstreamReset,
    };
    let error = Error::from(kind);
    if refused { error.unprocessed() } else { error }
}

/// What follows a request's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced {
    /// How HTTP/1 frames it.
    pub(crate) framing: Framing,
    /// Nothing does.
    pub(crate) ends: bool,
    /// What a gRPC call still has of its time.
    pub(crate) time_left: Option<Duration>,
}

/// A request on its way.
pub(crate) struct Opened<'a> {
    /// Takes the body.
    pub(crate) sink: Sink<'a>,
    /// Gives the answer.
    pub(crate) answer: Answer<'a>,
}

/// Sends a request's head in the form that `link` wants.
///
/// # Errors
/// The connection takes no request any more: unprocessed.
pub(crate) async fn open<'a>(
    link: &'a Link,
    buffers: &'a Buffers,
    heads: &Heads,
    body: Announced,
) -> Result<Opened<'a>, Error> {
    match link {
        Link::Http1(upstream) => {
            let coding = match body.framing {
                Framing::Chunked => Coding::Chunked,
                Framing::None | Framing::Length(_) => Coding::Plain,
            };
            let head = heads.http1.clone();
            Ok(Opened {
                sink: Sink::http1(&upstream.io, head, coding),
                answer: Answer::Http1(Http1Answer {
                    io: &upstream.io,
                    buffers,
                    buffer: None,
                    scanner: HeadScanner::default(),
                    any: false,
                }),
            })
        }
        Link::Http2(lease) => {
            let request = heads.http2().ok_or(ErrorKind::UpstreamProtocol)?;
            let (answer, stream) = begin(lease, request, body).await?;
            Ok(Opened {
                sink: Sink::http2(stream, lease.watch()),
                answer: Answer::Http2(answer, lease),
            })
        }
    }
}

async fn begin(
    lease: &StreamLease,
    request: &http::Request<()>,
    body: Announced,
) -> Result<(ResponseFuture, h2::SendStream<Bytes>), Error> {
    // Nothing of the request has been sent: the connection was going away already.
    let gone = |_: h2::Error| {
        lease.retire();
        Error::from(ErrorKind::UpstreamReset).unprocessed()
    };
    if request.extensions().get::<h2::ext::Protocol>().is_some()
        && !lease.takes_extended_connect().await
    {
        return Err(ErrorKind::UpstreamProtocol.into());
    }
    let mut requests = lease.requests().ready().await.map_err(gone)?;
    let mut request = request.clone();
    if let Some(left) = body.time_left {
        let text = grpc::timeout_text(left);
        if let Ok(text) = HeaderValue::from_bytes(text.as_bytes()) {
            request.headers_mut().insert("grpc-timeout", text);
        }
    }
    requests.send_request(request, body.ends).map_err(gone)
}

/// Refuses storms of interim responses (FR-23).
#[derive(Debug, Default)]
pub(crate) struct Interims(u32);

impl Interims {
    /// Counts one.
    ///
    /// # Errors
    /// There were too many.
    pub(crate) fn count(&mut self) -> Result<(), Error> {
        self.0 += 1;
        if self.0 > INTERIM_MAX {
            return Err(ErrorKind::UpstreamProtocol.into());
        }
        Ok(())
    }
}
