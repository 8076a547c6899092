//! What one pick costs, by algorithm and number of endpoints; and what a table of keys costs.

use std::sync::Arc;

use divan::Bencher;
use meshcore::balance::Candidate;
use meshcore::balance::HashTable;
use meshcore::balance::Load;
use meshcore::balance::Named;
use meshcore::balance::Picker;
use meshcore::balance::Random;
use meshcore::wire::cluster::{Balance, Hash};

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

fn names(count: usize) -> Vec<String> {
    let name = |index| format!("10.0.{}.{}:8080", index / 250, index % 250);
    (0..count).map(name).collect()
}

fn table(balance: Balance, names: &[String], load_factor_percent: u32) -> Option<HashTable> {
    let named = names.iter().map(|name| Named { name, weight: 1 });
    let hash = Hash {
        load_factor_percent,
        ..Hash::default()
    };
    HashTable::new(balance, &hash, &named.collect::<Vec<_>>())
}

fn run_hashed(bencher: Bencher<'_, '_>, balance: Balance, count: usize, load_factor: u32) {
    let candidate = |_| Candidate {
        weight: 1,
        load: Arc::new(Load::default()),
    };
    let candidates: Vec<_> = (0..count).map(candidate).collect();
    // All have something to do, so that bounded loads have to look.
    let _active: Vec<_> = candidates.iter().map(|it| it.load.begin()).collect();
    let Some(table) = table(balance, &names(count), load_factor) else {
        return;
    };
    let mut picker = Picker::hashing(Arc::new(table), &candidates);
    let mut random = Random::seeded(1);
    bencher.bench_local(|| {
        let hash = random.next_u64();
        picker.pick_hashed(hash, &|_| false)
    });
}

#[divan::bench(args = COUNTS, sample_size = PICKS)]
fn ring_hash(bencher: Bencher<'_, '_>, count: usize) {
    run_hashed(bencher, Balance::RingHash, count, 0);
}

#[divan::bench(args = COUNTS, sample_size = PICKS)]
fn maglev(bencher: Bencher<'_, '_>, count: usize) {
    run_hashed(bencher, Balance::Maglev, count, 0);
}

#[divan::bench(args = COUNTS, sample_size = PICKS)]
fn maglev_bounded(bencher: Bencher<'_, '_>, count: usize) {
    run_hashed(bencher, Balance::Maglev, count, 125);
}

#[divan::bench(args = [100, 1_000])]
fn build_ring_hash(bencher: Bencher<'_, '_>, count: usize) {
    let names = names(count);
    bencher.bench_local(|| table(Balance::RingHash, &names, 0));
}

#[divan::bench(args = [100, 1_000])]
fn build_maglev(bencher: Bencher<'_, '_>, count: usize) {
    let names = names(count);
    bencher.bench_local(|| table(Balance::Maglev, &names, 0));
}
