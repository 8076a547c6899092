//! Choices out of a fuzzer's bytes: each byte decides one thing, so that a change of one changes one.

/// Bytes to choose by; when they are used up, every choice is the first.
#[derive(Debug)]
pub struct Draw<'a>(&'a [u8]);

impl<'a> Draw<'a> {
    /// Over all of an input.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// One in so many; never once the bytes are used up.
    pub fn one_in(&mut self, many: u8) -> bool {
        self.byte() % many == 1
    }

    /// Up to `most`.
    pub fn count(&mut self, most: u8) -> u8 {
        self.byte() % (most + 1)
    }

    /// One of a list.
    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[usize::from(self.byte()) % list.len()]
    }

    /// At most `most` bytes as they stand.
    pub fn bytes(&mut self, most: u8) -> Vec<u8> {
        let length = usize::from(self.count(most)).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken.to_vec()
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
