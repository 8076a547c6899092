//! What one worker holds of a bucket that several proxies share.
//!
//! Asking for each request would make the one who counts the slowest part of all. So a worker that
//! sees many requests takes what they will need within a moment at once, and what it was refused it
//! doesn't ask for again before there can be more. What was taken counts as used whether it is or
//! not, and is good for a moment only: over any time, no more passes than the rate allows for that
//! time and one moment (docs/decisions/0012).

/// Nanoseconds for which what was taken is good, at most.
const MOMENT_MAX: u64 = 10_000_000;

/// The part of the rate's time that a moment may be: by so much the rate can be passed within it.
const MOMENT_SHARE: u64 = 100;

/// The most that is taken at once: a hundred thousand a second and worker is more than one serves.
const TAKEN_MAX: u32 = 1_000;

/// Nanoseconds for which a refusal is believed, at most: the other side may forget.
const REFUSED_MAX: u64 = 100_000_000;

/// What a worker knows of one bucket.
#[derive(Debug, Default)]
pub struct Lease {
    /// Requests that may pass without asking, until `good_until`.
    left: u32,
    good_until: u64,
    /// Nothing is there before.
    refused_until: u64,
    /// A question is under way; others wait for its answer.
    asking: bool,
    /// When a moment began, and how many requests have come in it and in the one before.
    moment_at: u64,
    came: u32,
    came_before: u32,
    /// What was told of the bucket: more that were there, when there is another, when it is full.
    remaining: u64,
    next_at: u64,
    full_at: u64,
}

/// What the one who counts says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many may pass, of those that were asked for.
    pub granted: u32,
    /// How many more are there.
    pub remaining: u64,
    /// Nanoseconds until the bucket is full.
    pub reset: u64,
    /// Nanoseconds until there is another, where none was granted.
    pub wait: u64,
}

/// What a request does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It passes; so many more would, and after so many nanoseconds the bucket is full.
    Passes {
        /// More that would pass.
        remaining: u64,
        /// Nanoseconds.
        reset: u64,
    },
    /// It is refused; after so many nanoseconds another try may pass, and the bucket is full.
    Refused {
        /// Nanoseconds.
        wait: u64,
        /// Nanoseconds.
        reset: u64,
    },
    /// It asks for so many, and says so by `asked`.
    Asks(u32),
    /// It waits for another's answer.
    Waits,
}

impl Lease {
    /// Counts a request that comes at `now`, where `per` is the time of the rate.
    pub fn arrive(&mut self, now: u64, per: u64) {
        let passed = now.saturating_sub(self.moment_at);
        if passed >= moment(per) {
            let follows = passed < moment(per).saturating_mul(2);
            self.came_before = if follows { self.came } else { 0 };
            self.moment_at = now;
            self.came = 0;
        }
        self.came = self.came.saturating_add(1);
    }

    /// What a request that has come does at `now`.
    pub fn step(&mut self, now: u64) -> Step {
        if now < self.good_until && self.left > 0 {
            self.left -= 1;
            return self.passes(now);
        }
        if now < self.refused_until {
            return self.refused(now);
        }
        if self.asking {
            return Step::Waits;
        }
        // As many as come within a moment.
        let wanted = self.came.max(self.came_before);
        Step::Asks(wanted.clamp(1, TAKEN_MAX))
    }

    /// A question goes out.
    pub fn asked(&mut self) {
        self.asking = true;
    }

    /// The answer came: what becomes of the request that asked, and passes first.
    pub fn answered(&mut self, answer: Answer, now: u64, per: u64) -> Step {
        self.asking = false;
        self.left = answer.granted.saturating_sub(1);
        self.remaining = answer.remaining;
        self.next_at = now.saturating_add(answer.wait);
        self.full_at = now.saturating_add(answer.reset);
        self.good_until = now.saturating_add(moment(per));
        if answer.granted > 0 {
            self.refused_until = 0;
            return self.passes(now);
        }
        self.refused_until = now.saturating_add(answer.wait.min(REFUSED_MAX));
        self.refused(now)
    }

    fn passes(&self, now: u64) -> Step {
        Step::Passes {
            remaining: self.remaining.saturating_add(self.left.into()),
            reset: self.full_at.saturating_sub(now),
        }
    }

    fn refused(&self, now: u64) -> Step {
        Step::Refused {
            wait: self.next_at.saturating_sub(now),
            reset: self.full_at.saturating_sub(now),
        }
    }

    /// No answer came.
    pub fn unanswered(&mut self) {
        self.asking = false;
    }

    /// Whether nothing is known that matters after `now`.
    pub fn is_idle(&self, now: u64) -> bool {
        let over = now >= self.good_until.max(self.refused_until);
        over && !self.asking && now.saturating_sub(self.moment_at) > MOMENT_MAX
    }
}

fn moment(per: u64) -> u64 {
    (per / MOMENT_SHARE).min(MOMENT_MAX)
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
