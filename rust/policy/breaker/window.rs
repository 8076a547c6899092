//! Outcomes of the last while, in a ring of buckets that all workers add to.

use std::sync::atomic::{AtomicU64, Ordering};

/// The window moves on by one of these.
const BUCKETS: usize = 10;

/// In a bucket's word: its turn above, then the failures, then all outcomes. More than fit are not
/// counted: by then the rate is known well enough.
const COUNT_BITS: u32 = 22;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const FAILURE: u64 = 1 << COUNT_BITS;
const TURN_SHIFT: u32 = 2 * COUNT_BITS;
const TURN_MASK: u64 = u64::MAX >> TURN_SHIFT;

/// The ring. A bucket's word holds whose turn it was written in, so that an old one is told from a
/// new one without a lock, and is begun anew by whoever comes first.
#[derive(Debug, Default)]
pub(super) struct Window([AtomicU64; BUCKETS]);

impl Window {
    #[inline]
    pub(super) fn add(&self, failed: bool, window_us: u64, now_us: u64) {
        let (turn, bucket) = self.bucket(window_us, now_us);
        let more = 1 + if failed { FAILURE } else { 0 };
        let mut word = bucket.load(Ordering::Relaxed);
        loop {
            let next = if word >> TURN_SHIFT != turn {
                turn << TURN_SHIFT | more
            } else if word & COUNT_MAX == COUNT_MAX {
                return;
            } else {
                word + more
            };
            match bucket.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// All outcomes of the window, and the failures among them.
    pub(super) fn sum(&self, window_us: u64, now_us: u64) -> (u64, u64) {
        let now = now_us / bucket_us(window_us);
        let mut sum = (0, 0);
        for bucket in &self.0 {
            let word = bucket.load(Ordering::Relaxed);
            let age = (now & TURN_MASK).wrapping_sub(word >> TURN_SHIFT) & TURN_MASK;
            if age < BUCKETS as u64 {
                sum.0 += word & COUNT_MAX;
                sum.1 += word >> COUNT_BITS & COUNT_MAX;
            }
        }
        sum
    }

    pub(super) fn clear(&self) {
        for bucket in &self.0 {
            bucket.store(0, Ordering::Relaxed);
        }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "below BUCKETS")]
    fn bucket(&self, window_us: u64, now_us: u64) -> (u64, &AtomicU64) {
        let turn = now_us / bucket_us(window_us);
        let index = (turn % BUCKETS as u64) as usize;
        // In range; the compiler sees that too.
        (turn & TURN_MASK, &self.0[index])
    }
}

fn bucket_us(window_us: u64) -> u64 {
    (window_us / BUCKETS as u64).max(1)
}
