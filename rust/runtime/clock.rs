//! The one place that reads the clocks.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that the lint points to"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Wall-clock microseconds since 1970, for logs and certificates.
pub fn wall_micros() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
        })
}

/// Nanoseconds since the first call: a number that all threads can share.
pub fn nanos(now: Instant) -> u64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let since = now.saturating_duration_since(*ORIGIN.get_or_init(|| now));
    let whole = since.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(u64::from(since.subsec_nanos()))
}

/// Microseconds since the first call of [`nanos`]: a number that all threads can share.
pub fn micros(now: Instant) -> u64 {
    nanos(now) / 1_000
}

/// Whole microseconds from `earlier` to `later`, 0 if they are the wrong way round.
pub fn micros_between(earlier: Instant, later: Instant) -> u64 {
    let between = later.saturating_duration_since(earlier);
    // `as_micros` would reckon in 128 bits, several times a request.
    let whole = between.as_secs().saturating_mul(1_000_000);
    whole.saturating_add(u64::from(between.subsec_micros()))
}
