use std::time::Duration;

use super::{HOLD_MAX, Hold, pushback, retry_after};

const DATE: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
const SECONDS: u64 = 784_111_777;

#[test]
fn the_longest_wish_stands_within_the_bound() {
    let hold = Hold::default();
    assert!(!hold.is_held(0));
    hold.extend(1_000, Duration::from_micros(500));
    assert!(hold.is_held(1_499) && !hold.is_held(1_500));
    hold.extend(1_100, Duration::from_micros(100));
    assert!(hold.is_held(1_499), "a shorter one takes nothing back");
    hold.extend(0, Duration::MAX);
    let most = u64::try_from(HOLD_MAX.as_micros()).unwrap();
    assert!(hold.is_held(most - 1) && !hold.is_held(most));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let seconds = |value: &[u8], now| retry_after(value, now).map(|wait| wait.as_secs());
    assert_eq!(seconds(b"0", 5), Some(0));
    assert_eq!(seconds(b"120", 5), Some(120));
    assert_eq!(seconds(DATE, SECONDS - 7), Some(7));
    assert_eq!(seconds(DATE, SECONDS + 7), Some(0), "it has passed");
    assert_eq!(seconds(b"Thu, 01 Jan 1970 00:00:00 GMT", 0), Some(0));
    assert_eq!(
        seconds(b"Tue, 29 Feb 2000 12:00:00 GMT", 0),
        Some(951_825_600)
    );
    assert_eq!(
        seconds(b"Fri, 01 Mar 2024 00:00:00 GMT", 0),
        Some(1_709_251_200)
    );
    assert_eq!(
        seconds(b"Sat, 31 Dec 2044 23:59:60 GMT", 0),
        Some(2_366_841_600)
    );
}

#[test]
fn what_is_neither_is_nothing() {
    for wrong in [
        &b""[..],
        b"-1",
        b"1.5",
        b"soon",
        b"99999999999999999999",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 06 Nov 1994 08:49:37 UTC",
        b"Sun, 06 Nux 1994 08:49:37 GMT",
        b"Sun, 32 Nov 1994 08:49:37 GMT",
        b"Sun, 00 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:49:37 GMT",
        b"Sun, 06 Nov 1994 08:4x:37 GMT",
        b"Sun, 06 Nov 1900 08:49:37 GMT",
        b"Sat, 01 Jan 0000 00:00:00 GMT",
    ] {
        assert_eq!(retry_after(wrong, 0), None, "{:?}", str::from_utf8(wrong));
    }
}

#[test]
fn pushback_is_milliseconds_or_never() {
    assert_eq!(pushback(b"250"), Some(Duration::from_millis(250)));
    assert_eq!(pushback(b"-1"), None);
    assert_eq!(pushback(b"x"), None);
}
