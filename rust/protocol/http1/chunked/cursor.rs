//! A buffer that is read and compacted in one pass.

/// The buffer of one look.
pub(super) struct Cursor<'a> {
    buf: &'a mut [u8],
    /// Bytes looked at.
    pub(super) read: usize,
    /// Bytes kept; never more than looked at.
    pub(super) write: usize,
    /// Bytes of trailer lines among those kept.
    pub(super) lines: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(buf: &'a mut [u8]) -> Self {
        Self {
            buf,
            read: 0,
            write: 0,
            lines: 0,
        }
    }

    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.buf.get(self.read).copied()?;
        self.read = self.read.saturating_add(1);
        Some(byte)
    }

    pub(super) fn keep(&mut self, byte: u8) {
        if let Some(slot) = self.buf.get_mut(self.write) {
            *slot = byte;
            self.write = self.write.saturating_add(1);
        }
    }

    /// Passes over so many bytes, which are there, and keeps them or not.
    pub(super) fn pass(&mut self, count: usize, keep: bool) {
        let end = self.read.saturating_add(count);
        if keep {
            if self.write != self.read {
                self.buf.copy_within(self.read..end, self.write);
            }
            self.write = self.write.saturating_add(count);
        }
        self.read = end;
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.buf.get(self.read..).unwrap_or_default()
    }
}
