//! Consistent hashing while endpoints come and go: only keys of those that change move, but a few.

use std::collections::BTreeSet;
use std::sync::Arc;

use meshcore::balance::Candidate;
use meshcore::balance::HashTable;
use meshcore::balance::Load;
use meshcore::balance::Named;
use meshcore::balance::Picker;
use meshcore::balance::Random;
use meshcore::balance::stable_hash;
use meshcore::wire::cluster::{Balance, Hash};

const KEYS: usize = 2_000;

/// Who takes each key, by name.
fn owners(balance: Balance, names: &BTreeSet<String>) -> Vec<String> {
    let names: Vec<&String> = names.iter().collect();
    let named: Vec<Named<'_>> = names.iter().map(|name| Named { name, weight: 1 }).collect();
    let table = HashTable::new(balance, &Hash::default(), &named).expect("a table");
    let candidate = |_| Candidate {
        weight: 1,
        load: Arc::new(Load::default()),
    };
    let candidates: Vec<Candidate> = names.iter().map(candidate).collect();
    let mut picker = Picker::hashing(Arc::new(table), &candidates);
    (0..KEYS)
        .map(|key| {
            let hash = stable_hash(format!("key {key}").as_bytes());
            let index = picker.pick_hashed(hash, &|_| false).expect("an endpoint");
            names[index].clone()
        })
        .collect()
}

/// Changes that make one endpoint leave, or another come; how many keys of others each moves.
fn moved_by_changes(balance: Balance, seed: u64) -> Vec<usize> {
    let mut random = Random::seeded(seed);
    let mut names: BTreeSet<String> = (0..30).map(|index| format!("10.0.0.{index}:80")).collect();
    let mut before = owners(balance, &names);
    let mut change = |number: u64| {
        let place = usize::try_from(random.below(names.len() as u64)).expect("a place");
        let changed = if random.below(2) == 0 {
            names.iter().nth(place).cloned().expect("a name")
        } else {
            format!("10.1.{seed}.{number}:80")
        };
        if !names.remove(&changed) {
            names.insert(changed.clone());
        }
        let after = owners(balance, &names);
        let pairs = before.iter().zip(&after);
        let others = pairs.filter(|(was, is)| was != is && ![was, is].contains(&&&changed));
        let moved = others.count();
        before = after;
        moved
    };
    (0..10).map(&mut change).collect()
}

#[test]
fn a_key_stays_with_its_endpoint_while_others_come_and_go() {
    for (balance, bound) in [(Balance::RingHash, 0), (Balance::Maglev, KEYS * 5 / 100)] {
        for seed in 0..4 {
            let moved = moved_by_changes(balance, seed);
            assert!(
                moved.iter().all(|it| *it <= bound),
                "seed {seed} {balance:?}: {moved:?}"
            );
        }
    }
}

#[test]
fn a_retry_goes_to_the_same_second_endpoint_everywhere() {
    let names: Vec<String> = (0..20).map(|index| format!("10.0.0.{index}:80")).collect();
    let backwards: Vec<&String> = names.iter().rev().collect();
    for balance in [Balance::RingHash, Balance::Maglev] {
        let picker = |names: &[&String]| {
            let named: Vec<Named<'_>> =
                names.iter().map(|name| Named { name, weight: 1 }).collect();
            let table = HashTable::new(balance, &Hash::default(), &named).expect("a table");
            let candidate = |_| Candidate {
                weight: 1,
                load: Arc::new(Load::default()),
            };
            let candidates: Vec<Candidate> = names.iter().map(candidate).collect();
            Picker::hashing(Arc::new(table), &candidates)
        };
        let mut one = picker(&names.iter().collect::<Vec<_>>());
        let mut other = picker(&backwards);
        for key in 0..500 {
            let hash = stable_hash(format!("key {key}").as_bytes());
            let mut tried: Vec<&String> = Vec::new();
            for _ in 0..3 {
                let here = one.pick_hashed(hash, &|index| tried.contains(&&names[index]));
                let there = other.pick_hashed(hash, &|index| tried.contains(&backwards[index]));
                let here = &names[here.expect("an endpoint")];
                assert_eq!(here, backwards[there.expect("an endpoint")], "{balance:?}");
                tried.push(here);
            }
        }
    }
}
