//! A request's body as attempts read it: each from its beginning, as long as all of it is kept.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;

use super::pump::Pieces;
use super::source::{Broken, Piece, Source};

/// Bytes of one piece that is given once more: a frame's worth.
const PIECE_BYTES: usize = 16 * 1024;

/// A body that is kept while it is read.
pub(crate) struct Replay<'a, 's> {
    source: &'a mut Source<'s>,
    kept: Vec<u8>,
    /// How it ended.
    end: Option<End>,
    /// Bytes that may be kept; with 0 nothing is, and a body that has begun can't begin again.
    limit: usize,
    /// Body bytes taken from the client.
    taken: u64,
    /// Anything of the body was taken.
    begun: bool,
    /// All that was taken is kept.
    whole: bool,
}

enum End {
    Plain,
    Trailers(Box<HeaderMap>),
}

/// Where an attempt is in the body.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place(usize);

/// A body from an attempt's place on.
pub(crate) struct Reading<'r, 'a, 's> {
    body: &'r mut Replay<'a, 's>,
    at: &'r mut Place,
}

impl<'a, 's> Replay<'a, 's> {
    /// At its beginning, keeping so many bytes.
    pub(crate) fn new(source: &'a mut Source<'s>, limit: usize) -> Self {
        Self {
            source,
            kept: Vec::new(),
            end: None,
            limit,
            taken: 0,
            begun: false,
            whole: true,
        }
    }

    /// From a place on.
    pub(crate) fn from<'r>(&'r mut self, at: &'r mut Place) -> Reading<'r, 'a, 's> {
        Reading { body: self, at }
    }

    /// Whether another attempt can have it from its beginning.
    pub(crate) fn can_begin_again(&self) -> bool {
        self.whole
    }

    /// Whether it is too long to begin again, though it was to be kept.
    pub(crate) fn is_too_long(&self) -> bool {
        !self.whole && self.limit > 0
    }

    /// Body bytes taken from the client.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the client has sent all of it.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Nothing follows the head.
    pub(crate) fn finish(&mut self) {
        self.end = Some(End::Plain);
    }

    /// All of it, once the client has sent it and as long as it is kept.
    pub(crate) fn copied(&self) -> Option<Copied> {
        let trailers = match self.end.as_ref().filter(|_| self.whole)? {
            End::Plain => None,
            End::Trailers(fields) => Some(fields.clone()),
        };
        let bytes = Bytes::copy_from_slice(&self.kept);
        Some(Copied { bytes, trailers })
    }

    /// Whether nothing follows the head of a request without a body: over HTTP/2 trailers still may.
    pub(crate) fn is_head_alone(&self) -> bool {
        match (&self.end, &*self.source) {
            (Some(end), _) => !self.begun && matches!(end, End::Plain),
            (None, Source::Http2(source)) => source.has_ended(),
            (None, Source::Http1(_) | Source::Empty) => true,
            (None, Source::GrpcWeb(_) | Source::Begun(_)) => false,
            (None, Source::Hooked(source)) => source.is_head_alone(),
        }
    }

    /// Everything that follows is another protocol's, and nothing of it is kept.
    pub(crate) fn become_tunnel(&mut self) {
        self.source.become_tunnel();
        self.limit = 0;
        self.kept = Vec::new();
    }

    fn note(&mut self, piece: &Piece) {
        match piece {
            Piece::Data(bytes, last) => {
                self.begun = true;
                self.taken += bytes.len() as u64;
                self.keep(bytes);
                if *last {
                    self.end = Some(End::Plain);
                }
            }
            Piece::Trailers(fields) => {
                self.begun = true;
                self.whole &= self.limit > 0;
                if self.whole {
                    self.end = Some(End::Trailers(fields.clone()));
                }
            }
            Piece::End => self.end = Some(End::Plain),
        }
    }

    /// Copied: a piece of a few bytes may hold a buffer of many.
    fn keep(&mut self, bytes: &Bytes) {
        self.whole &= self.limit > 0 && self.kept.len() + bytes.len() <= self.limit;
        if self.whole {
            self.kept.extend_from_slice(bytes);
        } else {
            self.kept = Vec::new();
        }
    }

    /// What was taken before, from `at` on; `None` where that is to be taken yet.
    fn again(&self, at: &mut Place) -> Option<Piece> {
        let left = self.kept.get(at.0..).unwrap_or_default();
        let Some(next) = left.chunks(PIECE_BYTES).next() else {
            return Some(match self.end.as_ref()? {
                End::Plain => Piece::End,
                End::Trailers(fields) => Piece::Trailers(fields.clone()),
            });
        };
        at.0 += next.len();
        let last = next.len() == left.len() && matches!(self.end, Some(End::Plain));
        Some(Piece::Data(Bytes::copy_from_slice(next), last))
    }
}

/// A whole body.
#[derive(Debug, Clone)]
pub(crate) struct Copied {
    pub(crate) bytes: Bytes,
    pub(crate) trailers: Option<Box<HeaderMap>>,
}

impl Copied {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.trailers.is_none()
    }
}

impl Pieces for Reading<'_, '_, '_> {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        if self.body.whole
            && let Some(piece) = self.body.again(self.at)
        {
            return Poll::Ready(Ok(piece));
        }
        let piece = ready!(self.body.source.poll_piece(cx))?;
        self.body.note(&piece);
        self.at.0 = self.body.kept.len();
        Poll::Ready(Ok(piece))
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
