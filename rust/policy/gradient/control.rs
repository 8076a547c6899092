//! The reckoning: measures what an answer takes without a queue, then follows the gradient.

use super::Settings;
use super::samples::Samples;

/// Bounds of the gradient, as Envoy has them: one interval halves the limit or doubles it at most.
const GRADIENT_MIN: f64 = 0.5;
const GRADIENT_MAX: f64 = 2.0;

/// Fewer answers than this are waited for: the percentile of one or two is chance.
const SAMPLES_MIN: u32 = 10;

/// A limit grows to at most so many times of what was in flight: one that nothing tried would be
/// wrong when it is.
const GROWTH_OVER_PEAK: u32 = 2;

/// While the least time is measured, this share of what the upstream can work on at once is let in,
/// which empties its queue.
const MEASURED_SHARE: f64 = 0.75;

/// A measurement ends after so many intervals, or twice the time of an answer, with what answers it
/// has; an upstream that is asked so seldom has no queue.
const MEASURE_INTERVALS: u64 = 5;

/// After so many intervals in a row that want to halve the limit, or more, it isn't the queue that
/// makes answers late: the least time is measured anew.
const HALVINGS_MAX: u32 = 5;

/// By which part of the difference the least time follows answers that are quicker: one interval's
/// luck must not.
const QUICKER_PART: u32 = 8;

/// What only the one who reckons touches.
#[derive(Debug)]
pub(super) struct Control {
    /// What the gradient says; the limit but for measurements.
    exact: f64,
    /// The limit during a measurement, and when that ends.
    measuring: Option<Measuring>,
    pub(super) min_rtt_us: u32,
    /// The last interval's.
    sample_us: u32,
    /// Intervals in a row that wanted to halve the limit.
    halvings: u32,
    measure_at: u64,
    pub(super) counts_from: u64,
}

#[derive(Debug)]
struct Measuring {
    limit: u32,
    until: u64,
}

impl Control {
    /// Begins with a measurement.
    pub(super) fn new(min_limit: u32) -> Self {
        let measuring = Measuring {
            limit: min_limit,
            until: 0,
        };
        Self {
            exact: f64::from(min_limit),
            measuring: Some(measuring),
            min_rtt_us: 0,
            sample_us: 0,
            halvings: 0,
            measure_at: 0,
            counts_from: 0,
        }
    }

    pub(super) fn limit(&self) -> u32 {
        let exact = whole(self.exact);
        self.measuring
            .as_ref()
            .map_or(exact, |measuring| measuring.limit.min(exact))
    }

    /// Takes the interval's samples, if they are enough. `peak` is asked once where it is needed.
    pub(super) fn reckon(
        &mut self,
        settings: &Settings,
        samples: &Samples,
        peak: impl FnOnce() -> u32,
        now: u64,
    ) {
        let count = samples.count();
        if let Some(measuring) = &mut self.measuring {
            if measuring.until == 0 {
                measuring.until = now + MEASURE_INTERVALS * settings.interval;
            }
            let over = now >= measuring.until;
            if count >= settings.measure_count || (over && count > 0) {
                self.measured(settings, samples.take(settings.percentile), now);
            } else if over && self.min_rtt_us > 0 {
                self.measured(settings, None, now);
            }
            return;
        }
        if count < SAMPLES_MIN {
            return;
        }
        let Some(sample) = samples.take(settings.percentile) else {
            return;
        };
        self.sample_us = sample.max(1);
        if count >= settings.measure_count && self.sample_us < self.min_rtt_us {
            self.min_rtt_us -= (self.min_rtt_us - self.sample_us).div_ceil(QUICKER_PART);
        }
        self.follow(settings, peak());
        if now >= self.measure_at || self.halvings >= HALVINGS_MAX {
            self.measure(settings, now);
        }
    }

    /// One step along the gradient.
    fn follow(&mut self, settings: &Settings, peak: u32) {
        let aim = f64::from(self.min_rtt_us) * (1.0 + settings.buffer);
        let gradient = aim / f64::from(self.sample_us);
        self.halvings = if gradient < GRADIENT_MIN {
            self.halvings + 1
        } else {
            0
        };
        let gradient = gradient.clamp(GRADIENT_MIN, GRADIENT_MAX);
        let next = self.exact * gradient + self.exact.sqrt();
        let tried = f64::from(peak.saturating_mul(GROWTH_OVER_PEAK));
        let next = next.min(tried.max(self.exact));
        self.exact = next.clamp(f64::from(settings.min_limit), f64::from(settings.max_limit));
    }

    /// Begins to measure the least time. By Little's law the upstream works on limit × least time ÷
    /// time of an answer at once; what is in its queue already is no sample.
    fn measure(&mut self, settings: &Settings, now: u64) {
        let busy = f64::from(self.min_rtt_us.min(self.sample_us)) / f64::from(self.sample_us);
        let limit = whole(self.exact * busy * MEASURED_SHARE);
        let answer = u64::from(self.sample_us) * 1_000;
        self.counts_from = now + answer;
        let enough = (MEASURE_INTERVALS * settings.interval).max(2 * answer);
        self.measuring = Some(Measuring {
            limit: limit.max(settings.min_limit),
            until: self.counts_from + enough,
        });
    }

    fn measured(&mut self, settings: &Settings, found: Option<u32>, now: u64) {
        if let Some(found) = found {
            self.min_rtt_us = found.max(1);
            self.sample_us = self.min_rtt_us;
        }
        self.measuring = None;
        self.halvings = 0;
        self.counts_from = 0;
        let varied = 1.0 + settings.jitter * chance(now);
        self.measure_at = now.saturating_add(times(settings.measure_every, varied));
    }
}

/// A share from 0 to 1 that no two proxies agree on: the low bits of a time in nanoseconds, mixed
/// (the finaliser of `SplitMix64`).
fn chance(now: u64) -> f64 {
    let mixed = (now ^ (now >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    f64::from(u32::try_from(mixed >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "limits are within the settings' bounds, which are whole numbers of 32 bits"
)]
fn whole(limit: f64) -> u32 {
    limit as u32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a time that is varied at random may be off by a part in 2^52"
)]
fn times(time: u64, factor: f64) -> u64 {
    (time as f64 * factor) as u64
}
