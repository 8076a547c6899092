use std::sync::Arc;

use super::super::health::{Generation, Health, Obstacle};
use super::super::outcome::Outcome;
use super::{Cause, Peer, Settings, Tally, Verdict, eject, sweep};

const SECOND: u64 = 1_000_000;
const ANSWER: Outcome = Outcome::Answered(200);
const ERROR: Outcome = Outcome::Answered(500);

fn settings() -> Settings {
    Settings {
        consecutive_5xx: 5,
        consecutive_gateway_failure: 0,
        consecutive_local_origin_failure: 5,
        splits: false,
        enforcing_5xx: 100,
        enforcing_gateway_failure: 100,
        enforcing_local_origin_failure: 100,
        enforcing_success_rate: 0,
        enforcing_failure_percentage: 0,
        success_rate_minimum_hosts: 5,
        success_rate_request_volume: 100,
        success_rate_stdev_factor: 1_900,
        failure_percentage_threshold: 85,
        failure_percentage_minimum_hosts: 5,
        failure_percentage_request_volume: 50,
        status_codes: Box::default(),
        interval_us: 10 * SECOND,
        base_ejection_us: 30 * SECOND,
        max_ejection_us: 70 * SECOND,
        max_ejection_percent: 10,
    }
}

fn rows(settings: &Settings, outcomes: &[Outcome]) -> Vec<Cause> {
    let tally = Tally::default();
    let noted = outcomes.iter().filter_map(|one| tally.note(*one, settings));
    noted.collect()
}

#[test]
fn five_failures_in_a_row_are_an_outlier() {
    assert_eq!(rows(&settings(), &[ERROR; 5]), [Cause::Consecutive5xx]);
    assert_eq!(
        rows(&settings(), &[ERROR; 10]).len(),
        2,
        "the row begins anew"
    );
    let broken = [ERROR, ERROR, ERROR, ERROR, ANSWER, ERROR];
    assert_eq!(rows(&settings(), &broken), []);
    let ways = [
        Outcome::Unconnected,
        Outcome::Reset,
        Outcome::TimedOut,
        ERROR,
        Outcome::Answered(503),
    ];
    assert_eq!(rows(&settings(), &ways), [Cause::Consecutive5xx]);
    let off = Settings {
        consecutive_5xx: 0,
        ..settings()
    };
    assert_eq!(rows(&off, &[ERROR; 50]), []);
}

#[test]
fn gateway_failures_have_a_row_of_their_own() {
    let settings = Settings {
        consecutive_5xx: 0,
        consecutive_gateway_failure: 3,
        ..settings()
    };
    let gateway = Outcome::Answered(502);
    let found = [Cause::ConsecutiveGatewayFailure];
    assert_eq!(rows(&settings, &[gateway; 3]), found);
    assert_eq!(rows(&settings, &[Outcome::TimedOut; 3]), found);
    assert_eq!(rows(&settings, &[gateway, gateway, ERROR, gateway]), []);
}

#[test]
fn told_apart_only_ways_make_a_row_of_ways() {
    let settings = Settings {
        consecutive_local_origin_failure: 3,
        splits: true,
        ..settings()
    };
    let way = Outcome::Unconnected;
    let found = rows(&settings, &[ERROR, ERROR, way, way, way]);
    assert_eq!(found, [Cause::ConsecutiveLocalOriginFailure]);
    assert_eq!(rows(&settings, &[way, way, ANSWER, way]), []);
    let mixed = [ERROR, ERROR, ERROR, ERROR, way, ERROR];
    assert_eq!(rows(&settings, &mixed), [Cause::Consecutive5xx]);
}

#[test]
fn named_statuses_stand_instead_of_5xx() {
    let settings = Settings {
        status_codes: Box::new([429]),
        consecutive_5xx: 2,
        ..settings()
    };
    let found = rows(&settings, &[ERROR, ERROR, Outcome::Answered(429), ERROR]);
    assert_eq!(found, []);
    let found = rows(&settings, &[Outcome::Answered(429), Outcome::Answered(429)]);
    assert_eq!(found, [Cause::Consecutive5xx]);
}

/// A cluster of `count` endpoints.
struct House(Vec<(Health, Tally)>);

impl House {
    fn new(count: usize) -> Self {
        let generation = Arc::new(Generation::default());
        let one = |_| (Health::new(&generation), Tally::default());
        Self((0..count).map(one).collect())
    }

    fn peers(&self) -> Vec<Peer<'_>> {
        let peer = |(health, tally)| Peer { health, tally };
        self.0.iter().map(|(h, t)| peer((h, t))).collect()
    }

    fn eject(&self, settings: &Settings, index: usize, now_us: u64, draw: u64) -> Verdict {
        let peers = self.peers();
        let one = (peers[index], Cause::Consecutive5xx);
        eject(settings, &peers, one, (now_us, draw))
    }

    fn sweep(&self, settings: &Settings, now_us: u64) -> Vec<(Cause, Verdict)> {
        let mut told = Vec::new();
        let mut tell = |cause, verdict| told.push((cause, verdict));
        sweep(settings, &self.peers(), (now_us, &mut || 0), &mut tell);
        told
    }

    fn ejected(&self) -> Vec<usize> {
        let out = |index: &usize| self.0[*index].0.has(Obstacle::Ejected);
        (0..self.0.len()).filter(out).collect()
    }

    /// Of a hundred requests each, so many fail.
    fn serve(&self, settings: &Settings, failures: &[u32]) {
        for ((_, tally), failed) in self.0.iter().zip(failures) {
            // Spread, so that they make no row.
            let fails = |turn: u32| turn * failed % 100 + failed >= 100;
            let outcomes = (0..100).map(|turn| [ANSWER, ERROR][usize::from(fails(turn))]);
            for outcome in outcomes {
                tally.note(outcome, settings);
            }
        }
    }
}

#[test]
fn no_more_than_the_bound_are_left_out_but_one_at_least() {
    let house = House::new(5);
    assert_eq!(house.eject(&settings(), 0, 0, 0), Verdict::Ejected);
    assert_eq!(house.eject(&settings(), 0, 0, 0), Verdict::Spared);
    assert_eq!(house.eject(&settings(), 1, 0, 0), Verdict::Overflow);
    let half = Settings {
        max_ejection_percent: 50,
        ..settings()
    };
    assert_eq!(house.eject(&half, 1, 0, 0), Verdict::Ejected);
    assert_eq!(house.eject(&half, 2, 0, 0), Verdict::Overflow, "3 of 5");
    let none = Settings {
        max_ejection_percent: 0,
        ..settings()
    };
    assert_eq!(House::new(5).eject(&none, 0, 0, 0), Verdict::Overflow);
    let tenth = Settings {
        enforcing_5xx: 10,
        ..settings()
    };
    assert_eq!(House::new(5).eject(&tenth, 0, 0, 9), Verdict::Ejected);
    assert_eq!(House::new(5).eject(&tenth, 0, 0, 10), Verdict::Spared);
}

#[test]
fn an_ejection_lasts_longer_each_time_and_ends_with_an_interval() {
    let (house, settings) = (House::new(2), settings());
    let mut now = 0;
    for seconds in [30, 60, 70] {
        house.eject(&settings, 0, now, 0);
        house.sweep(&settings, now + seconds * SECOND - 1);
        assert_eq!(house.ejected(), [0]);
        now += seconds * SECOND;
        house.sweep(&settings, now);
        assert!(house.ejected().is_empty());
        assert_eq!(house.0[0].0.returned_at_us(), now);
    }
    // Two good intervals take two of the three times back.
    house.sweep(&settings, now);
    house.sweep(&settings, now);
    house.eject(&settings, 0, now, 0);
    house.sweep(&settings, now + 60 * SECOND);
    assert_eq!((house.ejected(), house.0[0].1.ejections()), (vec![], 4));
}

#[test]
fn who_succeeds_less_often_than_the_others_is_an_outlier() {
    let settings = Settings {
        enforcing_success_rate: 100,
        ..settings()
    };
    let house = House::new(6);
    house.serve(&settings, &[1, 2, 1, 0, 40, 2]);
    let found = house.sweep(&settings, 1);
    assert_eq!(found, [(Cause::SuccessRate, Verdict::Ejected)]);
    assert_eq!(house.ejected(), [4]);
    assert_eq!(house.sweep(&settings, 2), [], "the interval begins anew");
    let few = House::new(4);
    few.serve(&settings, &[0, 0, 0, 40]);
    assert_eq!(few.sweep(&settings, 1), [], "too few to compare");
}

#[test]
fn who_fails_too_often_is_an_outlier_whatever_the_others_do() {
    let settings = Settings {
        enforcing_failure_percentage: 100,
        max_ejection_percent: 100,
        consecutive_5xx: 0,
        ..settings()
    };
    let house = House::new(5);
    house.serve(&settings, &[84, 85, 90, 100, 0]);
    house.sweep(&settings, 1);
    assert_eq!(house.ejected(), [1, 2, 3]);
}
