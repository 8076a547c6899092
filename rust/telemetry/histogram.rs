//! Log-linear histograms of microseconds: four buckets per power of two, up to about an hour.
//!
//! A bucket is at most a quarter as wide as its lower edge, so its middle is within 12.5 % of every
//! value in it. Powers of two are edges, which lets the exposition's `le` bounds be exact.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets per power of two, as a number of bits.
const SUB_BITS: u32 = 2;
const SUB: usize = 1 << SUB_BITS;

/// The highest power of two with buckets of its own; 2^32 µs is 71 minutes. Longer waits than that
/// are counted in the last bucket.
const TOP: u32 = 31;

/// 992 bytes of counts: the exact values 0 to 3, then `SUB` for each power from 2^2 to 2^TOP.
const BUCKETS: usize = SUB + (TOP - SUB_BITS + 1) as usize * SUB;

/// The exposition's bounds are 2^n µs for n in this range: 64 µs to 67 s.
pub const LE_POWERS: std::ops::RangeInclusive<u32> = 6..=26;

/// Counts durations; one thread records, any thread takes snapshots.
#[derive(Debug)]
pub struct Histogram {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: [const { AtomicU64::new(0) }; BUCKETS],
            sum_us: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts one duration in whole microseconds, rounded down.
    #[inline]
    pub fn record(&self, us: u64) {
        if let Some(count) = self.counts.get(bucket(us)) {
            bump(count, 1);
        }
        bump(&self.sum_us, us);
    }

    /// What was recorded so far.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.merge(self);
        snapshot
    }
}

/// The single writer's addition; see `counters`.
#[inline]
fn bump(cell: &AtomicU64, n: u64) {
    cell.store(
        cell.load(Ordering::Relaxed).wrapping_add(n),
        Ordering::Relaxed,
    );
}

/// A histogram that takes its kilobyte at the first record: most of ten thousand routes are idle.
#[derive(Debug, Default)]
pub struct LazyHistogram(OnceLock<Box<Histogram>>);

impl LazyHistogram {
    /// Counts one duration in whole microseconds, rounded down.
    #[inline]
    pub fn record(&self, us: u64) {
        self.0.get_or_init(Box::default).record(us);
    }

    /// The histogram, if anything was recorded.
    pub fn get(&self) -> Option<&Histogram> {
        self.0.get().map(|histogram| &**histogram)
    }
}

/// Counts taken at one time, summed over any number of histograms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    counts: [u64; BUCKETS],
    sum_us: u64,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
            sum_us: 0,
        }
    }
}

impl Snapshot {
    /// Adds another histogram's counts.
    pub fn merge(&mut self, other: &Histogram) {
        for (sum, count) in self.counts.iter_mut().zip(&other.counts) {
            *sum = sum.wrapping_add(count.load(Ordering::Relaxed));
        }
        self.sum_us = self
            .sum_us
            .wrapping_add(other.sum_us.load(Ordering::Relaxed));
    }

    /// How many durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().copied().fold(0, u64::wrapping_add)
    }

    /// Their sum in microseconds.
    pub fn sum_us(&self) -> u64 {
        self.sum_us
    }

    /// The duration in microseconds that a share `q` of all durations does not exceed, within
    /// 12.5 %; `None` when there are none.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is off by at most one part in 2^52, far below the bucket's width"
    )]
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let total = self.count();
        let rank = ((total as f64 * q.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0u64;
        for (index, count) in self.counts.iter().enumerate() {
            seen = seen.wrapping_add(*count);
            if seen >= rank {
                return Some(middle(index));
            }
        }
        None
    }

    /// How many durations were shorter than 2^`power` µs.
    pub fn below(&self, power: u32) -> u64 {
        let end = bucket(1u64 << power.min(TOP));
        self.counts
            .iter()
            .take(end)
            .copied()
            .fold(0, u64::wrapping_add)
    }
}

/// The bucket that `us` falls into.
#[inline]
fn bucket(us: u64) -> usize {
    let power = us.checked_ilog2().unwrap_or(0);
    if power < SUB_BITS {
        return usize::try_from(us).unwrap_or(0);
    }
    if power > TOP {
        return BUCKETS - 1;
    }
    let octave = power - SUB_BITS;
    // Below 2 * SUB, as the shift leaves exactly SUB_BITS + 1 bits; the top one is taken off.
    let sub = usize::try_from(us >> octave).map_or(0, |high| high - SUB);
    SUB + octave as usize * SUB + sub
}

/// The middle of a bucket, in microseconds.
fn middle(index: usize) -> u64 {
    let Some(above) = index.checked_sub(SUB) else {
        return index as u64;
    };
    let octave = above / SUB;
    let lower = ((SUB + above % SUB) as u64) << octave;
    let width = 1u64 << octave;
    lower + (width - 1) / 2
}

#[cfg(test)]
#[path = "histogram_tests.rs"]
mod tests;
