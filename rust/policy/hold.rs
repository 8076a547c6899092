//! What an endpoint says of itself: leave me alone for so long. `Retry-After` (RFC 9110 §10.2.3)
//! and gRPC's push-back ("A6: client retries").

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// No endpoint is left alone longer than this, whatever it says: it may be well before, and who
/// writes hours there means callers, not balancers.
pub const HOLD_MAX: Duration = Duration::from_secs(30);

const DAY: u64 = 86_400;
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// Until when an endpoint wants to be left alone, as all workers know it.
#[derive(Debug, Default)]
pub struct Hold {
    until_us: AtomicU64,
}

impl Hold {
    /// It wants that for `wait` from `now_us` of the clock that all threads share. What it said
    /// before stands if that is longer.
    pub fn extend(&self, now_us: u64, wait: Duration) {
        let wait = wait.min(HOLD_MAX).as_micros();
        let wait = u64::try_from(wait).unwrap_or(0);
        self.until_us
            .fetch_max(now_us.saturating_add(wait), Ordering::Relaxed);
    }

    /// Whether it wants that now.
    #[inline]
    pub fn is_held(&self, now_us: u64) -> bool {
        now_us < self.until_us.load(Ordering::Relaxed)
    }
}

/// A `Retry-After`: seconds, or a date from which `wall_seconds` since 1970 are taken. A date that
/// has passed is no wait.
pub fn retry_after(value: &[u8], wall_seconds: u64) -> Option<Duration> {
    let seconds = number(value).or_else(|| Some(date(value)?.saturating_sub(wall_seconds)))?;
    Some(Duration::from_secs(seconds))
}

/// A `grpc-retry-pushback-ms`. What is no number, or below 0, says that nobody should try again; it
/// says no time.
pub fn pushback(value: &[u8]) -> Option<Duration> {
    number(value).map(Duration::from_millis)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then_some(byte & 0x0F)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// The one form of a date that may be sent today: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110
/// §5.6.7), in seconds since 1970.
fn date(value: &[u8]) -> Option<u64> {
    let (_, rest) = value.split_at_checked(5)?;
    let [
        d0,
        d1,
        b' ',
        m0,
        m1,
        m2,
        b' ',
        y0,
        y1,
        y2,
        y3,
        b' ',
        time @ ..,
    ] = rest
    else {
        return None;
    };
    let [h0, h1, b':', n0, n1, b':', s0, s1, b' ', b'G', b'M', b'T'] = time else {
        return None;
    };
    let name = [*m0, *m1, *m2];
    let month = MONTHS.iter().position(|known| **known == name)?;
    let (day, year) = (number(&[*d0, *d1])?, number(&[*y0, *y1, *y2, *y3])?);
    let (hour, minute, second) = (
        number(&[*h0, *h1])?,
        number(&[*n0, *n1])?,
        number(&[*s0, *s1])?,
    );
    let valid = (1..=31).contains(&day) && hour < 24 && minute < 60 && second <= 60;
    let days = days_since_1970(year, u64::try_from(month).ok()?, day).filter(|_| valid)?;
    Some(days * DAY + hour * 3_600 + minute * 60 + second)
}

/// The day number of a date of the Gregorian calendar; `month` counts from 0.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    // Years that begin with March, so that the leap day is their last.
    let (year, month) = if month < 2 {
        (year.checked_sub(1)?, month + 10)
    } else {
        (year, month - 2)
    };
    let before = year * 365 + year / 4 - year / 100 + year / 400;
    (before + (month * 153 + 2) / 5 + day - 1).checked_sub(719_468)
}

#[cfg(test)]
#[path = "hold_tests.rs"]
mod tests;
