//! A check by a request of HTTP/1.1.

use std::future::poll_fn;

use super::line::{Answer, authority, fields, verdict};
use super::probe::Failure;
use super::subject::Target;
use crate::pool::write_all;
use crate::protocol::http1::{
    ChunkScanner, FieldStorage, HeadLimits, HeadScanner, RequestMethod, ResponseFraming,
    parse_response,
};
use crate::tls::io::Io;
use crate::wire::HealthCheck;
use crate::wire::health_check::HttpCheck;

/// Bytes of an answer's head, and what is read of its body at once; answers to checks are short.
const HEAD_BYTES: usize = 16 * 1024;
/// Bytes of a body that are read so that the connection can be kept; it is closed at a longer one.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Interim heads before the answer, none of which has a use here.
const INTERIM_MAX: usize = 8;

const LIMITS: HeadLimits = HeadLimits::response(HEAD_BYTES, 100);

/// A request, ready to be sent.
pub(super) struct Question<'c> {
    head: Vec<u8>,
    check: &'c HttpCheck,
}

/// What has been read and not been used.
struct Incoming<'i> {
    io: &'i Io,
    buffer: Vec<u8>,
    filled: usize,
}

/// A head that has been read.
struct Head {
    status: u16,
    framing: ResponseFraming,
    keep_alive: bool,
}

/// What of a body is still to come.
enum Rest {
    Length(u64),
    Chunks(ChunkScanner),
}

impl Rest {
    /// How many of these bytes belong to it, and whether they are its last.
    fn take(&mut self, bytes: &mut [u8]) -> Result<(usize, bool), Failure> {
        match self {
            Self::Length(left) => {
                let taken =
                    usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                *left = left.saturating_sub(taken as u64);
                Ok((taken, *left == 0))
            }
            Self::Chunks(scanner) => {
                let scanned = scanner.scan(bytes).map_err(|_| malformed())?;
                Ok((scanned.consumed, scanned.done))
            }
        }
    }
}

impl<'c> Question<'c> {
    pub(super) fn new(target: &Target, check: &HealthCheck, http: &'c HttpCheck) -> Self {
        let host = authority(target, check, http.host.as_deref());
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", http.method, http.path);
        for (name, value) in fields(http) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !check.reuse_connection {
            head.push_str("connection: close\r\n");
        }
        head.push_str("\r\n");
        Self {
            head: head.into_bytes(),
            check: http,
        }
    }

    /// Asks on `io`.
    ///
    /// # Errors
    /// There was no answer.
    pub(super) async fn ask(&self, io: &Io) -> Result<Answer, Failure> {
        write_all(io, &self.head)
            .await
            .map_err(|error| format!("the request could not be sent: {error}"))?;
        let mut incoming = Incoming {
            io,
            buffer: vec![0; HEAD_BYTES],
            filled: 0,
        };
        let method = RequestMethod::of(&self.check.method);
        for _ in 0..=INTERIM_MAX {
            let head = incoming.head(method).await?;
            if (100..200).contains(&head.status) {
                continue;
            }
            let whole = incoming.body(head.framing).await?;
            return Ok(Answer {
                verdict: verdict(self.check, head.status),
                reusable: head.keep_alive && whole && incoming.filled == 0,
            });
        }
        Err("interim answers without an end".to_owned())
    }
}

impl Incoming<'_> {
    async fn head(&mut self, method: RequestMethod) -> Result<Head, Failure> {
        let mut scanner = HeadScanner::default();
        loop {
            let read = self.buffer.get(..self.filled).unwrap_or_default();
            let found = scanner.scan(read, &LIMITS).map_err(|_| malformed())?;
            let Some(length) = found else {
                self.more().await?;
                continue;
            };
            let mut storage = FieldStorage::new();
            let bytes = read.get(..length).unwrap_or_default();
            let head = parse_response(bytes, &mut storage, &LIMITS, method);
            let head = head.map_err(|_| malformed())?;
            let head = Head {
                status: head.status,
                framing: head.framing,
                keep_alive: head.keep_alive,
            };
            self.consume(length);
            return Ok(head);
        }
    }

    /// Reads a body to its end; `false` where that isn't worth it.
    async fn body(&mut self, framing: ResponseFraming) -> Result<bool, Failure> {
        let mut rest = match framing {
            ResponseFraming::None => return Ok(true),
            ResponseFraming::UntilClose => return Ok(false),
            ResponseFraming::Length(length) => Rest::Length(length),
            ResponseFraming::Chunked => Rest::Chunks(ChunkScanner::decode()),
        };
        let mut read = 0_usize;
        loop {
            let bytes = self.buffer.get_mut(..self.filled).unwrap_or_default();
            let (taken, done) = rest.take(bytes)?;
            self.consume(taken);
            read = read.saturating_add(taken);
            if done || read > BODY_BYTES_MAX {
                return Ok(done);
            }
            self.more().await?;
        }
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.filled);
        self.buffer.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    async fn more(&mut self) -> Result<(), Failure> {
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let n = poll_fn(|cx| self.io.poll_read(cx, room))
            .await
            .map_err(|error| format!("the answer broke off: {error}"))?;
        if n == 0 {
            return Err("the connection ended before the answer did".to_owned());
        }
        self.filled += n;
        Ok(())
    }
}

fn malformed() -> Failure {
    "the answer is malformed".to_owned()
}
