//! Slow start: an endpoint that is new, or has come back, gets a part of its share that grows.
//!
//! Nothing is weighed anew. A picker gives an endpoint its turn, and by chance the turn is refused
//! and goes to the next pick: the shares come out as if weights had been multiplied, exactly for
//! those who are drawn or take turns, nearly where the least loaded one is taken.

use smallvec::SmallVec;

use super::Random;

/// Turns refused in one pick before the next one is taken as it comes. Where nine of ten endpoints
/// are at a tenth of their weight, more than one pick in a thousand gets that far.
const REFUSALS_MAX: usize = 32;

/// How an endpoint's share grows, after Envoy's "slow start mode".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowStart {
    window_us: u64,
    /// 1 / aggression.
    exponent: f64,
    least: f64,
}

impl SlowStart {
    /// From `least_percent` to all of the weight within `window_us`; linear at an aggression of
    /// 100 percent, and faster at first above it.
    pub fn new(window_us: u64, aggression_percent: u32, least_percent: u8) -> Self {
        Self {
            window_us,
            exponent: 100.0 / f64::from(aggression_percent.max(1)),
            least: f64::from(least_percent) / 100.0,
        }
    }

    /// The part of its weight that an endpoint has at an age: above 0 and at most 1.
    pub fn share(&self, age_us: u64) -> f64 {
        if age_us >= self.window_us {
            return 1.0;
        }
        let time = as_f64(age_us) / as_f64(self.window_us);
        time.powf(self.exponent).max(self.least)
    }
}

/// What part of their turns endpoints take.
pub struct ShareOf<'s> {
    /// That of one, from 0 to 1.
    pub of: &'s dyn Fn(usize) -> f64,
    /// About the highest that any has.
    pub highest: f64,
    /// Whether one pick after the other is the same, as long as nothing else changes.
    pub picks_repeat: bool,
}

/// Picks by `pick`, which is told whom it must pass over besides, until somebody takes the turn:
/// each takes only its share, in relation to the highest. At 0 it is passed over unless there is
/// nobody else.
pub fn pick_by_share(
    random: &mut Random,
    shares: &ShareOf<'_>,
    mut pick: impl FnMut(&mut Random, &dyn Fn(usize) -> bool) -> Option<usize>,
) -> Option<usize> {
    let mut refused = SmallVec::<[usize; 8]>::new();
    let mut last = None;
    for _ in 0..REFUSALS_MAX {
        let Some(index) = pick(random, &|index| refused.contains(&index)) else {
            break;
        };
        last = Some(index);
        let share = (shares.of)(index);
        if share >= shares.highest || fraction(random) * shares.highest < share {
            return Some(index);
        }
        // It would be picked again and again, or must not be.
        if share <= 0.0 || shares.picks_repeat {
            refused.push(index);
        }
    }
    last
}

/// A number from 0 to below 1.
fn fraction(random: &mut Random) -> f64 {
    as_f64(random.next_u64() >> 11) / as_f64(1 << 53)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "at most 2^53, or microseconds of which 2^53 are 285 years"
)]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
#[path = "slow_start_tests.rs"]
mod tests;
