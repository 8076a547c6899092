//! Text with one `{first..last}` that takes another value for each request.

use std::io::Write as _;

/// Odd multiplier and increment of a full-period generator modulo 2^64 (Knuth's MMIX).
const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const INCREMENT: u64 = 1_442_695_040_888_963_407;

/// Fixed text around an optional running number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    before: String,
    range: Option<(u64, u64)>,
    after: String,
}

impl Pattern {
    /// Understands `/p{0..9999}/x`; text without braces stays as it is.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} should look like p{{0..9999}}");
        let Some((before, rest)) = text.split_once('{') else {
            return Ok(Self {
                before: text.to_owned(),
                range: None,
                after: String::new(),
            });
        };
        let (range, after) = rest.split_once('}').ok_or_else(wrong)?;
        let (first, last) = range.split_once("..").ok_or_else(wrong)?;
        let first: u64 = first.parse().map_err(|_| wrong())?;
        let last: u64 = last.parse().map_err(|_| wrong())?;
        if last < first {
            return Err(wrong());
        }
        Ok(Self {
            before: before.to_owned(),
            range: Some((first, last - first + 1)),
            after: after.to_owned(),
        })
    }

    pub(crate) fn varies(&self) -> bool {
        self.range.is_some()
    }

    /// Appends the text with the number that `turn` stands for.
    pub(crate) fn write(&self, turn: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(self.before.as_bytes());
        if let Some((first, count)) = self.range {
            // Writing to a Vec can't fail.
            let _ = write!(out, "{}", first + turn % count);
        }
        out.extend_from_slice(self.after.as_bytes());
    }
}

/// Numbers that choose a pattern's value: one after the other, or scattered.
pub(crate) struct Turns {
    next: u64,
    random: bool,
}

impl Turns {
    pub(crate) fn new(seed: u64, random: bool) -> Self {
        Self { next: seed, random }
    }

    pub(crate) fn advance(&mut self) -> u64 {
        if self.random {
            self.next = self.next.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
            // The low bits of such a generator repeat soon; the high ones don't.
            return self.next >> 33;
        }
        self.next = self.next.wrapping_add(1);
        self.next - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_runs_through_its_numbers() {
        let pattern = Pattern::parse("/p{8..9}/x").unwrap();
        let mut out = Vec::new();
        (0..3).for_each(|turn| pattern.write(turn, &mut out));
        assert_eq!(out, b"/p8/x/p9/x/p8/x");
    }

    #[test]
    fn broken_ranges_are_refused() {
        for text in ["{", "{}", "{1}", "{2..1}", "{a..b}"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
