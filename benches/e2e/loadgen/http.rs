//! One HTTP/1.1 request and its answer on a connection; nothing is ever sent twice.

use std::io;

use crate::body::{Body, BodyCheck};
use crate::head::Head;
use crate::options::{Expect, Options};
use crate::pattern::{Pattern, Turns};
use crate::stream::Stream;
use crate::tally::{Failure, Kind};

/// One read: large enough that a 1 MiB body takes few calls.
const READ_BYTES: usize = 256 << 10;

/// Bytes without a head are read this far from the buffer's start: the kernel's `rep movsb` takes twice
/// as long when source and target stand less than a cache line apart modulo a page.
const RAW_OFFSET: usize = 256;

/// What a request is made of.
pub(crate) struct Template {
    method: String,
    path: Pattern,
    host: Pattern,
    fixed: String,
    body: Vec<u8>,
    echo: bool,
}

/// An answer that was as expected.
pub(crate) struct Answer {
    pub(crate) bytes: u64,
    /// The connection may carry another request.
    pub(crate) reusable: bool,
    /// Who answered, if the backend said so.
    pub(crate) backend: Option<std::ops::Range<usize>>,
}

/// The buffers of one connection, and the requests that it writes.
pub(crate) struct Exchange {
    request: Vec<u8>,
    varies: bool,
    turns: Turns,
    serial: u64,
    buffer: Vec<u8>,
    expect: Expect,
    check: Option<BodyCheck>,
    head_only: bool,
}

impl Template {
    pub(crate) fn new(options: &Options) -> Result<Self, String> {
        let mut fixed = String::new();
        for header in &options.headers {
            fixed = fixed + header + "\r\n";
        }
        if options.fresh {
            fixed += "connection: close\r\n";
        }
        if options.body_size > 0 {
            fixed = format!("{fixed}content-length: {}\r\n", options.body_size);
        }
        Ok(Self {
            method: options.method.clone(),
            path: Pattern::parse(&options.path)?,
            host: Pattern::parse(&options.host)?,
            fixed,
            body: vec![b'x'; options.body_size],
            echo: options.expect.echo,
        })
    }

    fn write(&self, turn: u64, serial: u64, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(self.method.as_bytes());
        out.push(b' ');
        self.path.write(turn, out);
        out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
        self.host.write(turn, out);
        out.extend_from_slice(b"\r\n");
        if self.echo {
            out.extend_from_slice(format!("x-echo: {serial}\r\n").as_bytes());
        }
        out.extend_from_slice(self.fixed.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

impl Exchange {
    pub(crate) fn new(template: &Template, options: &Options, index: usize) -> Self {
        let varies = template.path.varies() || template.host.varies() || template.echo;
        // A prime step spreads the connections over the pattern's values.
        let seed = index as u64 * 7919;
        let mut request = Vec::new();
        template.write(seed, seed, &mut request);
        Self {
            request,
            varies,
            turns: Turns::new(seed, options.random),
            serial: seed << 32,
            buffer: vec![0; READ_BYTES],
            expect: options.expect.clone(),
            check: options.expect.pattern.then(BodyCheck::new),
            head_only: options.method == "HEAD",
        }
    }

    /// The bytes that `Answer::backend` names.
    pub(crate) fn named(&self, range: std::ops::Range<usize>) -> &[u8] {
        self.buffer.get(range).unwrap_or_default()
    }

    /// Sends the next request and reads its answer to the end.
    pub(crate) async fn run(
        &mut self,
        template: &Template,
        stream: &mut Stream,
    ) -> Result<Answer, Failure> {
        if self.varies {
            self.serial += 1;
            template.write(self.turns.advance(), self.serial, &mut self.request);
        }
        stream
            .send(&self.request)
            .await
            .map_err(|error| broken(&error, true))?;
        let mut filled = 0;
        loop {
            filled += self.read_more(stream, filled).await?;
            let read = self.buffer.get(..filled).unwrap_or_default();
            if let Some(head) = Head::parse(read, self.head_only)? {
                return self.read_body(stream, head, filled).await;
            }
        }
    }

    async fn read_more(&mut self, stream: &mut Stream, filled: usize) -> Result<usize, Failure> {
        let free = self.buffer.get_mut(filled..).unwrap_or_default();
        if free.is_empty() {
            return Err(Failure::new(Kind::Head, "a head above the buffer's size"));
        }
        let nothing_yet = filled == 0;
        match stream.recv(free).await {
            Ok(0) if nothing_yet => Err(Failure::new(Kind::Stale, "closed before an answer")),
            Ok(0) => Err(Failure::new(Kind::Eof, "closed inside the head")),
            Ok(count) => Ok(count),
            Err(error) => Err(broken(&error, nothing_yet)),
        }
    }

    /// Sends the first request and leaves its answer to somebody else.
    pub(crate) async fn send_only(&self, stream: &mut Stream) -> Result<(), Failure> {
        stream
            .send(&self.request)
            .await
            .map_err(|error| broken(&error, true))
    }

    /// Reads bytes that have no head, the first of them at `offset` of the pattern.
    pub(crate) async fn take_raw(
        &mut self,
        stream: &mut Stream,
        offset: u64,
    ) -> Result<usize, Failure> {
        let into = self.buffer.get_mut(RAW_OFFSET..).unwrap_or_default();
        let count = stream
            .recv(into)
            .await
            .map_err(|error| broken(&error, offset == 0))?;
        let bytes = into.get(..count).unwrap_or_default();
        if self
            .check
            .as_ref()
            .is_some_and(|check| !check.holds(offset, bytes))
        {
            return Err(Failure::new(
                Kind::Body,
                format!("wrong bytes at or after {offset}"),
            ));
        }
        Ok(count)
    }

    async fn read_body(
        &mut self,
        stream: &mut Stream,
        head: Head,
        filled: usize,
    ) -> Result<Answer, Failure> {
        let Self { buffer, check, .. } = self;
        let (front, room) = buffer.split_at_mut(head.end);
        let Head {
            backend,
            mut reusable,
            status,
            framing,
            ..
        } = head;
        let mut body = Body { framing, length: 0 };
        if status != self.expect.status {
            return Err(Failure::new(Kind::Status, format!("status {status}")));
        }
        let early = room.get(..filled - head.end).unwrap_or_default();
        body.take(early, check.as_ref())?;
        while !body.done() {
            let count = stream
                .recv(room)
                .await
                .map_err(|error| broken(&error, false))?;
            if count == 0 {
                body.end()?;
                reusable = false;
                break;
            }
            body.take(room.get(..count).unwrap_or_default(), check.as_ref())?;
        }
        let echo = head.echo.and_then(|range| front.get(range));
        self.expect.verify(body.length, (echo, self.serial))?;
        Ok(Answer {
            bytes: body.length,
            reusable,
            backend,
        })
    }
}

impl Expect {
    pub(crate) fn verify(&self, length: u64, echo: (Option<&[u8]>, u64)) -> Result<(), Failure> {
        if self.length.is_some_and(|expected| expected != length) {
            return Err(Failure::new(
                Kind::Body,
                format!("a body of {length} bytes"),
            ));
        }
        if self.echo && echo.0 != Some(echo.1.to_string().as_bytes()) {
            return Err(Failure::new(Kind::Body, "another request's answer"));
        }
        Ok(())
    }
}

/// A connection that broke; before the answer's first byte it may have been closed while idle.
fn broken(error: &io::Error, before_answer: bool) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::InvalidData => Kind::Tls,
        _ if before_answer => Kind::Stale,
        io::ErrorKind::UnexpectedEof => Kind::Eof,
        _ => Kind::Reset,
    };
    Failure::new(kind, error)
}
