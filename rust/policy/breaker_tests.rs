use std::sync::Arc;

use super::{Admission, Breaker, Change, Probe, Settings};

const SECOND: u64 = 1_000_000;

const SETTINGS: Settings = Settings {
    window_us: 10 * SECOND,
    failure_rate: 50,
    minimum_requests: 20,
    open_for_us: SECOND,
    max_open_for_us: 8 * SECOND,
    probes: 3,
    success_rate: 80,
};

/// Without jitter.
fn at(now_us: u64) -> (u64, u64) {
    (now_us, 0)
}

fn probe(breaker: &Arc<Breaker>, now_us: u64) -> Option<Probe> {
    match breaker.admit(&SETTINGS, now_us) {
        Admission::Probe(probe) => Some(probe),
        Admission::Pass | Admission::Refuse => None,
    }
}

fn refuses(breaker: &Arc<Breaker>, now_us: u64) -> bool {
    matches!(breaker.admit(&SETTINGS, now_us), Admission::Refuse)
}

/// Open since the returned time.
fn opened() -> (Arc<Breaker>, u64) {
    let breaker = Arc::new(Breaker::default());
    for step in 0..19 {
        assert_eq!(breaker.note(true, &SETTINGS, at(step)), None);
    }
    assert_eq!(breaker.note(true, &SETTINGS, at(19)), Some(Change::Opened));
    assert_eq!(breaker.f(), 1);
    (breaker, 19)
}

#[test]
fn it_opens_at_the_rate_among_enough_requests() {
    let breaker = Arc::new(Breaker::default());
    for step in 0..100 {
        assert_eq!(breaker.note(step % 5 < 2, &SETTINGS, at(step)), None);
    }
    let opens = (100..200).find(|step| breaker.note(true, &SETTINGS, at(*step)).is_some());
    assert_eq!(opens, Some(119), "60 of 120");
    assert!(refuses(&breaker, 200));
    assert_eq!(breaker.note(false, &SETTINGS, at(200)), None, "from before");
}

#[test]
fn what_is_older_than_the_window_does_not_count() {
    let breaker = Arc::new(Breaker::default());
    for step in 0..19 {
        breaker.note(true, &SETTINGS, at(step));
    }
    assert_eq!(breaker.note(true, &SETTINGS, at(11 * SECOND)), None);
    assert_eq!(breaker.f(), 0);
}

#[test]
fn probes_that_succeed_close_it() {
    let (breaker, since) = opened();
    let due = since + SECOND;
    assert!(refuses(&breaker, due - 1) && !breaker.would_pass(due - 1));
    let probes: Vec<Probe> = (0..3).filter_map(|_| probe(&breaker, due)).collect();
    assert_eq!(probes.len(), 3);
    assert!(refuses(&breaker, due), "three and no more");
    let ends = probes.into_iter();
    let ends: Vec<_> = ends
        .map(|probe| breaker.end(probe, false, &SETTINGS, at(due)))
        .collect();
    assert_eq!(ends, [None, None, Some(Change::Closed)]);
    assert!(matches!(breaker.admit(&SETTINGS, due), Admission::Pass));
    assert_eq!(breaker.note(true, &SETTINGS, at(due)), None, "begins anew");
}

#[test]
fn a_probe_that_fails_doubles_the_wait_up_to_its_bound() {
    let (breaker, since) = opened();
    let mut now = since + SECOND;
    for seconds in [2, 4, 8, 8, 8] {
        let one = probe(&breaker, now).expect("due");
        let late = probe(&breaker, now).expect("due");
        let ended = breaker.end(one, true, &SETTINGS, at(now));
        assert_eq!(ended, Some(Change::Reopened));
        assert!(refuses(&breaker, now + seconds * SECOND - 1));
        now += seconds * SECOND;
        assert!(breaker.would_pass(now));
        assert_eq!(breaker.end(late, false, &SETTINGS, at(now)), None);
    }
}

#[test]
fn a_probe_that_comes_to_nothing_makes_room() {
    let (breaker, since) = opened();
    let due = since + SECOND;
    let given_up = probe(&breaker, due);
    let others = (probe(&breaker, due), probe(&breaker, due));
    assert!(refuses(&breaker, due));
    drop(given_up);
    assert!(probe(&breaker, due).is_some());
    drop(others);
    let hang: Vec<_> = (0..3).map(|_| probe(&breaker, due)).collect();
    assert!(refuses(&breaker, due + 8 * SECOND - 1));
    assert!(
        probe(&breaker, due + 8 * SECOND).is_some(),
        "nobody waits for ever for probes that hang"
    );
    drop(hang);
}

#[test]
fn waits_differ_by_a_quarter_at_most() {
    for random in [0, 1, 63, 64, 65, u64::MAX] {
        let breaker = Arc::new(Breaker::default());
        for _ in 0..20 {
            breaker.note(true, &SETTINGS, (0, random));
        }
        assert!(!breaker.would_pass(SECOND * 3 / 4 - 1));
        assert!(breaker.would_pass(SECOND));
    }
}

#[test]
fn who_no_longer_breaks_circuits_leaves_none_open() {
    let (breaker, since) = opened();
    let probe = probe(&breaker, since + SECOND).expect("due");
    assert!(breaker.reset() && !breaker.reset());
    assert_eq!(
        breaker.end(probe, true, &SETTINGS, at(since + SECOND)),
        None
    );
    assert_eq!(breaker.f(), 0);
}
