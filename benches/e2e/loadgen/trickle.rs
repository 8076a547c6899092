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
/// Two of these lie within HTTP/2's preface, and the first within any request line.
const PIECE_BYTES_MAX: u64 = 11;

/// Chooses how each connection's first bytes are cut.
pub(crate) struct Cuts {
    turns: RefCell<Turns>,
    longest_pause: Duration,
}

/// A connection, and the pieces that still go out before the rest.
pub(crate) struct Trickle {
    tcp: TcpStream,
    pieces: Vec<(usize, Duration)>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Cuts {
    pub(crate) fn new(longest_pause: Duration) -> Self {
        Self {
            turns: RefCell::new(Turns::new(0, true)),
            longest_pause,
        }
    }

    /// One to three pieces, each with a pause up to the longest behind it.
    pub(crate) fn next(&self) -> Vec<(usize, Duration)> {
        let mut turns = self.turns.borrow_mut();
        let count = turns.advance() % PIECES_MAX;
        (0..count)
            .map(|_| {
                let bytes = usize::try_from(1 + turns.advance() % PIECE_BYTES_MAX).unwrap_or(1);
                let share = u32::try_from(turns.advance() % 101).unwrap_or(100);
                (bytes, self.longest_pause * share / 100)
            })
            .collect()
    }
}

impl Trickle {
    pub(crate) fn new(tcp: TcpStream, pieces: Vec<(usize, Duration)>) -> Self {
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
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        let Some(&(size, pause)) = self.pieces.last() else {
            return Pin::new(&mut self.tcp).poll_write(cx, bytes);
        };
        let piece = bytes.get(..size).unwrap_or(bytes);
        let written = ready!(Pin::new(&mut self.tcp).poll_write(cx, piece))?;
        self.pieces.pop();
        self.pause = (!pause.is_zero()).then(|| Box::pin(sleep(pause)));
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
        if self.pieces.is_empty() && self.pause.is_none() {
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
        assert!(all.iter().any(Vec::is_empty));
        assert!(all.iter().any(|pieces| pieces.len() == 2));
        assert!(all.iter().flatten().all(|(bytes, pause)| {
            (1..=11).contains(bytes) && *pause <= Duration::from_millis(30)
        }));
    }
}
