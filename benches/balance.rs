//! What one pick costs, by algorithm and number of endpoints.

use std::sync::Arc;

use divan::Bencher;
use meshcore::balance::Candidate;
use meshcore::balance::Load;
use meshcore::balance::Picker;
use meshcore::balance::Random;
use meshcore::wire::cluster::Balance;

const COUNTS: [usize; 4] = [3, 32, 33, 1_000];

/// Picks in a sample.
const PICKS: u32 = 1_000;

fn main() {
    divan::main();
}

fn run(bencher: Bencher<'_, '_>, balance: Balance, count: usize, weights: u32) {
    let candidate = |weight| Candidate {
        weight: 1 + weight % weights,
        load: Arc::new(Load::default()),
    };
    let candidates: Vec<_> = (0..).take(count).map(candidate).collect();
    let mut random = Random::seeded(1);
    let mut picker = Picker::new(balance, &candidates);
    for index in 0..count {
        picker.observe(index, 1_000, 0);
    }
    let mut now_us = 0;
    bencher.bench_local(|| {
        now_us += 10;
        let index = picker.pick(&mut random, now_us, &|_| false);
        let active = index
            .and_then(|it| candidates.get(it))
            .map(|it| it.load.begin());
        assert!(active.is_some());
        active
    });
}

#[divan::bench(args = COUNTS, sample_size = PICKS)]
fn round_robin(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, Balance::RoundRobin, count, 1);
}

#[divan::bench(args = COUNTS, sample_size = PICKS)]
fn round_robin_weighted(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, Balance::RoundRobin, count, 5);
}

#[divan::bench(args = COUNTS, sample_size = PICKS)]
fn random_weighted(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, Balance::Random, count, 5);
}

#[divan::bench(args = COUNTS, sample_size = PICKS)]
fn least_request(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, Balance::LeastRequest, count, 1);
}

#[divan::bench(args = COUNTS, sample_size = PICKS)]
fn peak_ewma(bencher: Bencher<'_, '_>, count: usize) {
    run(bencher, Balance::P2cEwma, count, 1);
}
