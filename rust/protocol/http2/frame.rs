//! Frame heads in the bytes of a connection (RFC 9113 §4.1); payloads are skipped, never walked.

/// Length, type, flags, stream.
pub(super) const HEAD: usize = 9;

/// A head with the most that is looked at behind it: the increment of a `WINDOW_UPDATE`.
const LOOKED_AT: usize = HEAD + 4;

/// What a client sends before its first frame (RFC 9113 §3.4); h2 compares it.
const PREFACE: u32 = 24;

/// The flag of DATA that says that padding follows, its length first.
pub(super) const PADDED: u8 = 0x8;

/// The flag of SETTINGS that says that ours were taken.
const ACK: u8 = 0x1;

/// Frame types (RFC 9113 §6).
pub(super) mod kind {
    pub(in super::super) const DATA: u8 = 0;
    pub(in super::super) const HEADERS: u8 = 1;
    pub(in super::super) const SETTINGS: u8 = 4;
    pub(in super::super) const PUSH_PROMISE: u8 = 5;
    pub(in super::super) const PING: u8 = 6;
    pub(in super::super) const WINDOW_UPDATE: u8 = 8;
    pub(in super::super) const CONTINUATION: u8 = 9;
}

/// Where in the frames of one direction a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frames {
    /// Bytes of the preface or of a payload that are still to come.
    skip: u32,
    /// How much of `head` has come.
    held: u8,
    head: [u8; LOOKED_AT],
}

/// A frame head, and the four bytes behind it as far as [`Frame::looked_at`] says.
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) stream: u32,
    flags: u8,
    length: u32,
    behind: [u8; 4],
}

impl Frames {
    /// From a client: the preface comes first.
    pub(super) const fn after_preface() -> Self {
        Self {
            skip: PREFACE,
            ..Self::at_once()
        }
    }

    /// From a server.
    pub(super) const fn at_once() -> Self {
        Self {
            skip: 0,
            held: 0,
            head: [0; LOOKED_AT],
        }
    }

    /// Takes bytes until they have told of another frame, or there are none.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Frame> {
        self.pass(bytes);
        self.gather(bytes, HEAD)?;
        let looked_at = Frame::read(&self.head).looked_at();
        self.gather(bytes, HEAD.saturating_add(looked_at.into()))?;
        let frame = Frame::read(&self.head);
        self.held = 0;
        self.skip = frame.length.saturating_sub(looked_at.into());
        Some(frame)
    }

    /// Passes over what is left of a payload.
    fn pass(&mut self, bytes: &mut &[u8]) {
        let want = self.skip.try_into().unwrap_or(usize::MAX);
        let passed = take(bytes, want).len();
        self.skip = self
            .skip
            .saturating_sub(passed.try_into().unwrap_or(u32::MAX));
    }

    /// Fills `head` up to `want` bytes; `None` if there aren't as many yet.
    fn gather(&mut self, bytes: &mut &[u8], want: usize) -> Option<()> {
        let held = usize::from(self.held);
        let taken = take(bytes, want.saturating_sub(held));
        for (slot, byte) in self.head.iter_mut().skip(held).zip(taken) {
            *slot = *byte;
        }
        let held = held.saturating_add(taken.len());
        self.held = held.try_into().unwrap_or(u8::MAX);
        (held >= want).then_some(())
    }
}

/// The first so many bytes, or all; `bytes` is what is behind them.
fn take<'a>(bytes: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at_checked(most).unwrap_or((*bytes, &[]));
    *bytes = rest;
    taken
}

impl Frame {
    fn read(head: &[u8; LOOKED_AT]) -> Self {
        let [l2, l1, l0, kind, flags, s3, s2, s1, s0, behind @ ..] = *head;
        Self {
            kind,
            stream: u32::from_be_bytes([s3 & 0x7f, s2, s1, s0]),
            flags,
            length: u32::from_be_bytes([0, l2, l1, l0]),
            behind,
        }
    }

    /// Bytes of the payload that are needed: the length of padding, the increment of a window.
    fn looked_at(&self) -> u8 {
        match self.kind {
            kind::DATA if self.flags & PADDED != 0 && self.length > 0 => 1,
            kind::WINDOW_UPDATE if self.length >= 4 => 4,
            _ => 0,
        }
    }

    /// Whether it says that our SETTINGS were taken.
    pub(super) fn settles(&self) -> bool {
        self.kind == kind::SETTINGS && self.flags & ACK != 0
    }

    /// Of DATA: payload without padding.
    pub(super) fn useful(&self) -> u32 {
        if self.flags & PADDED == 0 {
            return self.length;
        }
        let [padding, ..] = self.behind;
        self.length.saturating_sub(1).saturating_sub(padding.into())
    }

    /// Of a `WINDOW_UPDATE` that has its four bytes; h2 refuses others.
    pub(super) fn increment(&self) -> u32 {
        u32::from_be_bytes(self.behind) & 0x7fff_ffff
    }
}
