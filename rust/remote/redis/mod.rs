//! A connection to a Redis: commands of many requests go out on it one after the other, and
//! replies come back in the same order.

pub mod bucket;
pub mod resp;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::runtime::clock;
use crate::runtime::timer::Timer;
use crate::tls::io::Io;
use resp::Reply;

/// Commands that wait for their replies: a worker with so many has lost the other side.
const PENDING_MAX: usize = 4_096;

/// Bytes that one read takes.
const READ_BYTES: usize = 16 * 1024;

/// A connection, as its users see it.
#[derive(Debug)]
pub struct Connection {
    out: RefCell<Vec<u8>>,
    pending: RefCell<VecDeque<oneshot::Sender<Reply>>>,
    /// When the other side last spoke, or the first of `pending` began to wait.
    heard: Cell<Instant>,
    /// A silence of so long while commands wait is an end.
    patience: Duration,
    replies: Cell<u64>,
    ended: Cell<bool>,
    driver: RefCell<Option<Waker>>,
}

/// The connection takes no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

impl Connection {
    /// A connection that nobody drives yet.
    pub fn new(patience: Duration) -> Self {
        Self {
            out: RefCell::default(),
            pending: RefCell::default(),
            heard: Cell::new(clock::now()),
            patience,
            replies: Cell::new(0),
            ended: Cell::new(false),
            driver: RefCell::default(),
        }
    }

    /// Sends the command that `write` appends; its reply, or an error where the connection ends
    /// before.
    ///
    /// # Errors
    /// It has ended, or too many wait.
    pub fn send(
        &self,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<oneshot::Receiver<Reply>, Closed> {
        let mut pending = self.pending.borrow_mut();
        if self.ended.get() || pending.len() >= PENDING_MAX {
            return Err(Closed);
        }
        if pending.is_empty() {
            self.heard.set(clock::now());
        }
        let (sender, receiver) = oneshot::channel();
        pending.push_back(sender);
        write(&mut self.out.borrow_mut());
        if let Some(waker) = &*self.driver.borrow() {
            waker.wake_by_ref();
        }
        Ok(receiver)
    }

    /// Whether it takes no more commands.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Whether it was of any use.
    pub fn has_served(&self) -> bool {
        self.replies.get() > 0
    }

    /// No more commands; who waits is told.
    pub fn end(&self) {
        self.ended.set(true);
        self.pending.borrow_mut().clear();
        if let Some(waker) = self.driver.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Moves bytes between `io` and those who wait, until either side ends.
    pub async fn drive(&self, io: &Io) {
        let timer = Timer::default();
        let mut read = Vec::new();
        poll_fn(|cx| self.poll(cx, io, &timer, &mut read)).await;
        self.end();
    }

    fn poll(&self, cx: &mut Context<'_>, io: &Io, timer: &Timer, read: &mut Vec<u8>) -> Poll<()> {
        let mut driver = self.driver.borrow_mut();
        if driver
            .as_ref()
            .is_none_or(|known| !known.will_wake(cx.waker()))
        {
            *driver = Some(cx.waker().clone());
        }
        drop(driver);
        let moved = self
            .write_out(cx, io)
            .and_then(|()| self.read_in(cx, io, read));
        if moved.is_err() || self.ended.get() {
            return Poll::Ready(());
        }
        if self.pending.borrow().is_empty() {
            return Poll::Pending;
        }
        let deadline = self.heard.get() + self.patience;
        timer.poll_expired(cx, deadline)
    }

    fn write_out(&self, cx: &mut Context<'_>, io: &Io) -> io::Result<()> {
        let mut out = self.out.borrow_mut();
        while !out.is_empty() {
            match io.poll_write(cx, &out, &[]) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => drop(out.drain(..written)),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
        match io.poll_flush(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        }
    }

    fn read_in(&self, cx: &mut Context<'_>, io: &Io, read: &mut Vec<u8>) -> io::Result<()> {
        loop {
            let old = read.len();
            read.resize(old.saturating_add(READ_BYTES), 0);
            let room = read.get_mut(old..).unwrap_or_default();
            let polled = io.poll_read(cx, room);
            let fresh = match &polled {
                Poll::Ready(Ok(fresh)) => *fresh,
                Poll::Ready(Err(_)) | Poll::Pending => 0,
            };
            read.truncate(old.saturating_add(fresh));
            match polled {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(Ok(_)) => self.take_replies(read)?,
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(()),
            }
        }
    }

    fn take_replies(&self, read: &mut Vec<u8>) -> io::Result<()> {
        let mut used = 0;
        self.heard.set(clock::now());
        while let Some((reply, len)) = resp::read(read.get(used..).unwrap_or_default())
            .map_err(|resp::Malformed| io::ErrorKind::InvalidData)?
        {
            used = used.saturating_add(len);
            self.replies.set(self.replies.get().saturating_add(1));
            let next = self.pending.borrow_mut().pop_front();
            // Nobody asked for it.
            let next = next.ok_or(io::ErrorKind::InvalidData)?;
            // Who asked may have lost patience.
            let _ = next.send(reply);
        }
        read.drain(..used);
        Ok(())
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
