//! One direction of a copy: a head, then a body as its framing says, at the pace of the slower side.
//!
//! It holds one lent buffer (or what a pipe holds) and nothing while it waits for bytes. Until the
//! first bytes that it was made with are followed by others, it can be rewound and sent again.

use std::io;
use std::task::{Context, Poll, ready};

use crate::net::Socket;
use crate::net::splice::Pipe;
use crate::pool::Upstream;
use crate::protocol::http1::ChunkScanner;
use crate::runtime::buffers::{BUFFER_BYTES, Buffer, Buffers};
use crate::runtime::timer::Movement;
use crate::tls::io::Io;

/// Bodies with at least this much to come go through a pipe: below, two copies cost less than a
/// splice pair with its pipe (docs/benchmarks.md).
const SPLICE_BYTES_MIN: u64 = 256 * 1024;

/// What is still to come.
#[derive(Debug)]
pub enum Body {
    /// This many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Box<ChunkScanner>),
    /// All until the sender ends.
    UntilEnd,
    /// Nothing.
    Done,
}

/// Why a copy failed.
#[derive(Debug)]
pub enum FlowError {
    /// Reading failed, or the end came too early.
    From(io::Error),
    /// The body's framing is wrong.
    Framing,
    /// More bytes than allowed.
    TooLarge,
    /// Writing failed.
    To(io::Error),
}

/// What a copy needs around it.
#[derive(Debug)]
pub struct Ground<'a> {
    /// Where buffers come from.
    pub buffers: &'a Buffers,
    /// Notes that bytes move.
    pub movement: &'a Movement,
    /// Comes to rest once all is read, before the reader of the last byte can know of it: its
    /// place under a limit may be wanted by what that reader asks next.
    pub rests: Option<&'a Upstream>,
}

/// One direction of a copy.
#[derive(Debug)]
pub struct Flow {
    prefix: Vec<u8>,
    body: Body,
    buffer: Option<Buffer>,
    /// Bytes at the buffer's front that may be written.
    staged: usize,
    /// Bytes behind them that are dropped with them.
    skip: usize,
    /// How much of prefix and staged is written.
    sent: usize,
    started: bool,
    advanced: bool,
    pipe: Option<Pipe>,
    /// Body bytes read, framing included.
    received: u64,
    /// Refuse bodies above this; `u64::MAX` is no limit.
    limit: u64,
    waits_for_source: bool,
}

impl Flow {
    /// Copies `prefix`, then the body whose first bytes `buffer` may hold already.
    pub fn new(prefix: Vec<u8>, body: Body, buffer: Option<Buffer>) -> Self {
        Self {
            prefix,
            body,
            // An empty one serves others while this flow has nothing to put in.
            buffer: buffer.filter(|buffer| !buffer.is_empty()),
            staged: 0,
            skip: 0,
            sent: 0,
            started: false,
            advanced: false,
            pipe: None,
            received: 0,
            limit: u64::MAX,
            waits_for_source: false,
        }
    }

    /// The same with a bound on the body.
    #[must_use]
    pub fn with_limit(mut self, limit: u64) -> Self {
        self.limit = limit;
        self
    }

    /// Body bytes taken so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether it waited for its source, not its sink, when it was last polled.
    pub fn waits_for_source(&self) -> bool {
        self.waits_for_source
    }

    /// Makes it start over; `false` if its first bytes are gone.
    pub fn rewind(&mut self) -> bool {
        if !self.advanced {
            self.sent = 0;
        }
        !self.advanced
    }

    /// Ends the copy and gives back its prefix' memory and what it read beyond its end.
    pub fn finish(mut self) -> (Vec<u8>, Option<Buffer>) {
        self.drop_sent();
        (self.prefix, self.buffer)
    }

    /// Goes on; ready when all is written and flushed.
    ///
    /// # Errors
    /// Says which side failed.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        ground: &Ground<'_>,
        from: &Io,
        to: &Io,
    ) -> Poll<Result<(), FlowError>> {
        loop {
            self.waits_for_source = false;
            if !self.started {
                self.started = true;
                self.stage()?;
            }
            if let (Body::Done, Some(upstream)) = (&self.body, ground.rests) {
                upstream.rest();
            }
            ready!(self.poll_send(cx, ground, to))?;
            // What left the source is not sent before it has left the pipe too, whatever the body
            // says is still to come.
            ready!(self.poll_drain(cx, ground, to))?;
            if matches!(self.body, Body::Done) {
                return to.poll_flush(cx).map_err(FlowError::To);
            }
            self.drop_sent();
            self.advanced = true;
            self.stage()?;
            if self.staged > 0 || self.skip > 0 {
                continue;
            }
            if matches!(self.body, Body::Done) {
                return to.poll_flush(cx).map_err(FlowError::To);
            }
            // Nothing may wait in the TLS layer while we wait for more.
            ready!(to.poll_flush(cx)).map_err(FlowError::To)?;
            if let (Some(source), Some(_)) = (from.plain(), to.plain())
                && self.wants_pipe()
            {
                ready!(self.poll_splice(cx, ground, source))?;
                continue;
            }
            ready!(self.poll_fill(cx, ground, from))?;
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        ground: &Ground<'_>,
        to: &Io,
    ) -> Poll<Result<(), FlowError>> {
        let total = self.prefix.len() + self.staged;
        while self.sent < total {
            let head = self.prefix.get(self.sent..).unwrap_or_default();
            let body = self.buffer.as_deref().unwrap_or_default();
            let begun = self.sent.saturating_sub(self.prefix.len());
            let body = body.get(begun..self.staged).unwrap_or_default();
            let n = ready!(to.poll_write(cx, head, body)).map_err(FlowError::To)?;
            if n == 0 {
                return Poll::Ready(Err(FlowError::To(io::ErrorKind::WriteZero.into())));
            }
            self.sent += n;
            ground.movement.mark();
        }
        Poll::Ready(Ok(()))
    }

    /// Drops what is written, so that the buffer begins with what comes next.
    fn drop_sent(&mut self) {
        let used = self.staged + self.skip;
        self.prefix.clear();
        self.sent = 0;
        self.staged = 0;
        self.skip = 0;
        if let Some(buffer) = &mut self.buffer {
            buffer.consume(used);
            if buffer.is_empty() {
                self.buffer = None;
            }
        }
    }

    /// Says how much of the buffer's front belongs to the body.
    fn stage(&mut self) -> Result<(), FlowError> {
        let Some(buffer) = self.buffer.as_mut().filter(|buffer| !buffer.is_empty()) else {
            if matches!(self.body, Body::Length(0)) {
                self.body = Body::Done;
            }
            return Ok(());
        };
        let used = match &mut self.body {
            Body::Done => 0,
            Body::UntilEnd => {
                self.staged = buffer.len();
                self.staged
            }
            Body::Length(left) => {
                let take = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len());
                *left -= take as u64;
                if *left == 0 {
                    self.body = Body::Done;
                }
                self.staged = take;
                take
            }
            Body::Chunked(scanner) => {
                let scanned = scanner.scan(buffer).map_err(|_| FlowError::Framing)?;
                self.staged = scanned.kept;
                // The scanner moved what is kept to the front; the gap lies behind it.
                self.skip = scanned.consumed - scanned.kept;
                if scanned.done {
                    self.body = Body::Done;
                }
                scanned.consumed
            }
        };
        self.received += used as u64;
        if self.received > self.limit {
            Err(FlowError::TooLarge)
        } else {
            Ok(())
        }
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        ground: &Ground<'_>,
        from: &Io,
    ) -> Poll<Result<(), FlowError>> {
        if self.buffer.is_none() {
            self.waits_for_source = true;
            // A buffer is lent only once there is something to put in.
            ready!(from.poll_readable(cx)).map_err(FlowError::From)?;
        }
        let buffer = self.buffer.get_or_insert_with(|| ground.buffers.lend());
        let polled = from.poll_read(cx, buffer.room());
        self.waits_for_source = polled.is_pending();
        if polled.is_pending() && buffer.is_empty() {
            self.buffer = None;
        }
        match ready!(polled).map_err(FlowError::From)? {
            0 if matches!(self.body, Body::UntilEnd) => self.body = Body::Done,
            0 => return Poll::Ready(Err(FlowError::From(io::ErrorKind::UnexpectedEof.into()))),
            n => {
                ground.movement.mark();
                if let Some(buffer) = &mut self.buffer {
                    buffer.filled(n);
                }
                // A read that fills the buffer says that the sender is ahead of us.
                if n == BUFFER_BYTES && matches!(self.body, Body::UntilEnd) {
                    self.pipe = self.pipe.take().or_else(|| Pipe::new().ok());
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Whether to go through a pipe; the buffer is empty when this is asked.
    fn wants_pipe(&mut self) -> bool {
        if let Body::Length(left) = self.body
            && left >= SPLICE_BYTES_MIN
            && self.pipe.is_none()
            && self.limit == u64::MAX
        {
            // Without descriptors for a pipe, copying goes on.
            self.pipe = Pipe::new().ok();
        }
        self.pipe.is_some() && self.buffer.is_none()
    }

    /// Moves what the source has into the empty pipe; the next turn drains it.
    fn poll_splice(
        &mut self,
        cx: &mut Context<'_>,
        ground: &Ground<'_>,
        source: &Socket,
    ) -> Poll<Result<(), FlowError>> {
        let Some(pipe) = &mut self.pipe else {
            return Poll::Ready(Ok(()));
        };
        let limit = match self.body {
            Body::Length(left) => usize::try_from(left).unwrap_or(usize::MAX),
            _ => usize::MAX,
        };
        self.waits_for_source = true;
        let moved = ready!(pipe.poll_fill(cx, source, limit)).map_err(FlowError::From)?;
        self.waits_for_source = false;
        ground.movement.mark();
        match &mut self.body {
            Body::UntilEnd if moved == 0 => self.body = Body::Done,
            _ if moved == 0 => {
                let end = io::ErrorKind::UnexpectedEof.into();
                return Poll::Ready(Err(FlowError::From(end)));
            }
            Body::Length(left) => {
                *left -= (moved as u64).min(*left);
                if *left == 0 {
                    self.body = Body::Done;
                }
            }
            _ => {}
        }
        self.received += moved as u64;
        Poll::Ready(Ok(()))
    }

    /// Empties the pipe into the sink.
    fn poll_drain(
        &mut self,
        cx: &mut Context<'_>,
        ground: &Ground<'_>,
        to: &Io,
    ) -> Poll<Result<(), FlowError>> {
        if let (Some(pipe), Some(sink)) = (&mut self.pipe, to.plain()) {
            while pipe.held() > 0 {
                ready!(pipe.poll_drain(cx, sink)).map_err(FlowError::To)?;
                ground.movement.mark();
            }
        }
        Poll::Ready(Ok(()))
    }
}
