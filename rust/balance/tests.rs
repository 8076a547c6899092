//! What each algorithm promises, measured on its picks.

use std::sync::Arc;

use super::Active;
use super::Candidate;
use super::LEAST_REQUEST_SCANNED;
use super::Load;
use super::Picker;
use super::Random;
use crate::wire::cluster::Balance;

const ALL: [Balance; 4] = [
    Balance::RoundRobin,
    Balance::Random,
    Balance::LeastRequest,
    Balance::P2cEwma,
];

fn candidates(weights: &[u32]) -> Vec<Candidate> {
    let candidate = |&weight| Candidate {
        weight,
        load: Arc::new(Load::default()),
    };
    weights.iter().map(candidate).collect()
}

/// Picks that end at once.
fn picks(picker: &mut Picker, random: &mut Random, count: usize) -> Vec<usize> {
    (0..count)
        .map(|_| picker.pick(random, 0, &|_| false).expect("an endpoint"))
        .collect()
}

fn shares(picks: &[usize], endpoints: usize) -> Vec<usize> {
    let mut seen = vec![0; endpoints];
    for &pick in picks {
        seen[pick] += 1;
    }
    seen
}

/// Pearson's statistic of `seen` against shares by `weights`.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn chi_square(seen: &[usize], weights: &[u32]) -> f64 {
    let total: u32 = weights.iter().sum();
    let count: usize = seen.iter().sum();
    let term = |(&seen, &weight): (&usize, &u32)| {
        let expected = count as f64 * f64::from(weight) / f64::from(total);
        (seen as f64 - expected).powi(2) / expected
    };
    seen.iter().zip(weights).map(term).sum()
}

#[test]
fn equal_weights_take_turns_exactly() {
    for weight in [1, 7] {
        let mut picker = Picker::new(Balance::RoundRobin, &candidates(&[weight; 3]));
        let picked = picks(&mut picker, &mut Random::seeded(1), 9_000);
        assert!(picked.iter().copied().eq((0..9_000).map(|turn| turn % 3)));
    }
}

#[test]
fn weights_5_1_1_give_nginxs_smooth_order() {
    let mut picker = Picker::new(Balance::RoundRobin, &candidates(&[5, 1, 1]));
    let picked = picks(&mut picker, &mut Random::seeded(1), 14);
    assert_eq!(picked, [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn many_weighted_endpoints_get_exact_shares_each_round_and_spread_within() {
    let weights: Vec<u32> = (0..100).map(|index| 1 + index % 7).collect();
    let round: usize = weights.iter().map(|weight| *weight as usize).sum();
    let mut picker = Picker::new(Balance::RoundRobin, &candidates(&weights));
    for _ in 0..3 {
        let picked = picks(&mut picker, &mut Random::seeded(1), round);
        assert!(
            shares(&picked, 100)
                .iter()
                .zip(&weights)
                .all(|(seen, weight)| *seen == *weight as usize)
        );
        let half = shares(&picked[..round / 2], 100);
        assert!(
            half.iter()
                .zip(&weights)
                .all(|(seen, weight)| seen.abs_diff(*weight as usize / 2) <= 1)
        );
    }
}

#[test]
fn random_follows_weights() {
    // Critical values of chi-square at p = 0.001 for 9 and for 4 degrees of freedom.
    for (weights, critical) in [(vec![1; 10], 27.877), (vec![1, 2, 3, 10, 84], 18.467)] {
        let mut picker = Picker::new(Balance::Random, &candidates(&weights));
        let picked = picks(&mut picker, &mut Random::seeded(2), 100_000);
        let statistic = chi_square(&shares(&picked, weights.len()), &weights);
        assert!(statistic < critical, "{weights:?}: {statistic}");
    }
}

#[test]
fn random_follows_the_weights_of_those_not_skipped() {
    let mut picker = Picker::new(Balance::Random, &candidates(&[90, 1, 2, 3]));
    let mut random = Random::seeded(3);
    let picked: Vec<_> = (0..100_000)
        .map(|_| {
            picker
                .pick(&mut random, 0, &|index| index == 0)
                .expect("an endpoint")
        })
        .collect();
    let statistic = chi_square(&shares(&picked, 4)[1..], &[1, 2, 3]);
    assert!(statistic < 13.816, "2 degrees of freedom: {statistic}");
}

#[test]
fn least_request_uses_an_idle_cluster_evenly_and_by_weight() {
    let mut random = Random::seeded(4);
    let mut picker = Picker::new(Balance::LeastRequest, &candidates(&[1; 5]));
    assert_eq!(shares(&picks(&mut picker, &mut random, 1_000), 5), [200; 5]);
    let mut picker = Picker::new(Balance::LeastRequest, &candidates(&[3, 1]));
    assert_eq!(
        shares(&picks(&mut picker, &mut random, 1_000), 2),
        [750, 250]
    );
}

#[test]
fn two_choices_keep_many_endpoints_level() {
    let endpoints = candidates(&vec![1; LEAST_REQUEST_SCANNED + 68]);
    let mut picker = Picker::new(Balance::LeastRequest, &endpoints);
    let mut random = Random::seeded(5);
    let held: Vec<Active> = (0..1_000)
        .map(|_| {
            let index = picker
                .pick(&mut random, 0, &|_| false)
                .expect("an endpoint");
            endpoints[index].load.begin()
        })
        .collect();
    let most = endpoints.iter().map(|it| it.load.active()).max();
    assert!(
        most <= Some(13),
        "of 10 on average, random choice would give about 18: {most:?}"
    );
    drop(held);
    assert!(endpoints.iter().all(|it| it.load.active() == 0));
}

#[test]
fn ewma_prefers_the_fast_and_leaves_one_that_becomes_slow_at_once() {
    let endpoints = candidates(&[1, 1]);
    let mut picker = Picker::new(Balance::P2cEwma, &endpoints);
    let mut random = Random::seeded(6);
    picker.observe(0, 1_000, 0);
    picker.observe(1, 50_000, 0);
    assert_eq!(shares(&picks(&mut picker, &mut random, 100), 2), [100, 0]);
    picker.observe(0, 90_000, 0);
    assert_eq!(shares(&picks(&mut picker, &mut random, 100), 2), [0, 100]);
    // Both decay alike; 80 ms seen after 30 s of silence stand against what is left of 90 ms.
    picker.observe(1, 80_000, 30_000_000);
    assert_eq!(picker.pick(&mut random, 30_000_000, &|_| false), Some(0));
}

#[test]
fn ewma_weighs_latency_by_active_requests_and_tries_the_unknown_once() {
    let endpoints = candidates(&[1, 1]);
    let mut picker = Picker::new(Balance::P2cEwma, &endpoints);
    let mut random = Random::seeded(7);
    picker.observe(0, 1_000, 0);
    assert_eq!(
        picker.pick(&mut random, 0, &|_| false),
        Some(1),
        "unknown and idle"
    );
    let probe = endpoints[1].load.begin();
    assert_eq!(
        picker.pick(&mut random, 0, &|_| false),
        Some(0),
        "unknown and asked"
    );
    drop(probe);
    picker.observe(1, 3_000, 0);
    let held: Vec<Active> = (0..3).map(|_| endpoints[0].load.begin()).collect();
    assert_eq!(
        picker.pick(&mut random, 0, &|_| false),
        Some(1),
        "3 ms against 4 × 1 ms"
    );
    drop(held);
}

#[test]
fn skipped_endpoints_are_never_picked_by_any_algorithm() {
    let many: Vec<u32> = (1..=40).collect();
    for weights in [vec![1; 4], vec![65_535, 1, 65_535, 1], vec![1; 40], many] {
        for balance in ALL {
            let mut picker = Picker::new(balance, &candidates(&weights));
            let mut random = Random::seeded(8);
            let last = weights.len() - 1;
            for _ in 0..200 {
                let even = picker.pick(&mut random, 0, &|index| index % 2 == 1);
                assert!(
                    even.is_some_and(|index| index % 2 == 0),
                    "{balance:?} {weights:?}"
                );
                assert_eq!(
                    picker.pick(&mut random, 0, &|index| index != last),
                    Some(last)
                );
                assert_eq!(picker.pick(&mut random, 0, &|_| true), None);
            }
        }
    }
    for balance in ALL {
        let mut random = Random::seeded(9);
        assert_eq!(
            Picker::new(balance, &[]).pick(&mut random, 0, &|_| false),
            None
        );
        let mut one = Picker::new(balance, &candidates(&[1]));
        assert_eq!(one.pick(&mut random, 0, &|_| false), Some(0));
        assert_eq!(one.pick(&mut random, 0, &|_| true), None);
    }
}

#[test]
fn a_skipped_endpoint_does_not_catch_up_in_a_burst() {
    let weights: Vec<u32> = (0..40).map(|index| 1 + index % 2).collect();
    for weights in [vec![1, 2, 1], weights] {
        let mut picker = Picker::new(Balance::RoundRobin, &candidates(&weights));
        let mut random = Random::seeded(10);
        for _ in 0..10_000 {
            picker.pick(&mut random, 0, &|index| index == 1);
        }
        let after = shares(&picks(&mut picker, &mut random, 60), weights.len());
        let share = 60 * 2 / weights.iter().sum::<u32>() as usize;
        assert!(after[1] <= share + 2, "{} of about {share}", after[1]);
    }
}

#[test]
fn turns_go_on_when_endpoints_change() {
    let mut random = Random::seeded(11);
    let mut old = Picker::new(Balance::RoundRobin, &candidates(&[1; 3]));
    picks(&mut old, &mut random, 1);
    // A B C becomes N B C: the turn was B's.
    let mut new = Picker::new(Balance::RoundRobin, &candidates(&[1; 3]));
    new.carry_over(&old, |index| (index > 0).then_some(index));
    assert_eq!(picks(&mut new, &mut random, 3), [1, 2, 0]);

    for weights in [vec![3, 1, 2], (0..100).map(|index| 1 + index % 3).collect()] {
        let round = weights.iter().sum::<u32>() as usize;
        let mut picker = Picker::new(Balance::RoundRobin, &candidates(&weights));
        let mut picked = Vec::new();
        for _ in 0..round {
            picked.extend(picks(&mut picker, &mut random, 1));
            let mut next = Picker::new(Balance::RoundRobin, &candidates(&weights));
            next.carry_over(&picker, Some);
            picker = next;
        }
        let seen = shares(&picked, weights.len());
        assert!(
            seen.iter()
                .zip(&weights)
                .all(|(seen, weight)| *seen == *weight as usize),
            "{seen:?}"
        );
    }
}

#[test]
fn estimates_stay_when_endpoints_change() {
    let mut random = Random::seeded(12);
    let mut old = Picker::new(Balance::P2cEwma, &candidates(&[1; 2]));
    old.observe(0, 1_000, 0);
    old.observe(1, 9_000, 0);
    let mut new = Picker::new(Balance::P2cEwma, &candidates(&[1; 2]));
    new.carry_over(&old, |index| Some(1 - index));
    assert_eq!(shares(&picks(&mut new, &mut random, 50), 2), [0, 50]);
}
