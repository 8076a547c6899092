//! What the engine tells its owner: a ring that an eventfd announces, never a call into Python.
//!
//! A completion is never dropped: its owner waits for it. News that nobody asked for is dropped
//! beyond a bound, and one `Resync` then says so. The flag that a wake-up is pending is cleared
//! before the ring is emptied, which rules out a lost wake-up.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use crate::wire::Problem;

/// News kept for an owner that doesn't listen.
const NEWS_MAX: usize = 1024;

/// One event.
#[derive(Debug)]
pub enum Event {
    /// The change with this id is in force on every worker.
    Applied(u64, u64),
    /// The change with this id was refused.
    Refused(u64, Vec<Problem>),
    /// The drain with this id has ended.
    Drained(u64),
    /// The call with this id failed.
    Failed(u64, String),
    /// Somebody asked over the admin interface that the process end.
    Quit,
    /// Somebody asked over the admin interface that listeners drain.
    Drain,
    /// Something to tell the user: level and text.
    Notice(&'static str, String),
    /// News was dropped.
    Resync,
}

/// The ring.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<Ring>,
    fd: OwnedFd,
}

#[derive(Debug, Default)]
struct Ring {
    queue: VecDeque<Event>,
    news: usize,
    pending: bool,
    dropped: bool,
}

impl Events {
    /// An empty ring.
    ///
    /// # Errors
    /// What `eventfd` says.
    pub fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self {
            ring: Mutex::default(),
            fd,
        })
    }

    /// Readable while events wait.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Adds an event that answers a call.
    pub fn complete(&self, event: Event) {
        let mut ring = self.lock();
        ring.queue.push_back(event);
        self.announce(&mut ring);
    }

    /// Adds news, or notes that it was dropped.
    pub fn tell(&self, event: Event) {
        let mut ring = self.lock();
        if ring.news < NEWS_MAX {
            ring.news += 1;
            ring.queue.push_back(event);
        } else if !ring.dropped {
            ring.dropped = true;
            ring.queue.push_back(Event::Resync);
        }
        self.announce(&mut ring);
    }

    /// Takes up to `limit` events.
    pub fn drain(&self, limit: usize) -> Vec<Event> {
        // Only says that there was nothing to clear.
        let _ = rustix::io::read(&self.fd, &mut [0_u8; 8]);
        let mut ring = self.lock();
        ring.pending = false;
        let count = limit.min(ring.queue.len());
        let events: Vec<Event> = ring.queue.drain(..count).collect();
        for event in &events {
            match event {
                Event::Quit | Event::Drain | Event::Notice(..) => ring.news -= 1,
                Event::Resync => ring.dropped = false,
                _ => {}
            }
        }
        if !ring.queue.is_empty() {
            self.announce(&mut ring);
        }
        events
    }

    fn announce(&self, ring: &mut Ring) {
        if !std::mem::replace(&mut ring.pending, true) {
            // A counter that is full wakes the reader as well.
            let _ = rustix::io::write(&self.fd, &1_u64.to_ne_bytes());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_announced_again_and_overflow_is_told_once() {
        let events = Events::new().unwrap();
        for id in 0..3 {
            events.complete(Event::Drained(id));
        }
        assert_eq!(events.drain(2).len(), 2);
        assert_eq!(rustix::io::read(&events.fd, &mut [0_u8; 8]), Ok(8));
        assert_eq!(events.drain(9).len(), 1);
        for _ in 0..NEWS_MAX + 5 {
            events.tell(Event::Quit);
        }
        let told = events.drain(usize::MAX);
        assert_eq!(told.len(), NEWS_MAX + 1);
        assert!(matches!(told.last(), Some(Event::Resync)));
    }
}
