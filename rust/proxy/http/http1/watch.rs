//! Watching a client that has sent its request and only listens.
//!
//! A client that closes and one that only ends its direction look the same: a FIN. But who has
//! closed answers data with a reset. So the one is told from the other by data: by what of the
//! answer is under way, or before the answer by an interim response that every client skips
//! (docs/decisions/0009).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::error::{Error, ErrorKind};
use crate::net::Socket;
use crate::net::socket::{Gone, Peek};
use crate::protocol::head::Version;
use crate::protocol::http1::RequestMethod;
use crate::proxy::connection::Downstream;
use crate::proxy::http::admit::Facts;
use crate::tls::io::Io;
use crate::wire::listener::HalfClose;

/// The one interim response that clients of HTTP/1.1 know even where they know no other; they skip
/// it, asked for or not (RFC 9110 §15.2).
const PROBE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Notices that a client has gone, so that nobody works for it any more.
pub(in crate::proxy::http) struct ClientWatch<'a> {
    /// Once it did something: for what would tell that it left. Boxed: hardly any request has one.
    wait: Option<Pin<Box<dyn Future<Output = Gone> + 'a>>>,
    half_close: HalfClose,
    /// Bytes that the client had been sent when the watch began.
    before: u64,
}

impl<'a> ClientWatch<'a> {
    /// Begins when the request has been read.
    pub(in crate::proxy::http) fn new(conn: &'a Downstream, facts: Facts, rule: HalfClose) -> Self {
        Self {
            wait: None,
            half_close: applied(facts, rule),
            before: conn.io.socket().written(),
        }
    }

    /// Looks below TLS, where an end and a reset show as they do without. `started`: what is sent
    /// now belongs to the answer.
    ///
    /// # Errors
    /// `DownstreamClosed`.
    pub(in crate::proxy::http) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        conn: &'a Downstream,
        started: bool,
    ) -> Result<(), Error> {
        while let Poll::Ready(left) = self.poll_left(cx, conn.io.socket()) {
            match left {
                Gone::Ended => self.ended(cx, &conn.io, started)?,
                Gone::Failed => return Err(gone()),
            }
        }
        Ok(())
    }

    fn poll_left(&mut self, cx: &mut Context<'_>, socket: &'a Socket) -> Poll<Gone> {
        loop {
            if let Some(wait) = &mut self.wait {
                return wait.as_mut().poll(cx);
            }
            // What it fails with shows in the look.
            let _ = ready!(socket.poll_readable(cx));
            match socket.peek() {
                Peek::Nothing => {}
                Peek::Failed(_) => return Poll::Ready(Gone::Failed),
                Peek::End => return Poll::Ready(Gone::Ended),
                // What it sent hides its end from a look like this one.
                Peek::Bytes => self.wait = Some(Box::pin(socket.leaves())),
            }
        }
    }

    /// Its direction has ended: is it there?
    fn ended(&mut self, cx: &mut Context<'_>, io: &'a Io, started: bool) -> Result<(), Error> {
        let socket = io.socket();
        match self.half_close {
            HalfClose::Abort => return Err(gone()),
            HalfClose::Probe if !started => probe(cx, io)?,
            // Nothing that would tell is under way, and nobody ends his direction that late.
            HalfClose::Probe if self.has_all(socket) => return Err(gone()),
            HalfClose::Probe | HalfClose::Keep => {}
        }
        self.wait = Some(Box::pin(socket.fails()));
        Ok(())
    }

    /// Whether it had all that was sent of the answer when it ended: a FIN acknowledges what came
    /// before it.
    fn has_all(&self, socket: &Socket) -> bool {
        socket.written() != self.before && socket.unacknowledged() == Some(0)
    }
}

fn probe(cx: &mut Context<'_>, io: &Io) -> Result<(), Error> {
    match io.poll_write(cx, PROBE, &[]) {
        // What it hasn't taken yet will tell as well.
        Poll::Pending => Ok(()),
        Poll::Ready(Ok(n)) if n == PROBE.len() => match io.poll_flush(cx) {
            Poll::Ready(Err(_)) => Err(gone()),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        },
        // A part of it would spoil the answer; who leaves no room for it doesn't read.
        Poll::Ready(_) => Err(gone()),
    }
}

/// HTTP/1.0 knows no interim responses, and a tunnel's ends are its own.
fn applied(facts: Facts, rule: HalfClose) -> HalfClose {
    let tunnel = facts.upgrade || matches!(facts.method, RequestMethod::Connect);
    match rule {
        HalfClose::Probe if tunnel || facts.version == Version::Http10 => HalfClose::Keep,
        rule => rule,
    }
}

fn gone() -> Error {
    ErrorKind::DownstreamClosed.into()
}
