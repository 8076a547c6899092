use std::sync::Arc;

use super::super::{Candidate, Load, Picker, Random};
use super::{ShareOf, SlowStart, pick_by_share};
use crate::wire::cluster::Balance;

const PICKS: u32 = 40_000;

fn candidates(weights: &[u32]) -> Vec<Candidate> {
    let candidate = |weight: &u32| Candidate {
        weight: *weight,
        load: Arc::new(Load::default()),
    };
    weights.iter().map(candidate).collect()
}

/// Picks one of those that aren't skipped by their shares.
fn pick(
    picker: &mut Picker,
    random: &mut Random,
    (balance, of): (Balance, &dyn Fn(usize) -> f64),
    skip: &dyn Fn(usize) -> bool,
) -> Option<usize> {
    let shares = ShareOf {
        of,
        highest: 1.0,
        picks_repeat: matches!(balance, Balance::LeastRequest | Balance::P2cEwma),
    };
    pick_by_share(random, &shares, |random, refused| {
        picker.pick(random, 0, &|index| skip(index) || refused(index))
    })
}

/// What part of many picks each endpoint gets, where each has a share of its weight.
fn parts(balance: Balance, weights: &[u32], shares: &[f64]) -> Vec<f64> {
    let mut picker = Picker::new(balance, &candidates(weights));
    let mut random = Random::seeded(11);
    let highest = shares.iter().copied().fold(0.0, f64::max);
    let mut counts = vec![0_u32; weights.len()];
    for _ in 0..PICKS {
        let share = |index: usize| shares[index] / highest;
        let index = pick(&mut picker, &mut random, (balance, &share), &|_| false);
        counts[index.unwrap()] += 1;
    }
    let part = |count: &u32| f64::from(*count) / f64::from(PICKS);
    counts.iter().map(part).collect()
}

/// Within five standard deviations of what weights times shares give.
fn assert_even(balance: Balance, weights: &[u32], shares: &[f64]) {
    let product = |(weight, share): (&u32, &f64)| f64::from(*weight) * share;
    let products: Vec<f64> = weights.iter().zip(shares).map(product).collect();
    let total: f64 = products.iter().sum();
    let parts = parts(balance, weights, shares);
    for (part, product) in parts.iter().zip(&products) {
        let wanted = product / total;
        let spread = 5.0 * (wanted * (1.0 - wanted) / f64::from(PICKS)).sqrt();
        assert!(
            (part - wanted).abs() <= spread + 1e-4,
            "{balance:?}: {parts:?} of {products:?}"
        );
    }
}

#[test]
fn the_share_grows_as_envoy_says() {
    let linear = SlowStart::new(10_000_000, 100, 10);
    let shares = [
        0,
        500_000,
        1_000_000,
        5_000_000,
        9_999_999,
        10_000_000,
        u64::MAX,
    ];
    let found = shares.map(|age| format!("{:.3}", linear.share(age)));
    let wanted = [
        "0.100", "0.100", "0.100", "0.500", "1.000", "1.000", "1.000",
    ];
    assert_eq!(found, wanted);
    // time ^ (1 / aggression).
    let eager = SlowStart::new(10_000_000, 200, 10);
    assert!((eager.share(2_500_000) - 0.5).abs() < 1e-9);
    let slow = SlowStart::new(10_000_000, 50, 0);
    assert!((slow.share(5_000_000) - 0.25).abs() < 1e-9);
}

#[test]
fn turns_and_draws_follow_the_shares() {
    for balance in [Balance::RoundRobin, Balance::Random] {
        assert_even(balance, &[1, 1], &[1.0, 0.1]);
        assert_even(balance, &[1, 1, 1, 1], &[1.0, 0.3, 1.0, 1.0]);
        assert_even(balance, &[5, 1, 3], &[0.5, 1.0, 0.1]);
        assert_even(balance, &[1; 20], &[[0.2; 10], [1.0; 10]].concat());
    }
}

#[test]
fn who_are_all_new_share_as_ever() {
    for balance in [Balance::RoundRobin, Balance::Random, Balance::LeastRequest] {
        assert_even(balance, &[1, 1, 1], &[0.1, 0.1, 0.1]);
    }
    let found = parts(Balance::RoundRobin, &[1, 1, 1, 1], &[0.1; 4]);
    assert_eq!(found, [0.25; 4], "exact, as without slow start");
}

#[test]
fn the_least_loaded_gives_turns_up_too() {
    // Nobody has a request: ties take turns.
    let found = parts(Balance::LeastRequest, &[1, 1, 1, 1], &[1.0, 0.1, 1.0, 1.0]);
    assert!((0.02..0.04).contains(&found[1]), "{found:?}");
    // The new one is the least loaded all the time, and would get every request.
    let all = candidates(&[1, 1, 1]);
    let _busy = (all[0].load.begin(), all[1].load.begin());
    let mut picker = Picker::new(Balance::LeastRequest, &all);
    let mut random = Random::seeded(3);
    let share = |index: usize| if index == 2 { 0.2 } else { 1.0 };
    let mut new = 0;
    for _ in 0..PICKS {
        let how: (_, &dyn Fn(usize) -> f64) = (Balance::LeastRequest, &share);
        let picked = pick(&mut picker, &mut random, how, &|_| false);
        new += u32::from(picked == Some(2));
    }
    assert!(
        (0.19..0.21).contains(&(f64::from(new) / f64::from(PICKS))),
        "{new}"
    );
}

#[test]
fn who_is_held_back_gets_nothing_but_as_the_last() {
    for balance in [
        Balance::RoundRobin,
        Balance::Random,
        Balance::LeastRequest,
        Balance::P2cEwma,
    ] {
        let found = parts(balance, &[1, 1, 1], &[1.0, 0.0, 1.0]);
        assert!(found[1] <= 0.0, "{balance:?}: {found:?}");
        let mut picker = Picker::new(balance, &candidates(&[1, 1]));
        let share = |index: usize| if index == 1 { 0.0 } else { 1.0 };
        let how: (_, &dyn Fn(usize) -> f64) = (balance, &share);
        let picked = pick(&mut picker, &mut Random::seeded(1), how, &|index| {
            index == 0
        });
        assert_eq!(
            picked,
            Some(1),
            "{balance:?}: the last one is never held back"
        );
    }
}

#[test]
fn nobody_is_nobody() {
    let mut picker = Picker::new(Balance::Random, &candidates(&[1, 1]));
    let how: (_, &dyn Fn(usize) -> f64) = (Balance::Random, &|_| 1.0);
    let picked = pick(&mut picker, &mut Random::seeded(1), how, &|_| true);
    assert_eq!(picked, None);
}
