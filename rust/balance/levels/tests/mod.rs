//! Who comes first, who takes over, and that each part is what was asked for.

mod order;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::balance::{HashTable, Load, Named, stable_hash};
use crate::wire::cluster::Hash;
use crate::wire::cluster::locality::{Distribute, Failover, Locality, ZoneAware};

const PICKS: u64 = 20_000;

struct Mesh {
    localities: Vec<&'static str>,
    labels: Vec<BTreeMap<String, String>>,
    priorities: Vec<u32>,
    draining: Vec<bool>,
}

fn mesh(localities: &[&'static str]) -> Mesh {
    let count = localities.len();
    Mesh {
        localities: localities.to_vec(),
        labels: vec![BTreeMap::new(); count],
        priorities: vec![0; count],
        draining: vec![false; count],
    }
}

impl Mesh {
    fn layout(&self, wanted: &Locality) -> Option<Layout> {
        let place = |index: usize| Place {
            locality: self.localities[index],
            labels: &self.labels[index],
            priority: self.priorities[index],
            draining: self.draining[index],
        };
        let places: Vec<Place<'_>> = (0..self.localities.len()).map(place).collect();
        Layout::new(Some(wanted), &places)
    }

    /// The level of each group and its members.
    fn groups(&self, wanted: &Locality) -> Vec<(usize, Vec<usize>)> {
        let layout = self.layout(wanted).expect("levels");
        layout.groups().map(|(at, it)| (at, it.to_vec())).collect()
    }

    fn levels(&self, wanted: &Locality, balance: Balance, panic_percent: u64) -> Levels {
        let layout = Arc::new(self.layout(wanted).expect("levels"));
        let candidate = |_| Candidate {
            weight: 1,
            load: Arc::new(Load::default()),
        };
        let candidates: Vec<_> = (0..self.localities.len()).map(candidate).collect();
        Levels::new(&layout, balance, &candidates, panic_percent)
    }
}

fn here(locality: &str) -> Locality {
    Locality {
        here: locality.to_owned(),
        ..Locality::default()
    }
}

fn failover(from: &str, to: &str) -> Failover {
    Failover {
        from: from.to_owned(),
        to: to.to_owned(),
    }
}

const EVERYBODY: Availability<'static> = Availability {
    generation: 0,
    is_available: &|_| true,
};

fn pick(levels: &mut Levels, random: &mut Random, skip: &dyn Fn(usize) -> bool) -> Option<usize> {
    let asking = Asking {
        random,
        now_us: 0,
        hash: None,
    };
    levels.pick(asking, EVERYBODY, skip)
}

/// What each endpoint gets in percent where those of `out` are unavailable.
fn shares(levels: &mut Levels, out: &[usize]) -> Vec<u64> {
    let mut random = Random::seeded(7);
    let mut seen = vec![0; levels.spots.len()];
    let available = Availability {
        generation: out.iter().map(|index| 1 << index).sum(),
        is_available: &|index| !out.contains(&index),
    };
    for _ in 0..PICKS {
        let asking = Asking {
            random: &mut random,
            now_us: 0,
            hash: None,
        };
        if let Some(index) = levels.pick(asking, available, &|_| false) {
            seen[index] += 1;
        }
    }
    seen.iter()
        .map(|it| (it * 100 + PICKS / 2) / PICKS)
        .collect()
}

fn near(found: &[u64], expected: &[u64]) {
    let pairs = found.iter().zip(expected);
    let apart = pairs.map(|(a, b)| a.abs_diff(*b)).max();
    assert!(apart <= Some(1), "{found:?} is not {expected:?}");
}

#[test]
fn priorities_come_before_nearness_and_who_drains_gets_nothing() {
    let mut mesh = mesh(&["eu/a", "eu/a", "us/a", "eu/a"]);
    mesh.priorities = vec![1, 0, 0, 0];
    mesh.draining[3] = true;
    let found = mesh.groups(&here("eu/a"));
    assert_eq!(found, [(0, vec![1]), (1, vec![2]), (2, vec![0])]);
    mesh.draining = vec![true; 4];
    let mut levels = mesh.levels(&here("eu/a"), Balance::RoundRobin, 0);
    assert_eq!(shares(&mut levels, &[]), [0; 4]);
}

#[test]
fn the_next_level_takes_what_is_left() {
    let places = ["eu/a", "eu/a", "eu/a", "eu/a", "us/a", "us/a"];
    let mut levels = mesh(&places).levels(&here("eu/a"), Balance::RoundRobin, 0);
    near(&shares(&mut levels, &[]), &[25, 25, 25, 25, 0, 0]);
    // 3 of 4 times 1.4 is enough.
    near(&shares(&mut levels, &[0]), &[0, 33, 33, 33, 0, 0]);
    near(&shares(&mut levels, &[0, 1]), &[0, 0, 35, 35, 15, 15]);
    near(&shares(&mut levels, &[0, 1, 2, 3]), &[0, 0, 0, 0, 50, 50]);
    near(&shares(&mut levels, &[4, 5]), &[25, 25, 25, 25, 0, 0]);
    assert_eq!(shares(&mut levels, &[0, 1, 2, 3, 4, 5]), [0; 6]);
}

#[test]
fn a_level_panics_only_where_all_together_are_too_weak() {
    let places = ["eu/a", "eu/a", "eu/a", "eu/a", "us/a", "us/a"];
    let mut levels = mesh(&places).levels(&here("eu/a"), Balance::RoundRobin, 50);
    near(&shares(&mut levels, &[0, 1, 2]), &[0, 0, 0, 35, 32, 32]);
    // 35 + 0 of 100: both are in panic, and the first gets all.
    near(
        &shares(&mut levels, &[0, 1, 2, 4, 5]),
        &[25, 25, 25, 25, 0, 0],
    );
    let all = [0, 1, 2, 3, 4, 5];
    near(&shares(&mut levels, &all), &[17, 17, 17, 17, 17, 17]);
}

#[test]
fn who_was_tried_leaves_the_request_to_any_other() {
    let mut levels = mesh(&["eu/a", "us/a"]).levels(&here("eu/a"), Balance::RoundRobin, 0);
    let mut random = Random::seeded(1);
    assert_eq!(pick(&mut levels, &mut random, &|_| false), Some(0));
    assert_eq!(pick(&mut levels, &mut random, &|index| index == 0), Some(1));
    assert_eq!(pick(&mut levels, &mut random, &|_| true), None);
}

#[test]
fn shares_of_localities_follow_the_weights_and_their_health() {
    let to = [("eu/a/*", 70), ("eu/*", 20), ("us", 10)];
    let to: BTreeMap<String, u32> = to.map(|(to, share)| (to.to_owned(), share)).into();
    let distribute = |from: &str| Distribute {
        from: from.to_owned(),
        to: to.clone(),
    };
    let wanted = Locality {
        distribute: vec![distribute("us/*"), distribute("eu/a/*")],
        ..here("eu/a/1")
    };
    let mesh = mesh(&["eu/a/1", "eu/a/2", "eu/b/1", "us/a/1", "asia/a/1"]);
    let mut levels = mesh.levels(&wanted, Balance::RoundRobin, 0);
    near(&shares(&mut levels, &[]), &[35, 35, 20, 10, 0]);
    // Half of the first is worth 0.7 of its share: 49 to 20 to 10.
    near(&shares(&mut levels, &[0]), &[0, 62, 25, 13, 0]);
    near(&shares(&mut levels, &[3]), &[39, 39, 22, 0, 0]);
    // Who has no entry goes by endpoints alone.
    let elsewhere = Locality {
        here: "asia/a".to_owned(),
        ..wanted
    };
    assert!(mesh.layout(&elsewhere).is_none());
}

#[test]
fn a_zone_keeps_its_requests_as_far_as_is_fair() {
    let wanted = Locality {
        zone_aware: Some(ZoneAware::default()),
        ..here("eu/a/1")
    };
    let places = [
        "eu/a/1", "eu/a/2", "eu/a/1", "eu/b/1", "eu/b/1", "eu/b/1", "us/a/1",
    ];
    let all = mesh(&places);
    let mut levels = all.levels(&wanted, Balance::RoundRobin, 0);
    near(&shares(&mut levels, &[]), &[33, 33, 33, 0, 0, 0, 0]);
    // Five are below six, and share evenly.
    near(&shares(&mut levels, &[0]), &[0, 20, 20, 20, 20, 20, 0]);
    // Fewer from the start, and zones don't count.
    assert_eq!(mesh(&places[1..]).groups(&wanted).len(), 2);
}

#[test]
fn a_key_stays_where_it_is_while_levels_stay() {
    let names = ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "10.0.0.4:80"];
    let mesh = mesh(&["eu/a", "eu/a", "us/a", "us/a"]);
    let mut layout = mesh.layout(&here("eu/a")).expect("levels");
    layout.set_tables(|members| {
        let named = members.iter().map(|index| Named {
            name: names[*index],
            weight: 1,
        });
        let named: Vec<Named<'_>> = named.collect();
        HashTable::new(Balance::RingHash, &Hash::default(), &named).map(Arc::new)
    });
    let candidate = |_| Candidate {
        weight: 1,
        load: Arc::new(Load::default()),
    };
    let candidates: Vec<_> = names.iter().map(candidate).collect();
    let layout = Arc::new(layout);
    let mut levels = Levels::new(&layout, Balance::RingHash, &candidates, 0);
    let mut random = Random::seeded(3);
    let mut owners = |available: Availability<'_>| -> Vec<Option<usize>> {
        let mut owner = |key: u32| {
            let asking = Asking {
                random: &mut random,
                now_us: 0,
                hash: Some(stable_hash(&key.to_be_bytes())),
            };
            levels.pick(asking, available, &|_| false)
        };
        (0..2_000).map(&mut owner).collect()
    };
    let before = owners(EVERYBODY);
    assert_eq!(owners(EVERYBODY), before);
    let without = Availability {
        generation: 1,
        is_available: &|index| index != 0,
    };
    // 70 of 100 keys stay in the level; those of who is left don't move within it.
    let after = owners(without);
    let moved = before.iter().zip(&after).filter(|(was, is)| was != is);
    let unmoved = before.len() - moved.clone().count();
    assert!(unmoved >= before.len() * 30 / 100, "{unmoved} stay");
    assert!(moved.map(|(_, is)| is).all(|is| *is != Some(0)));
    assert_eq!(owners(EVERYBODY), before);
}

#[test]
fn turns_go_on_over_a_change() {
    let places = ["eu/a", "eu/a", "us/a"];
    let mut old = mesh(&places).levels(&here("eu/a"), Balance::RoundRobin, 0);
    let mut random = Random::seeded(5);
    assert_eq!(pick(&mut old, &mut random, &|_| false), Some(0));
    let mut new = mesh(&places).levels(&here("eu/a"), Balance::RoundRobin, 0);
    new.carry_over(&old, Some);
    assert_eq!(pick(&mut new, &mut random, &|_| false), Some(1));
}
