//! Read buffers, kept per worker so that a request allocates none and an idle connection holds none.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// One buffer: what a single read can take, and all that one direction of a copy ever holds.
///
/// A body of 64 KiB, the size of many models' frames and of most proxies' buffers, comes with its
/// head in one read.
pub const BUFFER_BYTES: usize = 68 * 1024;

/// Reads begin at such an address: a copy out of the kernel to anything less aligned costs more.
const ALIGNMENT: usize = 4096;

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
        let fresh = || vec![0; BUFFER_BYTES + ALIGNMENT].into_boxed_slice();
        let bytes = kept.unwrap_or_else(fresh);
        // Never beyond the alignment for bytes; were it, a less aligned read would do no harm.
        let base = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Buffer {
            bytes,
            base,
            start: base,
            end: base,
            home: self.clone(),
        }
    }
}

/// Bytes read and not yet used, in a lent buffer.
#[derive(Debug)]
pub struct Buffer {
    bytes: Box<[u8]>,
    /// Where the aligned part begins.
    base: usize,
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
            self.start = self.base;
            self.end = self.base;
        }
    }

    /// Where the next read goes; empty only when the buffer is full. Moves what waits to the
    /// front when the room behind it is used up.
    pub fn room(&mut self) -> &mut [u8] {
        let limit = self.base + BUFFER_BYTES;
        if self.end == limit && self.start > self.base {
            self.bytes.copy_within(self.start..self.end, self.base);
            self.end -= self.start - self.base;
            self.start = self.base;
        }
        &mut self.bytes[self.end..limit]
    }

    /// Notes that a read put `n` bytes into `room`.
    pub fn filled(&mut self, n: usize) {
        self.end = (self.base + BUFFER_BYTES).min(self.end + n);
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
