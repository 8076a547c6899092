//! Latencies in buckets whose width is below one percent of their value.

/// Each power of two is cut in this many buckets.
const STEPS: u64 = 128;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Up to 2^40 ns, about 18 minutes: far above any time-out.
const POWERS: u32 = 40;
const BUCKETS: usize = ((POWERS - STEP_BITS + 1) as usize) << STEP_BITS;

/// Counts of nanoseconds.
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            sum: 0,
            max: 0,
        }
    }

    pub(crate) fn record(&mut self, nanoseconds: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(nanoseconds)) {
            *bucket += 1;
        }
        self.count += 1;
        self.sum += nanoseconds;
        self.max = self.max.max(nanoseconds);
    }

    /// The middle of the bucket that holds the given share of all values.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts are far below 2^52 and the share lies between 0 and 1"
    )]
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let wanted = ((self.count as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle_of(index as u64).min(self.max);
            }
        }
        self.max
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean for people to read")]
    pub(crate) fn mean(&self) -> f64 {
        self.sum as f64 / self.count.max(1) as f64
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }
}

fn bucket_of(value: u64) -> usize {
    let value = value.min((1 << POWERS) - 1);
    let shift = (64 - value.leading_zeros()).saturating_sub(STEP_BITS + 1);
    usize::try_from(u64::from(shift) * STEPS + (value >> shift)).unwrap_or(BUCKETS - 1)
}

fn middle_of(bucket: u64) -> u64 {
    let shift = (bucket >> STEP_BITS).saturating_sub(1);
    let low = (bucket - shift * STEPS) << shift;
    low + ((1 << shift) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_within_a_percent_of_its_values() {
        for value in (0..2000).chain([65_537, 1_000_003, 999_999_937, (1 << 39) + 12_345]) {
            let middle = middle_of(bucket_of(value) as u64);
            assert!(
                middle.abs_diff(value) * 100 <= value,
                "{value} became {middle}"
            );
        }
    }

    #[test]
    fn quantiles_stand_in_order() {
        let mut histogram = Histogram::new();
        (1..=1000).for_each(|value| histogram.record(value * 1000));
        assert!(histogram.quantile(0.5).abs_diff(500_000) < 5_000);
        assert!(histogram.quantile(0.99).abs_diff(990_000) < 9_900);
        assert_eq!(histogram.quantile(1.0), 1_000_000);
        assert!((histogram.mean() - 500_500.0).abs() < 1.0);
    }
}
