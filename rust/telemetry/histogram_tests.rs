//! What a quantile may be off by, and that bounds and sums are exact.

use super::{BUCKETS, Histogram, LE_POWERS, LazyHistogram, TOP, bucket, middle};

#[test]
fn every_value_is_within_an_eighth_of_its_buckets_middle() {
    let mut us = 0u64;
    while us < 1 << (TOP + 1) {
        let middle = middle(bucket(us));
        assert!(middle.abs_diff(us) * 8 <= us, "{us} became {middle}");
        us += 1 + us / 97;
    }
}

#[test]
fn buckets_are_in_order_and_all_used() {
    let mut last = 0;
    for power in 0..=TOP {
        for quarter in 4..8u64 {
            let at = bucket((quarter << power) / 4);
            assert!(at == last || at == last + 1, "2^{power} * {quarter}/4");
            last = at;
        }
    }
    assert_eq!(last, BUCKETS - 1);
    assert_eq!(bucket(u64::MAX), BUCKETS - 1);
}

#[test]
fn it_stays_within_a_kilobyte() {
    assert!(size_of::<Histogram>() <= 1024);
}

#[test]
fn quantiles_of_a_uniform_spread_are_within_an_eighth() {
    let histogram = Histogram::default();
    for us in 1..=100_000u64 {
        histogram.record(us);
    }
    let snapshot = histogram.snapshot();
    assert_eq!(snapshot.count(), 100_000);
    assert_eq!(snapshot.sum_us(), 100_000 * 100_001 / 2);
    for (q, exact) in [
        (0.5, 50_000u64),
        (0.9, 90_000),
        (0.99, 99_000),
        (1.0, 100_000),
    ] {
        let found = snapshot.quantile(q).unwrap();
        assert!(found.abs_diff(exact) * 8 <= exact, "p{q}: {found}");
    }
}

#[test]
fn quantiles_of_nothing_are_none() {
    assert_eq!(Histogram::default().snapshot().quantile(0.5), None);
}

#[test]
fn bounds_count_exactly_what_is_below() {
    let histogram = Histogram::default();
    for power in LE_POWERS {
        histogram.record((1 << power) - 1);
        histogram.record(1 << power);
    }
    let snapshot = histogram.snapshot();
    for (passed, power) in (0u64..).zip(LE_POWERS) {
        assert_eq!(snapshot.below(power), 2 * passed + 1, "2^{power}");
    }
}

#[test]
fn merging_adds() {
    let (one, two) = (LazyHistogram::default(), LazyHistogram::default());
    assert!(one.get().is_none(), "no memory before the first record");
    one.record(10);
    two.record(1_000_000);
    let mut merged = one.get().unwrap().snapshot();
    merged.merge(two.get().unwrap());
    assert_eq!(merged.count(), 2);
    assert_eq!(merged.sum_us(), 1_000_010);
}
