//! What goes out on an HTTP/2 connection, gathered until everything that is ready has been taken.
//!
//! The h2 crate flushes after every second DATA frame, and its streams become ready one after the
//! other. Were each flush a write, most would carry two frames. So a flush is only noted, and whoever
//! polls h2 sends what was gathered once h2 has nothing more.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::watch::Watch;
use crate::runtime::buffers::{Buffer, Buffers};
use crate::tls::io::Io;

/// Bytes on their way out; shared by the transport that h2 writes to and the task that polls h2.
#[derive(Debug)]
pub struct Outbox<T>(Rc<Outgoing<T>>);

#[derive(Debug)]
struct Outgoing<T> {
    io: T,
    buffers: Buffers,
    watch: Watch,
    /// What is to be written; none while nothing is.
    out: RefCell<Option<Buffer>>,
    /// Something is not handed to the kernel yet.
    dirty: Cell<bool>,
    /// Others were let write first.
    waited: Cell<bool>,
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Deref<Target = Io>> Outbox<T> {
    pub(super) fn new(io: T, buffers: Buffers, watch: Watch) -> Self {
        Self(Rc::new(Outgoing {
            io,
            buffers,
            watch,
            out: RefCell::new(None),
            dirty: Cell::new(false),
            waited: Cell::new(false),
        }))
    }

    pub(super) fn io(&self) -> &Io {
        &self.0.io
    }

    pub(super) fn buffers(&self) -> &Buffers {
        &self.0.buffers
    }

    /// Takes bytes, or says that there is no room for them all.
    pub(super) fn gather(&self, parts: &[IoSlice<'_>]) -> Option<usize> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let mut out = self.0.out.borrow_mut();
        let out = out.get_or_insert_with(|| self.0.buffers.lend());
        if total > out.room().len() {
            return None;
        }
        for part in parts {
            let room = out.room().get_mut(..part.len())?;
            room.copy_from_slice(part);
            out.filled(part.len());
        }
        self.0.dirty.set(true);
        Some(total)
    }

    /// Writes what was gathered, after those who are ready now have added theirs; for whoever has
    /// polled h2 and found nothing more to do.
    ///
    /// # Errors
    /// What writing says; h2 meets it too when it next reads.
    pub fn poll_settle(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.0.dirty.get() {
            return Poll::Ready(Ok(()));
        }
        if !self.0.waited.replace(true) {
            // Polled again once the sockets have been looked at.
            let _ = pin!(tokio::task::yield_now()).poll(cx);
            return Poll::Pending;
        }
        self.0.waited.set(false);
        let sent = match ready!(self.poll_drain(cx)) {
            Ok(()) => {
                let flushed = self.0.io.poll_flush(cx);
                if flushed.is_pending() {
                    self.0.watch.note_write(&self.0.io, true);
                }
                ready!(flushed)
            }
            Err(error) => Err(error),
        };
        self.0.dirty.set(false);
        Poll::Ready(sent)
    }

    /// Writes what was gathered.
    pub(super) fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut out = self.0.out.borrow_mut();
        while let Some(bytes) = &mut *out {
            if bytes.is_empty() {
                *out = None;
                break;
            }
            let polled = self.0.io.poll_write(cx, bytes, &[]);
            self.0.watch.note_write(&self.0.io, polled.is_pending());
            match ready!(polled)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => bytes.consume(n),
            }
        }
        Poll::Ready(Ok(()))
    }
}
