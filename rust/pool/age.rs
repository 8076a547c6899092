//! How old a connection may become: each a little less than the cluster says, by chance, so that
//! those that were made together don't end together.

use std::time::{Duration, Instant};

/// The share of the age that chance may take off, one in so many: enough to spread a burst, too
/// little to be noticed otherwise.
const SPREAD_SHARE: u64 = 8;

/// The age of one connection.
#[derive(Debug, Clone, Copy)]
pub struct Age {
    pub(super) begun: Instant,
    /// How much of the spread is taken off, of 65,536.
    chance: u16,
}

impl Age {
    /// That of a connection which is made now; `random` is any number.
    pub fn new(now: Instant, random: u64) -> Self {
        Self {
            begun: now,
            chance: (random & 0xFFFF) as u16,
        }
    }

    /// Whether the connection is older than it may become where the cluster allows `max_ms`; 0 is
    /// no bound.
    pub fn is_over(&self, max_ms: u64, now: Instant) -> bool {
        if max_ms == 0 {
            return false;
        }
        let early = (max_ms / SPREAD_SHARE).saturating_mul(u64::from(self.chance)) >> 16;
        let age = now.saturating_duration_since(self.begun);
        age >= Duration::from_millis(max_ms - early)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_spreads_the_end_over_the_last_part_of_the_age() {
        let now = crate::runtime::clock::now();
        let over = |random: u64, ms: u64| {
            let later = now + Duration::from_millis(ms);
            Age::new(now, random).is_over(8_000, later)
        };
        assert!(over(0, 8_000) && !over(0, 7_999));
        assert!(over(0xFFFF, 7_001) && !over(0xFFFF, 6_999));
        assert!(over(0x8000, 7_500) && !over(0x8000, 7_499));
        assert!(!Age::new(now, 7).is_over(0, now + Duration::from_hours(999)));
    }
}
