//! Outlier detection over clusters that misbehave at random: bounds hold, and who is well comes back.

use std::sync::Arc;

use meshcore::balance::Random;
use meshcore::policy::health::{Generation, Health, Obstacle};
use meshcore::policy::outcome::Outcome;
use meshcore::policy::outlier::{Peer, Settings, Tally, Verdict, eject, sweep};

const SECOND: u64 = 1_000_000;

fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(length as u64)).expect("small")
}

fn settings(random: &mut Random) -> Settings {
    let percent = |random: &mut Random| u8::try_from(random.below(101)).expect("small");
    Settings {
        consecutive_5xx: 1 + u32::try_from(random.below(6)).expect("small"),
        consecutive_gateway_failure: u32::try_from(random.below(6)).expect("small"),
        consecutive_local_origin_failure: 5,
        splits: random.below(2) == 0,
        enforcing_5xx: percent(random),
        enforcing_gateway_failure: 100,
        enforcing_local_origin_failure: 100,
        enforcing_success_rate: percent(random),
        enforcing_failure_percentage: percent(random),
        success_rate_minimum_hosts: 3,
        success_rate_request_volume: 10,
        success_rate_stdev_factor: 1_900,
        failure_percentage_threshold: 85,
        failure_percentage_minimum_hosts: 3,
        failure_percentage_request_volume: 10,
        status_codes: Box::default(),
        interval_us: SECOND,
        base_ejection_us: SECOND * random.below(20),
        max_ejection_us: 30 * SECOND,
        max_ejection_percent: percent(random),
    }
}

fn outcome(random: &mut Random, failing: u64) -> Outcome {
    if random.below(100) >= failing {
        return Outcome::Answered(200);
    }
    let ways = [
        Outcome::Unconnected,
        Outcome::Reset,
        Outcome::TimedOut,
        Outcome::Answered(500),
        Outcome::Answered(503),
    ];
    ways[index(random, ways.len())]
}

#[test]
fn no_more_than_the_bound_are_ever_out_and_all_who_are_well_come_back() {
    for seed in 0..200 {
        let mut random = Random::seeded(seed);
        let settings = settings(&mut random);
        let count = 1 + index(&mut random, 20);
        let generation = Arc::new(Generation::default());
        let house: Vec<(Health, Tally)> = (0..count)
            .map(|_| (Health::new(&generation), Tally::default()))
            .collect();
        let peers: Vec<Peer<'_>> = house
            .iter()
            .map(|(health, tally)| Peer { health, tally })
            .collect();
        let failing: Vec<u64> = (0..count).map(|_| random.below(130)).collect();
        let most = count * usize::from(settings.max_ejection_percent) / 100;
        let most = if settings.max_ejection_percent == 0 {
            0
        } else {
            most.max(1)
        };
        let out = || {
            peers
                .iter()
                .filter(|one| one.health.has(Obstacle::Ejected))
                .count()
        };
        let mut now = SECOND;
        let mut ejections = 0;
        for turn in 0..60 {
            // The second half is well.
            for (at, one) in peers.iter().enumerate() {
                if one.health.has(Obstacle::Ejected) {
                    continue;
                }
                let failing = if turn < 30 { failing[at] } else { 0 };
                for _ in 0..20 {
                    let outcome = outcome(&mut random, failing);
                    if let Some(cause) = one.tally.note(outcome, &settings) {
                        let with = (now, random.next_u64());
                        let verdict = eject(&settings, &peers, (*one, cause), with);
                        ejections += u64::from(verdict == Verdict::Ejected);
                    }
                    assert!(out() <= most, "seed {seed}: {} of {count}", out());
                }
            }
            now += SECOND;
            let mut draw = || random.next_u64();
            sweep(&settings, &peers, (now, &mut draw), &mut |_, verdict| {
                ejections += u64::from(verdict == Verdict::Ejected);
            });
            assert!(out() <= most, "seed {seed}");
        }
        let told: u64 = house.iter().map(|(_, tally)| tally.ejections()).sum();
        assert_eq!(told, ejections, "seed {seed}");
        sweep(
            &settings,
            &peers,
            (now + 30 * SECOND, &mut || 0),
            &mut |_, _| {},
        );
        assert_eq!(
            out(),
            0,
            "seed {seed}: no ejection is longer than its bound"
        );
    }
}
