//! Levels of endpoints while these come and go: whoever may answer does, and the near before others.

use std::collections::BTreeMap;
use std::sync::Arc;

use meshcore::balance::Asking;
use meshcore::balance::Availability;
use meshcore::balance::Candidate;
use meshcore::balance::Layout;
use meshcore::balance::Levels;
use meshcore::balance::Load;
use meshcore::balance::Place;
use meshcore::balance::Random;
use meshcore::wire::cluster::Balance;
use meshcore::wire::cluster::locality::{Locality, ZoneAware};

const PLACES: [&str; 6] = ["eu/a/1", "eu/a/2", "eu/b/1", "us/a/1", "us/b/1", ""];
const BALANCES: [Balance; 4] = [
    Balance::RoundRobin,
    Balance::Random,
    Balance::LeastRequest,
    Balance::P2cEwma,
];

struct Endpoint {
    locality: &'static str,
    priority: u32,
    draining: bool,
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).expect("small")
}

fn endpoints(random: &mut Random) -> Vec<Endpoint> {
    let endpoint = |_| Endpoint {
        locality: PLACES[below(random, PLACES.len())],
        priority: u32::from(random.below(4) == 0),
        draining: random.below(8) == 0,
    };
    (0..20).map(endpoint).collect()
}

/// Asks often while endpoints fail and return.
fn simulate(seed: u64) {
    let mut random = Random::seeded(seed);
    let endpoints = endpoints(&mut random);
    let wanted = Locality {
        here: PLACES[below(&mut random, 5)].to_owned(),
        zone_aware: (random.below(2) == 0).then(ZoneAware::default),
        ..Locality::default()
    };
    let none = BTreeMap::new();
    let place = |endpoint: &Endpoint| Place {
        locality: endpoint.locality,
        labels: &none,
        priority: endpoint.priority,
        draining: endpoint.draining,
    };
    let places: Vec<Place<'_>> = endpoints.iter().map(place).collect();
    let Some(layout) = Layout::new(Some(&wanted), &places) else {
        return;
    };
    let mut firsts: Vec<usize> = Vec::new();
    for (level, members) in layout.groups() {
        if level == 0 {
            firsts.extend(members);
        }
    }
    let candidate = |_| Candidate {
        weight: 1,
        load: Arc::new(Load::default()),
    };
    let candidates: Vec<Candidate> = (0..places.len()).map(candidate).collect();
    let balance = BALANCES[below(&mut random, BALANCES.len())];
    let mut levels = Levels::new(&Arc::new(layout), balance, &candidates, 0);
    for generation in 0..50 {
        let sick = random.below(100);
        let well: Vec<bool> = places.iter().map(|_| random.below(100) >= sick).collect();
        let available = Availability {
            generation,
            is_available: &|index| well[index],
        };
        let some = (0..places.len()).any(|index| well[index] && !places[index].draining);
        let strong = firsts.iter().filter(|index| well[**index]).count();
        let near_alone = strong * 14 >= firsts.len() * 10;
        for _ in 0..20 {
            let asking = Asking {
                random: &mut random,
                now_us: generation,
                hash: None,
            };
            let picked = levels.pick(asking, available, &|_| false);
            assert_eq!(picked.is_some(), some, "seed {seed}");
            let Some(index) = picked else { continue };
            assert!(well[index] && !places[index].draining, "seed {seed}");
            assert!(!near_alone || firsts.contains(&index), "seed {seed}");
        }
    }
}

#[test]
fn whoever_is_near_and_well_answers() {
    for seed in 0..500 {
        simulate(seed);
    }
}
