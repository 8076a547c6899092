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

/// A cluster and what became of it.
struct House<'a> {
    settings: Settings,
    peers: Vec<Peer<'a>>,
    ejections: u64,
}

impl House<'_> {
    fn out(&self) -> usize {
        let out = |one: &&Peer<'_>| one.health.has(Obstacle::Ejected);
        self.peers.iter().filter(out).count()
    }

    /// How many may be out.
    fn most(&self) -> usize {
        match usize::from(self.settings.max_ejection_percent) {
            0 => 0,
            percent => (self.peers.len() * percent / 100).max(1),
        }
    }

    fn serve(&mut self, one: Peer<'_>, failing: u64, (now, random): (u64, &mut Random)) {
        for _ in 0..20 {
            let outcome = outcome(random, failing);
            if let Some(cause) = one.tally.note(outcome, &self.settings) {
                let with = (now, random.next_u64());
                let verdict = eject(&self.settings, &self.peers, (one, cause), with);
                self.ejections += u64::from(verdict == Verdict::Ejected);
            }
        }
    }

    fn sweep(&mut self, now: u64, random: &mut Random) {
        let mut draw = || random.next_u64();
        let mut ejections = 0;
        let mut told = |_, verdict| ejections += u64::from(verdict == Verdict::Ejected);
        sweep(&self.settings, &self.peers, (now, &mut draw), &mut told);
        self.ejections += ejections;
    }
}

#[test]
fn no_more_than_the_bound_are_ever_out_and_all_who_are_well_come_back() {
    for seed in 0..200 {
        let mut random = Random::seeded(seed);
        let settings = settings(&mut random);
        let count = 1 + index(&mut random, 20);
        let generation = Arc::new(Generation::default());
        let endpoint = |_| (Health::new(&generation), Tally::default());
        let endpoints: Vec<(Health, Tally)> = (0..count).map(endpoint).collect();
        let peers = endpoints.iter();
        let peers = peers.map(|(health, tally)| Peer { health, tally });
        let mut house = House {
            settings,
            peers: peers.collect(),
            ejections: 0,
        };
        let failing: Vec<u64> = (0..count).map(|_| random.below(130)).collect();
        let mut now = SECOND;
        for turn in 0..60 {
            let present: Vec<usize> = (0..count)
                .filter(|at| !house.peers[*at].health.has(Obstacle::Ejected))
                .collect();
            for at in present {
                // The second half is well.
                let failing = failing[at] * u64::from(turn < 30);
                house.serve(house.peers[at], failing, (now, &mut random));
                assert!(house.out() <= house.most(), "seed {seed}");
            }
            now += SECOND;
            house.sweep(now, &mut random);
            assert!(house.out() <= house.most(), "seed {seed}");
        }
        let told: u64 = house.peers.iter().map(|one| one.tally.ejections()).sum();
        assert_eq!(told, house.ejections, "seed {seed}");
        house.sweep(now + 30 * SECOND, &mut random);
        let late = house.out() == 0;
        assert!(late, "seed {seed}: no ejection is longer than its bound");
    }
}
