//! Read buffers, kept per worker so that a request allocates none and an idle connection holds none.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// One buffer: what a single read can take, and all that one direction of a copy ever holds.
pub const BUFFER_BYTES: usize = 64 * 1024;

/// Buffers kept for reuse; more are given out but freed when they come back.
const KEPT: usize = 64;

/// A worker's buffers.
#[derive(Debug, Clone, Default)]
pub struct Buffers {
    free: Rc<RefCell<Vec<Box<[u8]>>>>,
}

impl Buffers {
    /// Lends a buffer; it comes back by drop.
    pub fn lend(&self) -> Buffer {
        let kept = self.free.borrow_mut().pop();
        let bytes = kept.unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice());
        Buffer {
            bytes,
            start: 0,
            end: 0,
            home: self.clone(),
        }
    }
}

/// Bytes read and not yet used, in a lent buffer.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
    home: Buffers,
}

impl Buffer {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Forgets the first `n` bytes.
    pub fn consume(&mut self, n: usize) {
        self.start = self.end.min(self.start + n);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Where the next read goes; empty only when the buffer is full. Moves what waits to the
    /// front when the room behind it is used up.
    pub fn room(&mut self) -> &mut [u8] {
        if self.end == self.bytes.len() && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        &mut self.bytes[self.end..]
    }

    /// Notes that a read put `n` bytes into `room`.
    pub fn filled(&mut self, n: usize) {
        self.end = self.bytes.len().min(self.end + n);
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..self.end]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.home.free.borrow_mut();
        if free.len() < KEPT {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}
