//! Bytes between the h2 crate and a connection of ours, with the guard in between.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::protocol::http2::guard::{Excess, Guard};
use crate::runtime::buffers::{Buffer, Buffers};
use crate::runtime::clock;
use crate::tls::io::Io;

/// One read: a frame of the usual largest size with its head, or many small ones.
const READ_BYTES: usize = 32 * 1024;

thread_local! {
    /// Where a read lands before h2 takes it: one a thread, none a connection. Reading into h2's own
    /// buffer would zero it first, which costs more than the copy.
    static SCRATCH: RefCell<Box<[u8; READ_BYTES]>> = RefCell::new(Box::new([0; READ_BYTES]));
}

/// What the guard knows of a connection, shared with whoever serves it.
#[derive(Debug, Clone)]
pub struct Watch(Rc<Watched>);

#[derive(Debug)]
struct Watched {
    guard: RefCell<Guard>,
    excess: Cell<Option<Excess>>,
    received: Cell<bool>,
    /// Bytes that the kernel has taken.
    written: Cell<u64>,
    /// The kernel takes no more for now.
    held: Cell<bool>,
    /// Up to when time has been paid to the guard.
    paid: Cell<Instant>,
}

impl Watch {
    /// Whether anything has come; SETTINGS are first, or h2 ends the connection.
    pub fn has_received(&self) -> bool {
        self.0.received.get()
    }

    /// Whether the other side has acknowledged our SETTINGS.
    pub fn is_settled(&self) -> bool {
        self.0.guard.borrow().is_settled()
    }

    /// Bytes that the kernel has taken, where it is the connection that holds up its streams; none
    /// where each has only its own window to wait for.
    pub fn written_while_held(&self) -> Option<u64> {
        self.0.held.get().then(|| self.0.written.get())
    }

    /// What the other side did too much of, once it did.
    pub fn excess(&self) -> Option<Excess> {
        self.0.excess.get()
    }

    /// The other side reset a stream that had no answer yet.
    pub fn reset_early(&self) {
        let judged = self.0.guard.borrow_mut().reset_early();
        self.note(judged);
    }

    /// A stream has had its answer.
    pub fn answered(&self) {
        self.0.guard.borrow_mut().answered();
    }

    fn received(&self, bytes: &[u8]) {
        self.0.received.set(true);
        let mut guard = self.0.guard.borrow_mut();
        let rest = clock::now().saturating_duration_since(self.0.paid.get());
        if let Ok(seconds @ 1..) = u32::try_from(rest.as_secs()) {
            guard.rested(seconds);
            self.0.paid.set(clock::now());
        }
        let judged = guard.received(bytes);
        drop(guard);
        self.note(judged);
    }

    fn note(&self, judged: Result<(), Excess>) {
        if let Err(excess) = judged {
            self.0.excess.set(Some(excess));
        }
    }
}

impl Watched {
    fn note_write(&self, io: &Io, held: bool) {
        self.written.set(io.socket().written());
        self.held.set(held);
    }
}

/// A connection as the h2 crate drives it.
///
/// h2 writes frame by frame, and flushes when it has no more: what it writes is gathered until then,
/// so that the frames of many streams are one system call.
#[derive(Debug)]
pub struct Transport<T> {
    io: T,
    buffers: Buffers,
    /// What was read before.
    first: Option<Buffer>,
    /// What is to be written; none while nothing is.
    out: Option<Buffer>,
    /// Others were let write first.
    waited: bool,
    watch: Watch,
}

impl<T: Deref<Target = Io> + Unpin> Transport<T> {
    /// Carries the bytes of `io`, of which `first` has been read.
    pub fn new(io: T, buffers: Buffers, first: Option<Buffer>, guard: Guard) -> Self {
        let watched = Watched {
            guard: RefCell::new(guard),
            excess: Cell::new(None),
            received: Cell::new(false),
            written: Cell::new(0),
            held: Cell::new(false),
            paid: Cell::new(clock::now()),
        };
        Self {
            io,
            buffers,
            first: first.filter(|first| !first.is_empty()),
            out: None,
            waited: false,
            watch: Watch(Rc::new(watched)),
        }
    }

    /// What the guard knows.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Hands `bytes` to the guard, and to h2 unless they are too much: then h2 gets nothing more,
    /// and whoever holds the watch ends the connection.
    fn deliver(watch: &Watch, bytes: &[u8], to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        watch.received(bytes);
        if watch.excess().is_some() {
            return Poll::Pending;
        }
        to.put_slice(bytes);
        Poll::Ready(Ok(()))
    }

    /// Takes bytes into the buffer, or nothing where they don't fit.
    fn gather(&mut self, parts: &[IoSlice<'_>]) -> Option<usize> {
        let total: usize = parts.iter().map(|part| part.len()).sum();
        let out = self.out.get_or_insert_with(|| self.buffers.lend());
        if total > out.room().len() {
            return None;
        }
        for part in parts {
            let room = out.room().get_mut(..part.len())?;
            room.copy_from_slice(part);
            out.filled(part.len());
        }
        Some(total)
    }

    /// Writes what was gathered.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(out) = &mut self.out {
            if out.is_empty() {
                self.out = None;
                break;
            }
            let polled = self.io.poll_write(cx, out, &[]);
            self.watch.0.note_write(&self.io, polled.is_pending());
            match ready!(polled)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => out.consume(n),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Deref<Target = Io> + Unpin> AsyncRead for Transport<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.watch.excess().is_some() {
            return Poll::Pending;
        }
        if let Some(first) = &mut this.first {
            let n = first.len().min(to.remaining());
            let bytes = first.get(..n).unwrap_or_default();
            let delivered = Self::deliver(&this.watch, bytes, to);
            first.consume(n);
            if first.is_empty() {
                this.first = None;
            }
            return delivered;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let room = to.remaining().min(READ_BYTES);
            let room = scratch.get_mut(..room).unwrap_or_default();
            let n = ready!(this.io.poll_read(cx, room))?;
            Self::deliver(&this.watch, room.get(..n).unwrap_or_default(), to)
        })
    }
}

impl<T: Deref<Target = Io> + Unpin> AsyncWrite for Transport<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = if let Some(gathered) = this.gather(parts) {
            gathered
        } else {
            ready!(this.poll_drain(cx))?;
            match this.gather(parts) {
                Some(gathered) => gathered,
                None => ready!(write_through(cx, &this.io, parts))?,
            }
        };
        this.watch.0.guard.borrow_mut().sent(written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.out.is_some() && !std::mem::replace(&mut this.waited, true) {
            // Streams that are ready to write now share the call.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.waited = false;
        ready!(this.poll_drain(cx))?;
        let flushed = this.io.poll_flush(cx);
        if flushed.is_pending() {
            this.watch.0.note_write(&this.io, true);
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        this.io.poll_shutdown(cx)
    }
}

/// Writes what is larger than a buffer as it is.
fn write_through(cx: &mut Context<'_>, io: &Io, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
    let mut filled = parts.iter().filter(|part| !part.is_empty());
    let head = filled.next().map_or(&[][..], |part| part);
    let body = filled.next().map_or(&[][..], |part| part);
    io.poll_write(cx, head, body)
}
