//! Receiving a response's head and turning it into what the client gets.

use std::task::{Context, Poll, ready};

use super::exchange::Side;
use crate::error::{Error, ErrorKind};
use crate::protocol::edits::AnswerEdits;
use crate::protocol::head::Version;
use crate::protocol::http1::{
    ChunkMode, ChunkScanner, FieldStorage, HeadScanner, ResponseEdits, ResponseFraming,
    ResponseHead, parse_response, write_response,
};
use crate::proxy::fill::poll_fill;
use crate::proxy::flow::{Body, FlowError, Ground};
use crate::proxy::http::admit::Facts;
use crate::proxy::http::{INTERIM_MAX, UPSTREAM_HEAD, lost};
use crate::runtime::buffers::Buffer;

/// A head that has arrived.
pub(super) enum Arrived {
    /// 1xx, to be passed on.
    Interim(Vec<u8>),
    /// The answer.
    Final(Answer),
}

/// A final response, ready to be passed on.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: Vec<u8>,
    pub(super) body: Body,
    pub(super) buffer: Option<Buffer>,
    pub(super) keep_downstream: bool,
    pub(super) keep_upstream: bool,
    pub(super) switched: bool,
}

/// Reads response heads.
pub(super) struct Reader {
    facts: Facts,
    buffer: Option<Buffer>,
    scanner: HeadScanner,
    interim: u32,
    any: bool,
}

impl Reader {
    pub(super) fn new(facts: Facts) -> Self {
        Self {
            facts,
            buffer: None,
            scanner: HeadScanner::default(),
            interim: 0,
            any: false,
        }
    }

    /// Ready with the next head.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        ground: &Ground<'_>,
        side: &Side<'_>,
    ) -> Poll<Result<Arrived, Error>> {
        let io = &side.upstream.io;
        loop {
            if let Some(len) = self.complete()? {
                match self.take(len, side)? {
                    Some(arrived) => return Poll::Ready(Ok(arrived)),
                    None => continue,
                }
            }
            let filled = poll_fill(cx, io, ground.buffers, &mut self.buffer);
            match ready!(filled).map_err(|error| lost(error, self.any))? {
                0 => {
                    let end = std::io::ErrorKind::UnexpectedEof.into();
                    return Poll::Ready(Err(lost(end, self.any)));
                }
                _ => self.any = true,
            }
        }
    }

    fn complete(&mut self) -> Result<Option<usize>, Error> {
        match &self.buffer {
            Some(buffer) if !buffer.is_empty() => self
                .scanner
                .scan(buffer, &UPSTREAM_HEAD)
                .map_err(|_| ErrorKind::UpstreamProtocol.into()),
            _ => Ok(None),
        }
    }

    /// Turns the head at the buffer's front into the client's; `None` for an interim one that the
    /// client can't take.
    fn take(&mut self, len: usize, side: &Side<'_>) -> Result<Option<Arrived>, Error> {
        let protocol = || Error::from(ErrorKind::UpstreamProtocol);
        let mut buffer = self.buffer.take().ok_or_else(protocol)?;
        self.scanner = HeadScanner::default();
        let mut storage = FieldStorage::new();
        let bytes = buffer.get(..len).unwrap_or_default();
        let head = parse_response(bytes, &mut storage, &UPSTREAM_HEAD, self.facts.method)
            .map_err(|_| protocol())?;
        if head.is_interim() {
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Err(protocol());
            }
            // RFC 9110 §15.2: a 1.0 client knows no interim responses.
            let known = self.facts.version == Version::Http11;
            let out = known.then(|| self.write(&head, side, true).0);
            buffer.consume(len);
            self.buffer = (!buffer.is_empty()).then_some(buffer);
            return Ok(out.map(Arrived::Interim));
        }
        side.record.borrow().heed(head.status, head.fields, false);
        let switched = head.status == 101;
        // Before the request has ended, what follows it would be read as the new protocol.
        if switched && !(self.facts.upgrade && side.activity.uploaded.get()) {
            return Err(protocol());
        }
        let body = self.body(head.framing);
        let keep_downstream = self.facts.keep_alive
            && !self.facts.upgrade
            && !side.conn.should_close()
            && side.activity.uploaded.get();
        let (out, keep_downstream) = self.write(&head, side, keep_downstream || switched);
        let answer = Answer {
            status: head.status,
            head: out,
            keep_upstream: head.keep_alive && !matches!(body, Body::UntilEnd) && !switched,
            body: if switched { Body::Done } else { body },
            keep_downstream,
            switched,
            buffer: None,
        };
        buffer.consume(len);
        Ok(Some(Arrived::Final(Answer {
            buffer: Some(buffer),
            ..answer
        })))
    }

    fn body(&self, framing: ResponseFraming) -> Body {
        match framing {
            ResponseFraming::None => Body::Done,
            ResponseFraming::Length(length) => Body::Length(length),
            ResponseFraming::Chunked if self.facts.version == Version::Http10 => {
                Body::Chunked(Box::new(ChunkScanner::new(ChunkMode::Decode)))
            }
            ResponseFraming::Chunked => {
                Body::Chunked(Box::new(ChunkScanner::new(ChunkMode::Forward)))
            }
            ResponseFraming::UntilClose => Body::UntilEnd,
        }
    }

    /// The client's head, and whether its connection stays.
    fn write(
        &self,
        head: &ResponseHead<'_, '_>,
        side: &Side<'_>,
        keep_alive: bool,
    ) -> (Vec<u8>, bool) {
        let record = side.record.borrow();
        let mut out = side.conn.worker().take_scratch();
        let changed = !head.is_interim();
        let fields = changed.then(|| record.field_edits(head.status, head.fields));
        let fields = fields.flatten();
        let edits = ResponseEdits {
            keep_alive,
            downstream_version: self.facts.version,
            own: AnswerEdits {
                via: record.current.listener.wire.http.via.as_deref(),
                fields: fields.as_ref(),
            },
            upgrade: head.status == 101,
        };
        let stays = write_response(head, &edits, &mut out);
        (out, stays)
    }
}

/// Why copying a response's body failed.
pub(super) fn failed(error: &FlowError) -> Error {
    match error {
        FlowError::From(_) => ErrorKind::UpstreamReset.into(),
        FlowError::Framing | FlowError::TooLarge => ErrorKind::UpstreamProtocol.into(),
        FlowError::To(_) => ErrorKind::DownstreamClosed.into(),
    }
}
