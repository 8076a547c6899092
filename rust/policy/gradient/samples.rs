//! How long answers took: counted by whoever has one, read out by one now and then.

use std::sync::atomic::{AtomicU32, Ordering};

/// Buckets per power of two, as a number of bits: a bucket's middle is within 3 % of all in it,
/// which moves a limit less than one request more or less does.
const SUB_BITS: u32 = 4;
const SUB: usize = 1 << SUB_BITS;

/// Every time that fits a number of 32 bits in microseconds has a bucket; longer ones share the last.
const BUCKETS: usize = SUB + (u32::BITS - SUB_BITS) as usize * SUB;

/// Counts of times in microseconds. A sample that comes while they are read out may be counted
/// before or after; none is worth a lock.
#[derive(Debug)]
pub(super) struct Samples {
    counts: Box<[AtomicU32; BUCKETS]>,
    count: AtomicU32,
}

impl Default for Samples {
    fn default() -> Self {
        Self {
            counts: Box::new([const { AtomicU32::new(0) }; BUCKETS]),
            count: AtomicU32::new(0),
        }
    }
}

impl Samples {
    pub(super) fn record(&self, us: u32) {
        if let Some(count) = self.counts.get(bucket(us)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub(super) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }

    /// The time that this percentage of them did not exceed; forgets them all.
    pub(super) fn take(&self, percentile: u8) -> Option<u32> {
        self.count.store(0, Ordering::Relaxed);
        let taken: Vec<u32> = self
            .counts
            .iter()
            .map(|count| count.swap(0, Ordering::Relaxed))
            .collect();
        let total: u64 = taken.iter().map(|count| u64::from(*count)).sum();
        let rank = (total * u64::from(percentile)).div_ceil(100).max(1);
        let mut seen = 0;
        for (index, count) in taken.into_iter().enumerate() {
            seen += u64::from(count);
            if seen >= rank {
                return Some(middle(index));
            }
        }
        None
    }
}

fn bucket(us: u32) -> usize {
    let octave = us.checked_ilog2().unwrap_or(0).saturating_sub(SUB_BITS);
    // Below twice SUB, since the shift leaves SUB_BITS + 1 bits at most.
    let sub = (us >> octave) as usize;
    octave as usize * SUB + sub
}

fn middle(index: usize) -> u32 {
    let octave = (index / SUB).saturating_sub(1);
    let sub = index - octave * SUB;
    let lower = u32::try_from(sub << octave).unwrap_or(u32::MAX);
    let half = ((1_u32 << octave) - 1) / 2;
    lower.saturating_add(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_middle_is_within_three_percent() {
        let times = (0..28).flat_map(|power| {
            let base = 1_u32 << power;
            [base, base + base / 3, base + base / 2, 2 * base - 1]
        });
        for us in times {
            let found = middle(bucket(us));
            assert!(found.abs_diff(us) * 32 <= us, "{us} became {found}");
        }
        assert!(bucket(u32::MAX) < BUCKETS);
    }

    #[test]
    fn percentiles_forget_what_they_read() {
        let samples = Samples::default();
        assert_eq!(samples.take(50), None);
        for us in 1..=15 {
            samples.record(us);
        }
        assert_eq!(samples.count(), 15);
        assert_eq!(samples.take(50), Some(8));
        assert_eq!(samples.count(), 0);
        for us in 1..=10 {
            samples.record(us);
        }
        assert_eq!(samples.take(100), Some(10));
        assert_eq!(samples.take(100), None);
    }
}
