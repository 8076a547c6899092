//! Moving bytes between two sockets inside the kernel, through a pipe.

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use super::Socket;

/// Bytes asked of the kernel for a pipe: what a slow reader can hold of our memory.
pub const PIPE_BYTES: usize = 256 * 1024;

/// A pipe and how many bytes wait in it.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    held: usize,
    capacity: usize,
}

impl Pipe {
    /// Makes a pipe.
    ///
    /// # Errors
    /// What `pipe2` says, `EMFILE` above all.
    pub fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        // A user over its pipe quota keeps the default size, which works as well.
        let capacity = fcntl_setpipe_size(&write, PIPE_BYTES).unwrap_or(64 * 1024);
        Ok(Self {
            read,
            write,
            held: 0,
            capacity,
        })
    }

    /// Bytes that are in the pipe.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Moves up to `limit` bytes from `source` into the empty pipe; 0 is the end.
    ///
    /// The pipe must be empty: `splice` says `EAGAIN` for a full pipe as for an empty socket, and
    /// read readiness would be lost.
    pub fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        source: &Socket,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        debug_assert_eq!(self.held, 0, "fill only an empty pipe");
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let want = limit.min(self.capacity);
        let write = &self.write;
        let moved = std::task::ready!(
            source.poll_read_with(cx, |fd| Ok(splice(fd, None, write, None, want, flags)?))
        )?;
        self.held += moved;
        Poll::Ready(Ok(moved))
    }

    /// Moves what the pipe holds to `sink`.
    pub fn poll_drain(&mut self, cx: &mut Context<'_>, sink: &Socket) -> Poll<io::Result<usize>> {
        let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
        let (read, held) = (&self.read, self.held);
        let moved = std::task::ready!(
            sink.poll_write_with(cx, |fd| Ok(splice(read, None, fd, None, held, flags)?))
        )?;
        self.held -= moved;
        sink.count_written(moved);
        Poll::Ready(Ok(moved))
    }
}
