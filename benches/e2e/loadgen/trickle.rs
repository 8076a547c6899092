//! A connection whose first bytes go out in pieces, as those of a slow or starved client do.

use std::cell::RefCell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::pattern::Turns;

/// The first bytes go out in at most so many writes, the last of them with everything else.
const PIECES_MAX: u64 = 3;
/// The first two lie within HTTP/2's preface, and the first within any request line.
const PIECE_BYTES_MAX: u64 = 11;

/// Chooses how each connection's first bytes are cut.
pub(crate) struct Cuts {
    turns: RefCell<Turns>,
    longest_pause: Duration,
}

/// A connection, and the pieces that still go out before the rest; the last comes first.
pub(crate) struct Trickle {
    tcp: TcpStream,
    pieces: Vec<Piece>,
    pause: Option<Pin<Box<Sleep>>>,
}

/// So many bytes at most, after a pause.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    bytes: usize,
    pause: Duration,
}

impl Cuts {
    pub(crate) fn new(longest_pause: Duration) -> Self {
        Self {
            turns: RefCell::new(Turns::new(0, true)),
            longest_pause,
        }
    }

    /// One to three pieces, each after a pause up to the longest; the last one has no end.
    pub(crate) fn next(&self) -> Vec<Piece> {
        let mut turns = self.turns.borrow_mut();
        let count = turns.advance() % PIECES_MAX;
        let mut pieces = vec![self.piece(usize::MAX, &mut turns)];
        for _ in 0..count {
            let bytes = usize::try_from(1 + turns.advance() % PIECE_BYTES_MAX).unwrap_or(1);
            pieces.push(self.piece(bytes, &mut turns));
        }
        pieces
    }

    fn piece(&self, bytes: usize, turns: &mut Turns) -> Piece {
        let share = u32::try_from(turns.advance() % 101).unwrap_or(100);
        Piece {
            bytes,
            pause: self.longest_pause * share / 100,
        }
    }
}

impl Trickle {
    pub(crate) fn new(tcp: TcpStream, pieces: Vec<Piece>) -> Self {
        Self {
            tcp,
            pieces,
            pause: None,
        }
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.tcp
    }
}

impl AsyncRead for Trickle {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, into)
    }
}

impl AsyncWrite for Trickle {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Some(&piece) = self.pieces.last() else {
            return Pin::new(&mut self.tcp).poll_write(cx, bytes);
        };
        let pause = self
            .pause
            .get_or_insert_with(|| Box::pin(sleep(piece.pause)));
        ready!(pause.as_mut().poll(cx));
        let first = bytes.get(..piece.bytes).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, first))?;
        self.pieces.pop();
        self.pause = None;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.pieces.is_empty() {
            return Pin::new(&mut self.tcp).poll_write_vectored(cx, parts);
        }
        let first = parts.iter().find(|part| !part.is_empty());
        self.poll_write(cx, first.map_or(&[][..], |part| part))
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_few_and_small() {
        let cuts = Cuts::new(Duration::from_millis(30));
        let all: Vec<_> = (0..1000).map(|_| cuts.next()).collect();
        for count in 1..=3 {
            assert!(all.iter().any(|pieces| pieces.len() == count));
        }
        for pieces in &all {
            let (last, first) = pieces.split_first().unwrap();
            assert_eq!(last.bytes, usize::MAX);
            assert!(first.iter().all(|piece| (1..=11).contains(&piece.bytes)));
            assert!(pieces.iter().all(|piece| piece.pause <= cuts.longest_pause));
        }
    }
}
