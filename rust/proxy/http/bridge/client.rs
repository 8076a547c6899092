//! The client's side of a bridged exchange: heads of answers go out in the client's protocol.

use std::task::{Context, Poll};

use bytes::Bytes;
use h2::server::SendResponse;

use super::grpc_web::AnswerSink;
use super::sink::{Coding, Sink};
use crate::error::{Error, ErrorKind};
use crate::pool::http2::Watch;
use crate::protocol::edits::AnswerEdits;
use crate::protocol::head::Version;
use crate::protocol::http1::{ResponseEdits, ResponseFraming, ResponseHead, write_response};
use crate::protocol::{grpc_web, http1, http2, websocket};
use crate::proxy::connection::Downstream;
use crate::proxy::http::admit::Facts;
use crate::proxy::http::http1::{CONNECTED, ClientWatch};
use crate::proxy::http::reply;

/// Who asked.
pub(crate) struct Client<'a> {
    /// Its connection.
    pub(crate) conn: &'a Downstream,
    /// What it asked for.
    pub(crate) facts: Facts,
    side: Side<'a>,
    /// Where the answer's body goes, once its head is out; `None` again where the head was all.
    pub(crate) sink: Option<Sink<'a>>,
    /// Whether an HTTP/1 connection stays after this answer.
    pub(crate) stays: bool,
    /// The answer's head is out.
    begun: bool,
}

enum Side<'a> {
    Http1(ClientWatch<'a>),
    Http2(SendResponse<Bytes>, Watch),
}

/// How an answer begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning {
    /// Whether an HTTP/1 connection may stay.
    pub(crate) keep_alive: bool,
    /// The head is all.
    pub(crate) ends: bool,
    /// Bytes of another protocol follow.
    pub(crate) tunnel: bool,
}

impl<'a> Client<'a> {
    /// A client whose connection carries this request alone.
    pub(crate) fn http1(conn: &'a Downstream, facts: Facts, watch: ClientWatch<'a>) -> Self {
        Self::new(conn, facts, Side::Http1(watch))
    }

    /// A client that asks on a stream.
    pub(crate) fn http2(
        conn: &'a Downstream,
        facts: Facts,
        (respond, watch): (SendResponse<Bytes>, Watch),
    ) -> Self {
        Self::new(conn, facts, Side::Http2(respond, watch))
    }

    fn new(conn: &'a Downstream, facts: Facts, side: Side<'a>) -> Self {
        Self {
            conn,
            facts,
            side,
            sink: None,
            stays: false,
            begun: false,
        }
    }

    /// Whether the client is gone, or wants no answer any more. On HTTP/1 only after its request
    /// has been read; on HTTP/2 only until the answer begins, from then on the sink tells.
    ///
    /// # Errors
    /// `DownstreamClosed`.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>, uploaded: bool) -> Result<(), Error> {
        match &mut self.side {
            Side::Http1(watch) if uploaded => watch.poll(cx, self.conn, false),
            Side::Http2(respond, _) if !self.begun => match respond.poll_reset(cx) {
                Poll::Ready(_) => Err(ErrorKind::DownstreamClosed.into()),
                Poll::Pending => Ok(()),
            },
            Side::Http1(_) | Side::Http2(..) => Ok(()),
        }
    }

    /// Where the answer's body goes, and what else tells of the client's end meanwhile.
    pub(crate) fn answering(&mut self) -> Option<(&mut Sink<'a>, Option<&mut ClientWatch<'a>>)> {
        let watch = match &mut self.side {
            Side::Http1(watch) => Some(watch),
            Side::Http2(..) => None,
        };
        self.sink.as_mut().map(|sink| (sink, watch))
    }

    /// Passes an interim response on; where it gives a sink, that has to be written out first. A
    /// client of HTTP/1.0 knows none.
    ///
    /// # Errors
    /// The client is gone, or the response can't be said in its protocol.
    pub(crate) fn interim(
        &mut self,
        head: &ResponseHead<'_, '_>,
        own: AnswerEdits<'_>,
    ) -> Result<Option<Sink<'a>>, Error> {
        match &mut self.side {
            Side::Http1(_) if self.facts.version == Version::Http10 => Ok(None),
            Side::Http1(_) => {
                let mut out = self.conn.worker().take_scratch();
                let edits = ResponseEdits {
                    keep_alive: true,
                    downstream_version: self.facts.version,
                    own,
                    upgrade: false,
                };
                write_response(head, &edits, &mut out);
                Ok(Some(Sink::http1(&self.conn.io, out, Coding::Plain)))
            }
            Side::Http2(respond, _) => {
                let response = http2::response::write_response(head, own)
                    .map_err(|_| ErrorKind::UpstreamProtocol)?;
                respond
                    .send_informational(response)
                    .map_err(|_| ErrorKind::DownstreamClosed)?;
                Ok(None)
            }
        }
    }

    /// Begins the answer.
    ///
    /// # Errors
    /// The client is gone, or the response can't be said in its protocol.
    pub(crate) fn begin(
        &mut self,
        head: &ResponseHead<'_, '_>,
        own: AnswerEdits<'_>,
        how: Beginning,
    ) -> Result<(), Error> {
        match &mut self.side {
            Side::Http1(_) => {
                let mut out = self.conn.worker().take_scratch();
                let edits = ResponseEdits {
                    keep_alive: how.keep_alive || how.tunnel,
                    downstream_version: self.facts.version,
                    own,
                    upgrade: head.status == 101,
                };
                self.stays = write_response(head, &edits, &mut out) && !how.tunnel;
                let coding = match head.framing_for(self.facts.version) {
                    _ if how.tunnel => Coding::Tunnel,
                    ResponseFraming::Chunked => Coding::Chunked,
                    _ => Coding::Plain,
                };
                self.sink = Some(Sink::http1(&self.conn.io, out, coding));
                Ok(())
            }
            Side::Http2(..) => {
                let response = http2::response::write_response(head, own)
                    .map_err(|_| ErrorKind::UpstreamProtocol)?;
                self.send(response, how.ends)
            }
        }
    }

    /// What follows the head that began is a gRPC answer; `told` where its status stood there.
    pub(crate) fn answers_call(&mut self, form: grpc_web::Form, told: bool) {
        let sink = self.sink.take();
        let wrapped = sink.map(|sink| Box::new(AnswerSink::new(sink, form, told)));
        self.sink = wrapped.map(Sink::GrpcWeb);
    }

    /// Ends a gRPC call whose answer has begun by the status that stands for `kind`; `false` where
    /// there is no way to tell it.
    pub(crate) fn end_call(&mut self, kind: ErrorKind) -> bool {
        let Some(sink) = self.sink.as_mut().filter(|_| self.facts.grpc) else {
            return false;
        };
        // To the rest of an answer that isn't bridged trailers would give the look of a whole.
        let bridged = matches!(sink, Sink::GrpcWeb(_));
        bridged == self.facts.grpc_web.is_some() && sink.end_with(reply::grpc_trailers(kind))
    }

    /// Tells the client that the other protocol begins, which the upstream said in another way:
    /// 101 of HTTP/1 for 200 of HTTP/2, and the reverse (RFC 8441 §5).
    ///
    /// # Errors
    /// The client is gone, or had no key to answer.
    pub(crate) fn switch(
        &mut self,
        head: &ResponseHead<'_, '_>,
        own: AnswerEdits<'_>,
        key: Option<&[u8]>,
    ) -> Result<(), Error> {
        match &mut self.side {
            Side::Http1(_) => {
                let accept = key.and_then(websocket::accept_key);
                let accept = accept.ok_or(ErrorKind::UpstreamProtocol)?;
                let mut out = self.conn.worker().take_scratch();
                http1::write_switch(head, &accept, own, &mut out);
                self.sink = Some(Sink::http1(&self.conn.io, out, Coding::Tunnel));
                Ok(())
            }
            Side::Http2(..) => {
                let response = http2::response::write_tunnel(head, own)
                    .map_err(|_| ErrorKind::UpstreamProtocol)?;
                self.send(response, false)
            }
        }
    }

    /// Tells the client of a CONNECT that its tunnel is open; any 2xx does, and has no body
    /// (RFC 9110 §9.3.6).
    ///
    /// # Errors
    /// The client is gone.
    pub(crate) fn connected(&mut self) -> Result<(), Error> {
        match &mut self.side {
            Side::Http1(_) => {
                let out = CONNECTED.to_vec();
                self.sink = Some(Sink::http1(&self.conn.io, out, Coding::Tunnel));
                Ok(())
            }
            Side::Http2(..) => self.send(http::Response::new(()), false),
        }
    }

    fn send(&mut self, response: http::Response<()>, ends: bool) -> Result<(), Error> {
        let Side::Http2(respond, watch) = &mut self.side else {
            return Ok(());
        };
        let stream = respond
            .send_response(response, ends)
            .map_err(|_| ErrorKind::DownstreamClosed)?;
        self.begun = true;
        self.sink = (!ends).then(|| Sink::http2(stream, watch.clone()));
        Ok(())
    }

    /// What answers a stream that nothing has been sent on; `None` on HTTP/1.
    pub(crate) fn respond(&mut self) -> Option<&mut SendResponse<Bytes>> {
        match &mut self.side {
            Side::Http1(_) => None,
            Side::Http2(respond, _) => Some(respond),
        }
    }

    /// Whether it asks on a stream.
    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.side, Side::Http2(..))
    }
}
