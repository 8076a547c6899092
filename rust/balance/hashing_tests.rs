//! What consistent hashing promises: few keys move, shares follow weights, loads stay bounded.

use std::sync::Arc;

use super::HashTable;
use super::Named;
use super::fold;
use super::mix;
use super::stable_hash;
use crate::balance::Active;
use crate::balance::Candidate;
use crate::balance::Load;
use crate::balance::Picker;
use crate::balance::Random;
use crate::wire::cluster::{Balance, Hash};

const BOTH: [Balance; 2] = [Balance::RingHash, Balance::Maglev];
const KEYS: usize = 20_000;

fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|index| format!("10.0.{}.{}:8080", index / 250, index % 250))
        .collect()
}

fn named<'a>(names: &'a [String], weight: impl Fn(usize) -> u32) -> Vec<Named<'a>> {
    let one = |(index, name): (usize, &'a String)| Named {
        name,
        weight: weight(index),
    };
    names.iter().enumerate().map(one).collect()
}

fn picker(balance: Balance, hash: &Hash, endpoints: &[Named<'_>]) -> (Picker, Vec<Candidate>) {
    let table = HashTable::new(balance, hash, endpoints).expect("a table");
    let candidate = |endpoint: &Named<'_>| Candidate {
        weight: endpoint.weight,
        load: Arc::new(Load::default()),
    };
    let candidates: Vec<_> = endpoints.iter().map(candidate).collect();
    (Picker::hashing(Arc::new(table), &candidates), candidates)
}

fn key(number: usize) -> u64 {
    stable_hash(format!("user-{number}").as_bytes())
}

/// Who takes each key.
fn owners(balance: Balance, endpoints: &[Named<'_>]) -> Vec<String> {
    let (mut picker, _) = picker(balance, &Hash::default(), endpoints);
    let owner = |number| {
        let index = picker.pick_hashed(key(number), &|_| false);
        endpoints[index.expect("an endpoint")].name.to_owned()
    };
    (0..KEYS).map(owner).collect()
}

#[test]
fn the_hash_is_made_as_published() {
    // From the authors' test vectors of FNV-1a.
    assert_eq!(fold(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(fold(b"a"), 0xaf63_dc4c_8601_ec8c);
    assert_eq!(fold(b"foobar"), 0x8594_4171_f739_67e8);
    // What SplitMix64 draws first from the seed 0.
    assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
}

#[test]
fn the_hash_of_bytes_never_changes() {
    assert_eq!(stable_hash(b""), 0xf52a_15e9_a9b5_e89b);
    assert_eq!(stable_hash(b"10.0.0.1:8080"), 0xe6be_330c_3d44_a2e2);
}

/// Keys of others that move when one of `endpoints` leaves; the most of three.
fn moved(balance: Balance, endpoints: &[Named<'_>]) -> usize {
    let before = owners(balance, endpoints);
    let moved = |gone: usize| {
        let mut fewer = endpoints.to_vec();
        let gone = fewer.remove(gone).name;
        let after = owners(balance, &fewer);
        let pairs = before.iter().zip(&after);
        pairs.filter(|(was, is)| *was != gone && was != is).count()
    };
    [0, 37, 99].map(moved).into_iter().max().unwrap_or(KEYS)
}

#[test]
fn one_of_a_hundred_that_leaves_moves_few_other_keys() {
    let all = names(100);
    let equal = named(&all, |_| 1);
    let unequal = named(&all, |index| [1, 2, 5][index % 3]);
    assert_eq!(moved(Balance::RingHash, &equal), 0, "nobody's points move");
    let found = moved(Balance::RingHash, &unequal);
    assert!(found <= KEYS * 2 / 100, "{found} of {KEYS}");
    for endpoints in [equal, unequal] {
        let found = moved(Balance::Maglev, &endpoints);
        assert!(found <= KEYS * 3 / 100, "{found} of {KEYS}");
    }
}

#[test]
fn the_order_of_endpoints_means_nothing() {
    let all = names(30);
    for balance in BOTH {
        let mut endpoints = named(&all, |index| 1 + u32::from(index % 2 == 0));
        let before = owners(balance, &endpoints);
        endpoints.reverse();
        assert_eq!(owners(balance, &endpoints), before, "{balance:?}");
    }
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn shares_follow_weights() {
    let all = names(20);
    for (balance, tolerance) in [(Balance::RingHash, 0.25), (Balance::Maglev, 0.12)] {
        let weight = |index: usize| [1, 3][index % 2];
        let endpoints = named(&all, weight);
        let owners = owners(balance, &endpoints);
        for (index, name) in all.iter().enumerate() {
            let seen = owners.iter().filter(|owner| *owner == name).count();
            let expected = KEYS as f64 * f64::from(weight(index)) / 40.0;
            let off = (seen as f64 / expected - 1.0).abs();
            assert!(off < tolerance, "{balance:?} {name}: {seen} of {expected}");
        }
    }
}

#[test]
fn one_that_is_skipped_gives_its_keys_to_several_and_no_other_key_moves() {
    let all = names(10);
    for balance in BOTH {
        let (mut picker, _) = picker(balance, &Hash::default(), &named(&all, |_| 1));
        let mut heirs = [0; 10];
        for number in 0..KEYS {
            let first = picker.pick_hashed(key(number), &|_| false);
            let second = picker.pick_hashed(key(number), &|index| index == 4);
            if first == Some(4) {
                heirs[second.expect("another")] += 1;
            } else {
                assert_eq!(first, second, "{balance:?}");
            }
        }
        assert_eq!(heirs[4], 0);
        assert_eq!(
            heirs.iter().filter(|heir| **heir > 0).count(),
            9,
            "{heirs:?}"
        );
    }
}

#[test]
fn the_last_one_that_is_not_skipped_is_found() {
    for count in [1, 2, 300] {
        let all = names(count);
        for balance in BOTH {
            let (mut picker, _) = picker(balance, &Hash::default(), &named(&all, |_| 1));
            let mut random = Random::seeded(1);
            for number in 0..50 {
                let last = count - 1;
                let skip = |index| index != last;
                assert_eq!(picker.pick_hashed(key(number), &skip), Some(last));
                assert_eq!(picker.pick(&mut random, 0, &skip), Some(last));
                assert_eq!(picker.pick_hashed(key(number), &|_| true), None);
            }
        }
    }
    for balance in BOTH {
        let (mut picker, _) = picker(balance, &Hash::default(), &[]);
        assert_eq!(picker.pick_hashed(1, &|_| false), None);
    }
}

#[test]
fn settings_at_their_ends_make_tables() {
    let all = names(50);
    let weight = |index: usize| u32::try_from(1 + index * 1_000).expect("a weight");
    for (ring_size, table_size) in [(1, 2), (4, 3), (65_536, 53)] {
        let hash = Hash {
            ring_size,
            table_size,
            ..Hash::default()
        };
        for balance in BOTH {
            let (mut picker, _) = picker(balance, &hash, &named(&all, weight));
            assert!((0..100).all(|number| picker.pick_hashed(key(number), &|_| false).is_some()));
        }
    }
    assert!(HashTable::new(Balance::Random, &Hash::default(), &[]).is_none());
}

#[test]
fn bounded_loads_stay_within_the_factor() {
    let all = names(100);
    let hash = Hash {
        load_factor_percent: 125,
        ..Hash::default()
    };
    for (balance, seed) in BOTH
        .into_iter()
        .flat_map(|it| (0..5).map(move |seed| (it, seed)))
    {
        let (mut picker, candidates) = picker(balance, &hash, &named(&all, |_| 1));
        let mut random = Random::seeded(seed);
        let mut held: Vec<Active> = Vec::new();
        for _ in 0..5_000 {
            // Few keys are hot, as keys are.
            let number = random.below(20) * random.below(20);
            let hash = key(usize::try_from(number).expect("a small number"));
            let index = picker.pick_hashed(hash, &|_| false).expect("an endpoint");
            held.push(candidates[index].load.begin());
            let bound = (held.len() * 125).div_ceil(100 * candidates.len());
            let active = candidates[index].load.active() as usize;
            assert!(active <= bound, "{balance:?}: {active} of {}", held.len());
            if held.len() > 2_000 {
                held.swap_remove(usize::try_from(random.below(2_000)).expect("an index"));
            }
        }
    }
}

#[test]
fn bounded_loads_leave_an_idle_cluster_as_it_is_and_skips_count_out() {
    let all = names(4);
    let hash = Hash {
        load_factor_percent: 100,
        ..Hash::default()
    };
    for balance in BOTH {
        let (mut bounded, candidates) = picker(balance, &hash, &named(&all, |_| 1));
        let (mut free, _) = picker(balance, &Hash::default(), &named(&all, |_| 1));
        for number in 0..500 {
            let picked = bounded.pick_hashed(key(number), &|_| false);
            assert_eq!(picked, free.pick_hashed(key(number), &|_| false));
        }
        // Two left of four share the load of two, each its half.
        let mut held = Vec::new();
        for _ in 0..10 {
            let picked = bounded
                .pick_hashed(key(7), &|index| index < 2)
                .expect("one of two");
            held.push(candidates[picked].load.begin());
        }
        let active: Vec<_> = candidates.iter().map(|it| it.load.active()).collect();
        assert_eq!(active, [0, 0, 5, 5], "{balance:?}");
    }
}
