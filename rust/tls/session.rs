//! One TLS connection between a transport and plain bytes; knows no sockets.
//!
//! A transport says `WouldBlock` where it can't go on; the caller waits and calls again.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};

use rustls::{Connection, ProtocolVersion};

/// One read from the transport: a largest TLS record with its header (RFC 8446 §5.2).
const READ_SIZE: usize = 5 + 16_384 + 256;
/// Encrypted bytes that wait for the transport; beyond it, writes are refused.
const WRITE_LIMIT: usize = 64 * 1024;
/// Decrypted bytes that rustls keeps; beyond it, it takes no more, so nor do we offer.
const PLAINTEXT_LIMIT: usize = 16 * 1024;

thread_local! {
    /// Where a read lands before rustls takes it: one a thread, none a connection.
    static SCRATCH: RefCell<Box<[u8; READ_SIZE]>> = RefCell::new(Box::new([0; READ_SIZE]));
}

/// A TLS connection.
pub(super) struct Session {
    pub(super) conn: Connection,
    /// Read from the transport, not yet taken by rustls; at most `READ_SIZE` bytes.
    pending: Vec<u8>,
    /// What waits to be written are tickets only: they may wait for the first response.
    deferrable: bool,
    end: bool,
    /// What the peer did wrong; nothing is read any more.
    fault: Option<rustls::Error>,
}

impl Session {
    /// A connection at its beginning, of which `already_read` has been read.
    pub(super) fn new(mut conn: Connection, already_read: &[u8]) -> Self {
        conn.set_buffer_limit(Some(WRITE_LIMIT));
        Self {
            conn,
            pending: already_read.to_vec(),
            deferrable: false,
            end: false,
            fault: None,
        }
    }

    /// Goes on with the handshake to its end. A TLS 1.3 server's tickets may still wait to be
    /// written: they then go out with the first response, and spare a system call.
    pub(super) fn handshake(&mut self, io: &mut (impl Read + Write)) -> io::Result<()> {
        while self.conn.is_handshaking() {
            self.flush(io)?;
            if self.conn.is_handshaking() && self.receive(io)? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the peer closed during the TLS handshake",
                ));
            }
        }
        let tls13 = self.conn.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        self.deferrable = tls13 && matches!(self.conn, Connection::Server(_));
        if self.deferrable {
            return Ok(());
        }
        self.flush(io)
    }

    /// Decrypted bytes; 0 after the peer's `close_notify`. An end without it is `UnexpectedEof`.
    pub(super) fn read(
        &mut self,
        io: &mut (impl Read + Write),
        buf: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.conn.reader().read(buf) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            if !self.deferrable && self.conn.wants_write() {
                would_block_is_fine(self.flush(io))?;
            }
            self.receive(io)?;
        }
    }

    /// Whether a read would tell something without the transport.
    pub(super) fn holds_input(&self) -> bool {
        // rustls wants to read unless it holds plaintext or the peer's close_notify.
        let holds = !self.pending.is_empty() || !self.conn.wants_read();
        holds || self.end || self.fault.is_some()
    }

    /// Encrypts of `bufs` what there is room for and writes what the transport takes. What it
    /// doesn't take waits for the next write or `flush`.
    pub(super) fn write(
        &mut self,
        io: &mut (impl Read + Write),
        bufs: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let empty = bufs.iter().all(|buf| buf.is_empty());
        loop {
            let taken = self.conn.writer().write_vectored(bufs)?;
            let flushed = self.flush(io);
            if taken > 0 || empty {
                would_block_is_fine(flushed)?;
                return Ok(taken);
            }
            flushed?;
        }
    }

    /// Writes all that waits.
    pub(super) fn flush(&mut self, io: &mut impl Write) -> io::Result<()> {
        while self.conn.wants_write() {
            if self.conn.write_tls(io)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        self.deferrable = false;
        Ok(())
    }

    /// Queues `close_notify`, once.
    pub(super) fn close(&mut self) {
        self.conn.send_close_notify();
    }

    /// Reads once from the transport, unless something is left of the last read, and hands it to
    /// rustls; 0 at the transport's end.
    fn receive(&mut self, io: &mut (impl Read + Write)) -> io::Result<usize> {
        if let Some(fault) = &self.fault {
            return Err(io::Error::new(io::ErrorKind::InvalidData, fault.clone()));
        }
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            let taken = self.feed(io, &pending)?;
            self.pending = pending.get(taken..).unwrap_or_default().to_vec();
            return Ok(taken);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            // After the end, rustls is told so again: it then says `UnexpectedEof` to readers.
            let n = if self.end {
                0
            } else {
                io.read(&mut scratch[..])?
            };
            self.end |= n == 0;
            let read = scratch.get(..n).unwrap_or_default();
            let taken = self.feed(io, read)?;
            self.pending = read.get(taken..).unwrap_or_default().to_vec();
            Ok(n)
        })
    }

    /// Hands `bytes` to rustls, as many as it wants; an alert about them is sent if it can be.
    fn feed(&mut self, io: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        let mut rest = bytes;
        loop {
            let n = self.conn.read_tls(&mut rest)?;
            let state = match self.conn.process_new_packets() {
                Ok(state) => state,
                Err(e) => {
                    // The peer's fault is the news, whether or not the alert gets through.
                    let _ = self.flush(io);
                    self.fault = Some(e.clone());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, e));
                }
            };
            if state.peer_has_closed() {
                return Ok(bytes.len()); // what follows close_notify is to be ignored
            }
            let full = state.plaintext_bytes_to_read() > PLAINTEXT_LIMIT;
            if n == 0 || rest.is_empty() || full {
                return Ok(bytes.len() - rest.len());
            }
        }
    }
}

fn would_block_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
        result => result,
    }
}
