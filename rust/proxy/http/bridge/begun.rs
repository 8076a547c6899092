//! A request's body of which a part was read before it goes anywhere: for a hook that sees it first.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::pump::Pieces;
use super::source::{Broken, Piece, Source};

/// A body that was read from already.
pub(crate) struct Begun<'a> {
    read: VecDeque<Piece>,
    rest: Source<'a>,
}

impl<'a> Begun<'a> {
    /// What was read, and what it was read from.
    pub(crate) fn new(read: VecDeque<Piece>, rest: Source<'a>) -> Self {
        Self { read, rest }
    }

    /// What is left to be read.
    pub(crate) fn into_inner(self) -> Source<'a> {
        self.rest
    }

    /// As [`Source::poll_piece`].
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Broken>> {
        match self.read.pop_front() {
            Some(piece) => Poll::Ready(Ok(piece)),
            None => self.rest.poll_piece(cx),
        }
    }
}
