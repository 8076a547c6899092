//! Pickers over random loads, weights, skips and changes, and in a closed loop of virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use meshcore::balance::Active;
use meshcore::balance::Candidate;
use meshcore::balance::LEAST_REQUEST_SCANNED;
use meshcore::balance::Load;
use meshcore::balance::Picker;
use meshcore::balance::Random;
use meshcore::wire::cluster::Balance;

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).expect("below an usize")
}

fn candidates(weights: &[u32]) -> Vec<Candidate> {
    let candidate = |&weight| Candidate {
        weight,
        load: Arc::new(Load::default()),
    };
    weights.iter().map(candidate).collect()
}

#[test]
fn least_request_picks_a_true_minimum_over_all_workers() {
    for seed in 0..300 {
        let mut random = Random::seeded(seed);
        let count = 1 + below(&mut random, LEAST_REQUEST_SCANNED);
        let most = 1 + random.below(4);
        let weights: Vec<u32> = (0..count)
            .map(|_| u32::try_from(1 + random.below(most)).expect("a small weight"))
            .collect();
        let endpoints = candidates(&weights);
        let mut workers = [(); 3].map(|()| Picker::new(Balance::LeastRequest, &endpoints));
        let mut held: Vec<Active> = Vec::new();
        for _ in 0..300 {
            let skipped = below(&mut random, 2 * count);
            let ratio = |index: usize| {
                f64::from(endpoints[index].load.active()) / f64::from(weights[index])
            };
            let least = (0..count)
                .filter(|it| *it != skipped)
                .map(ratio)
                .reduce(f64::min);
            let worker = below(&mut random, workers.len());
            let picked = workers[worker].pick(&mut random, 0, &|index| index == skipped);
            assert_eq!(picked.map(ratio), least, "seed {seed}: {weights:?}");
            held.extend(picked.map(|index| endpoints[index].load.begin()));
            while !held.is_empty() && random.below(2) == 0 {
                let ended = below(&mut random, held.len());
                held.swap_remove(ended);
            }
        }
    }
}

#[test]
fn round_robin_is_exact_each_round_and_over_workers() {
    for seed in 0..200 {
        let mut random = Random::seeded(seed);
        let count = 1 + below(&mut random, 64);
        let weights: Vec<u32> = (0..count)
            .map(|_| u32::try_from(1 + random.below(9)).expect("a small weight"))
            .collect();
        let round: u32 = weights.iter().sum();
        let workers = 1 + below(&mut random, 4);
        let mut seen = vec![0_u32; count];
        for _ in 0..workers {
            let mut picker = Picker::new(Balance::RoundRobin, &candidates(&weights));
            for _ in 0..3 * round {
                seen[picker
                    .pick(&mut random, 0, &|_| false)
                    .expect("an endpoint")] += 1;
            }
        }
        let factor = 3 * u32::try_from(workers).expect("a small count");
        let expected: Vec<u32> = weights.iter().map(|weight| weight * factor).collect();
        assert_eq!(seen, expected, "seed {seed}");
    }
}

#[test]
fn turns_stay_fair_while_endpoints_come_and_go() {
    let both = [Balance::RoundRobin, Balance::LeastRequest];
    for (seed, balance) in (0..50).flat_map(|seed| both.map(|it| (seed, it))) {
        let mut random = Random::seeded(seed);
        // Identities 0 to 4 stay; the others are replaced at every change.
        let mut present: Vec<usize> = (0..8).collect();
        let mut picker = Picker::new(balance, &candidates(&[1; 8]));
        let mut stays = Vec::new();
        for change in 0..500 {
            for _ in 0..=random.below(5) {
                let index = picker
                    .pick(&mut random, 0, &|_| false)
                    .expect("an endpoint");
                stays.extend(Some(present[index]).filter(|it| *it < 5));
            }
            let mut next: Vec<usize> = (0..5).collect();
            next.extend((0..3).map(|fresh| 100 + 3 * change + fresh));
            let mut replaced = Picker::new(balance, &candidates(&[1; 8]));
            replaced.carry_over(&picker, |index| {
                present.iter().position(|it| *it == next[index])
            });
            (picker, present) = (replaced, next);
        }
        let seen = [0, 1, 2, 3, 4].map(|it| stays.iter().filter(|stay| **stay == it).count());
        let spread = seen
            .iter()
            .max()
            .zip(seen.iter().min())
            .map(|(most, least)| most - least);
        assert!(spread <= Some(1), "seed {seed} {balance:?}: {seen:?}");
    }
}

/// Requests that each endpoint took when clients ask again as soon as they have their answer.
fn closed_loop(balance: Balance, latencies_us: &[u64], seed: u64) -> Vec<u64> {
    const CLIENTS: usize = 8;
    const REQUESTS: usize = 20_000;
    let endpoints = candidates(&vec![1; latencies_us.len()]);
    let mut random = Random::seeded(seed);
    let mut picker = Picker::new(balance, &endpoints);
    let mut seen = vec![0; latencies_us.len()];
    let mut running: BinaryHeap<(Reverse<u64>, usize, u64)> = BinaryHeap::new();
    let mut active: Vec<Vec<Active>> = latencies_us.iter().map(|_| Vec::new()).collect();
    let mut now = 0;
    for sent in 0..REQUESTS {
        if sent >= CLIENTS {
            let (Reverse(end), index, latency) = running.pop().expect("a running request");
            now = end;
            active[index].pop();
            picker.observe(index, latency, now);
        }
        let index = picker
            .pick(&mut random, now, &|_| false)
            .expect("an endpoint");
        let latency = latencies_us[index] * (90 + random.below(21)) / 100;
        seen[index] += 1;
        active[index].push(endpoints[index].load.begin());
        running.push((Reverse(now + latency), index, latency));
    }
    seen
}

#[test]
fn load_aware_algorithms_send_less_to_a_slow_endpoint() {
    let latencies = [1_000, 1_000, 1_000, 20_000];
    for seed in 0..10 {
        let blind = closed_loop(Balance::RoundRobin, &latencies, seed);
        assert_eq!(blind, [5_000; 4]);
        for (balance, bound) in [(Balance::LeastRequest, 2_000), (Balance::P2cEwma, 400)] {
            let seen = closed_loop(balance, &latencies, seed);
            assert!(seen[3] < bound, "seed {seed} {balance:?}: {seen:?}");
            assert!(
                seen[..3].iter().all(|fast| *fast > 5_000),
                "seed {seed} {balance:?}: {seen:?}"
            );
        }
    }
}

#[test]
fn peak_ewma_uses_equal_endpoints_about_equally() {
    for seed in 0..10 {
        let seen = closed_loop(Balance::P2cEwma, &[1_000; 4], seed);
        assert!(
            seen.iter().all(|it| it.abs_diff(5_000) < 500),
            "seed {seed}: {seen:?}"
        );
    }
}
