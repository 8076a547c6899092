//! One direction of a bridged exchange: pieces from a source to a sink, at the pace of the slower.
//!
//! A piece is asked for only when the one before has been passed on, so a body holds one piece of
//! ours at a time: a read's worth from HTTP/1, a frame's from HTTP/2, whose window is given back
//! with the next look. What h2 holds for a sink is bounded by `pool::http2::SEND_BUFFER_BYTES`.

use std::task::{Context, Poll, ready};

use super::sink::Sink;
use super::source::{Broken, Piece};
use crate::protocol::grpc;
use crate::proxy::http::stall::Stall;
use crate::proxy::link::Link;
use crate::runtime::timer::Movement;

/// Gives a body in pieces.
pub(crate) trait Pieces {
    /// The next part. What it gave before has been passed on whole: its room is given back.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>>;
}

/// One direction of a copy.
#[derive(Debug)]
pub(crate) struct Pump<'a> {
    limit: u64,
    /// Comes to rest once all is read, before the reader of the last piece can know of it: its
    /// place under a limit may be wanted by what that reader asks next.
    rests: Option<&'a Link>,
    moved: u64,
    last: bool,
    /// Nothing was asked for yet: a head may wait for the first bytes of its body.
    fresh: bool,
    /// It waited for its source, not its sink, when it was last polled.
    pub(crate) waits_for_source: bool,
    /// `grpc-status` among the trailers.
    pub(crate) grpc_status: Option<u32>,
}

impl<'a> Pump<'a> {
    /// At the beginning of a request's body; more than `limit` bytes are refused.
    pub(crate) fn up(limit: u64) -> Self {
        Self::new(limit, None)
    }

    /// At the beginning of an answer's body; with it `rests` comes to its end.
    pub(crate) fn down(rests: Option<&'a Link>) -> Self {
        Self::new(u64::MAX, rests)
    }

    fn new(limit: u64, rests: Option<&'a Link>) -> Self {
        Self {
            limit,
            rests,
            moved: 0,
            last: false,
            fresh: true,
            waits_for_source: false,
            grpc_status: None,
        }
    }

    /// Body bytes taken so far.
    pub(crate) fn moved(&self) -> u64 {
        self.moved
    }

    /// Goes on; ready when the whole body has been passed on.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (source, sink): (&mut impl Pieces, &mut Sink<'_>),
        (movement, stall): (&Movement, &Stall),
    ) -> Poll<Result<(), Broken>> {
        loop {
            self.waits_for_source = false;
            if !self.fresh {
                let polled = sink.poll_ready(cx);
                match polled {
                    Poll::Ready(_) => stall.over(),
                    Poll::Pending => sink.has_moved().into_iter().for_each(|it| stall.wait(it)),
                }
                ready!(polled)?;
            }
            if self.last {
                return Poll::Ready(Ok(()));
            }
            self.waits_for_source = true;
            let polled = source.poll_piece(cx);
            if std::mem::take(&mut self.fresh) && polled.is_pending() {
                continue;
            }
            let Poll::Ready(piece) = polled else {
                return match sink.poll_reset(cx) {
                    Poll::Ready(reset) => Poll::Ready(Err(reset)),
                    Poll::Pending => Poll::Pending,
                };
            };
            let piece = piece?;
            self.note(&piece)?;
            movement.mark();
            if let (true, Some(link)) = (self.last, self.rests) {
                link.rest();
            }
            sink.put(piece);
        }
    }

    fn note(&mut self, piece: &Piece) -> Result<(), Broken> {
        match piece {
            Piece::Data(bytes, last) => {
                self.moved += bytes.len() as u64;
                self.last = *last;
                if self.moved > self.limit {
                    return Err(Broken::TooLarge);
                }
            }
            Piece::Trailers(fields) => {
                let status = fields.get("grpc-status");
                self.grpc_status = status.and_then(|status| grpc::parse_status(status.as_bytes()));
                self.last = true;
            }
            Piece::End => self.last = true,
        }
        Ok(())
    }
}
