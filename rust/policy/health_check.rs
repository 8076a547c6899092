//! What an endpoint's active checks say of it, and when the next one is due.

/// How many results in a row change what is thought of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures that make a healthy one unhealthy.
    pub unhealthy: u32,
    /// Successes that make an unhealthy one healthy.
    pub healthy: u32,
}

/// What one check has found out about one endpoint so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    state: State,
    /// Results in a row that speak against the state.
    against: u32,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Not asked yet: requests go there, so that a cluster which is new has endpoints.
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

impl Verdict {
    /// Takes a result; whether the endpoint `fails` differs after it. The first result decides
    /// alone: nothing better is known.
    pub fn note(&mut self, passed: bool, thresholds: Thresholds) -> bool {
        let failed = self.fails();
        let needed = match (self.state, passed) {
            (State::Healthy, true) | (State::Unhealthy, false) => {
                self.against = 0;
                return false;
            }
            (State::Unknown, _) => 1,
            (State::Healthy, false) => thresholds.unhealthy,
            (State::Unhealthy, true) => thresholds.healthy,
        };
        self.against = self.against.saturating_add(1);
        if self.against >= needed {
            self.against = 0;
            self.state = if passed {
                State::Healthy
            } else {
                State::Unhealthy
            };
        }
        self.fails() != failed
    }

    /// Whether requests should go elsewhere.
    pub fn fails(&self) -> bool {
        self.state == State::Unhealthy
    }
}

/// When checks are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// From one check to the next.
    pub interval_us: u64,
    /// The same while the endpoint fails.
    pub failing_interval_us: u64,
    /// Up to so much of an interval is added: many proxies that began together must not ask
    /// together for ever.
    pub jitter_percent: u32,
}

impl Rhythm {
    /// Before the first check; `draw` is any random number.
    pub fn first_us(&self, draw: u64) -> u64 {
        self.jitter_us(self.interval_us, draw)
    }

    /// From the end of a check to the next; `draw` is any random number.
    pub fn next_us(&self, fails: bool, draw: u64) -> u64 {
        let interval = if fails {
            self.failing_interval_us
        } else {
            self.interval_us
        };
        interval.saturating_add(self.jitter_us(interval, draw))
    }

    fn jitter_us(&self, interval: u64, draw: u64) -> u64 {
        let most = u128::from(interval) * u128::from(self.jitter_percent) / 100;
        let share = (most * u128::from(draw)) >> u64::BITS;
        u64::try_from(share).unwrap_or(interval)
    }
}

#[cfg(test)]
#[path = "health_check_tests.rs"]
mod tests;
