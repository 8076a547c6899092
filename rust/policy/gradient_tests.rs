//! Bounds, priorities and change; how the limit moves is simulated in tests/simulate/adaptive.rs.

use super::*;

const MS: u64 = 1_000_000;

fn gradient(change: impl FnOnce(&mut AdaptiveConcurrency)) -> Arc<Gradient> {
    let mut wire = AdaptiveConcurrency::default();
    change(&mut wire);
    Arc::new(Gradient::new(Settings::from(&wire)))
}

/// Answers so many requests one after the other, each after `took`; gives the time after them.
fn answer(gradient: &Arc<Gradient>, count: u32, (begun, took): (u64, u64)) -> u64 {
    let mut now = begun;
    for _ in 0..count {
        let place = gradient.enter(Priority::Default, now).expect("a place");
        now += took;
        place.answered(now, Duration::ZERO, false);
    }
    now
}

#[test]
fn nothing_is_known_at_first() {
    let gradient = gradient(|wire| wire.min_rtt_calc.min_concurrency = 4);
    let places: Vec<Place> = (0..4)
        .filter_map(|_| gradient.enter(Priority::Default, 0))
        .collect();
    assert_eq!((places.len(), gradient.in_flight()), (4, 4));
    assert!(gradient.enter(Priority::Default, 0).is_none());
    assert_eq!(gradient.min_rtt(), Duration::ZERO);
    drop(places);
    assert_eq!(gradient.in_flight(), 0);
}

#[test]
fn the_low_leave_a_quarter_free_and_the_high_go_beyond() {
    let gradient = gradient(|wire| wire.min_rtt_calc.min_concurrency = 8);
    let places =
        |priority| -> Vec<Place> { std::iter::from_fn(|| gradient.enter(priority, 0)).collect() };
    let low = places(Priority::Low);
    let default = places(Priority::Default);
    let high = places(Priority::High);
    assert_eq!((low.len(), default.len(), high.len()), (6, 2, 2));
    drop((default, high));
    assert!(gradient.enter(Priority::Low, 0).is_none());
    drop(low);
    assert_eq!(places(Priority::High).len(), 10);
}

#[test]
fn whatever_the_limit_each_priority_has_a_place() {
    let gradient = gradient(|wire| wire.min_rtt_calc.min_concurrency = 1);
    for priority in [Priority::Low, Priority::Default, Priority::High] {
        assert!(gradient.enter(priority, 0).is_some(), "{priority:?}");
    }
}

#[test]
fn the_least_time_is_measured_and_what_was_held_back_left_out() {
    let gradient = gradient(|_| ());
    let now = answer(&gradient, 60, (0, 10 * MS));
    let found = gradient.min_rtt().as_micros();
    assert!((9_700..=10_300).contains(&found), "{found}");
    let other = self::gradient(|_| ());
    for index in 0..60 {
        let begun = now + index * 10 * MS;
        let place = other.enter(Priority::Default, begun).expect("a place");
        place.answered(begun + 10 * MS, Duration::from_millis(8), false);
    }
    let found = other.min_rtt().as_micros();
    assert!((1_900..=2_100).contains(&found), "{found}");
}

#[test]
fn quick_failures_are_no_samples() {
    let gradient = gradient(|_| ());
    let mut now = answer(&gradient, 60, (0, 10 * MS));
    let known = gradient.min_rtt();
    for _ in 0..1_000 {
        let place = gradient.enter(Priority::Default, now).expect("a place");
        now += MS;
        place.answered(now, Duration::ZERO, true);
    }
    assert_eq!(gradient.min_rtt(), known);
}

#[test]
fn a_limit_that_nothing_tries_does_not_grow() {
    let gradient = gradient(|_| ());
    // One at a time, for a minute: twice that is less than what there always is.
    answer(&gradient, 6_000, (0, 10 * MS));
    assert_eq!(gradient.limit(), 3);
}

#[test]
fn a_change_of_settings_keeps_what_is_known() {
    let before = gradient(|_| ());
    let now = answer(&before, 60, (0, 10 * MS));
    let _place = before.enter(Priority::Default, now);
    let wire = AdaptiveConcurrency {
        max_concurrency_limit: 2,
        ..AdaptiveConcurrency::default()
    };
    let after = Arc::new(before.with(Settings::from(&wire)));
    assert_eq!(after.min_rtt(), before.min_rtt());
    assert_eq!(after.in_flight(), 1);
    answer(&after, 100, (now, 10 * MS));
    assert_eq!(after.limit(), 2);
}
