//! The circuit breaker in virtual time: F(t) is 0 or 1 whatever happens, moves by R(t) and E(t)
//! alone, and one trace for people, which stands in docs/decisions/0011-circuit-breaker.md.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use meshcore::balance::Random;
use meshcore::policy::breaker::{Admission, Breaker, Change, Probe, Settings};

const SECOND: u64 = 1_000_000;
const SEEDS: u64 = 400;
const STEPS: u64 = 3_000;

fn index(random: &mut Random, length: usize) -> usize {
    usize::try_from(random.below(length as u64)).expect("small")
}

fn settings(random: &mut Random) -> Settings {
    let open_for_us = SECOND / 10 + random.below(SECOND);
    Settings {
        window_us: SECOND + random.below(10 * SECOND),
        failure_rate: 1 + random.below(100),
        minimum_requests: random.below(40),
        open_for_us,
        max_open_for_us: open_for_us * (1 + random.below(16)),
        probes: 1 + u32::try_from(random.below(5)).expect("small"),
        success_rate: u32::try_from(random.below(101)).expect("small"),
    }
}

/// What the formula says, told from the breaker by its changes alone.
#[derive(Default)]
struct Formula {
    f: u8,
    opened: u64,
    closed: u64,
}

impl Formula {
    /// F(t) = F(t−1) + R(t) − E(t).
    fn step(&mut self, change: Option<Change>, seed: u64) {
        let (r, e) = match change {
            Some(Change::Opened) => (1, 0),
            Some(Change::Closed) => (0, 1),
            Some(Change::Reopened) | None => (0, 0),
        };
        assert!(r == 0 || self.f == 0, "seed {seed}: R only while F = 0");
        assert!(e == 0 || self.f == 1, "seed {seed}: E only while F = 1");
        if change == Some(Change::Reopened) {
            assert_eq!(self.f, 1, "seed {seed}");
        }
        self.f = self.f + r - e;
        self.opened += u64::from(r);
        self.closed += u64::from(e);
    }
}

/// The outcomes of a window, remembered one by one.
#[derive(Default)]
struct Memory(VecDeque<(u64, bool)>);

impl Memory {
    fn passes(&mut self, settings: &Settings, now: u64) -> bool {
        // The window moves by tenths.
        let turn = |at: u64| at / (settings.window_us / 10);
        while self
            .0
            .front()
            .is_some_and(|(at, _)| turn(*at) + 10 <= turn(now))
        {
            self.0.pop_front();
        }
        let total = self.0.len() as u64;
        let failures = self.0.iter().filter(|(_, failed)| *failed).count() as u64;
        total >= settings.minimum_requests.max(1) && failures * 100 >= settings.failure_rate * total
    }
}

#[test]
fn f_is_zero_or_one_and_moves_by_the_formula_alone() {
    for seed in 0..SEEDS {
        let mut random = Random::seeded(seed);
        let settings = settings(&mut random);
        let breaker = Arc::new(Breaker::default());
        let (mut formula, mut memory) = (Formula::default(), Memory::default());
        let mut probes: Vec<Probe> = Vec::new();
        let mut now = SECOND;
        for _ in 0..STEPS {
            now += random.below(SECOND / 20);
            let jitter = random.next_u64();
            let failed = random.below(100) < 40;
            let change = match random.below(10) {
                0 if !probes.is_empty() => {
                    drop(probes.swap_remove(index(&mut random, probes.len())));
                    None
                }
                1..=3 if !probes.is_empty() => {
                    let probe = probes.swap_remove(index(&mut random, probes.len()));
                    breaker.end(probe, failed, &settings, (now, jitter))
                }
                _ => match breaker.admit(&settings, now) {
                    Admission::Pass => {
                        assert_eq!(formula.f, 0, "seed {seed}");
                        memory.0.push_back((now, failed));
                        let change = breaker.note(failed, &settings, (now, jitter));
                        let opens = failed && memory.passes(&settings, now);
                        assert_eq!(change.is_some(), opens, "seed {seed} at {now}");
                        change
                    }
                    Admission::Probe(probe) => {
                        assert_eq!(formula.f, 1, "seed {seed}");
                        probes.push(probe);
                        None
                    }
                    Admission::Refuse => {
                        assert_eq!(formula.f, 1, "seed {seed}");
                        None
                    }
                },
            };
            formula.step(change, seed);
            if change == Some(Change::Closed) {
                memory.0.clear();
            }
            assert_eq!(breaker.f(), formula.f, "seed {seed} at {now}");
            assert_eq!(u64::from(formula.f), formula.opened - formula.closed);
        }
        // Where everything succeeds, the circuit closes within the longest wait.
        probes.clear();
        now += settings.max_open_for_us;
        while let Admission::Probe(probe) = breaker.admit(&settings, now) {
            breaker.end(probe, false, &settings, (now, 0));
        }
        assert_eq!(breaker.f(), 0, "seed {seed}");
    }
}

/// An outage from 5 s to 20 s under some hundred requests a second, every answer after 20 ms.
fn trace() -> String {
    let settings = Settings {
        window_us: 10 * SECOND,
        failure_rate: 50,
        minimum_requests: 20,
        open_for_us: SECOND,
        max_open_for_us: 60 * SECOND,
        probes: 3,
        success_rate: 80,
    };
    let breaker = Arc::new(Breaker::default());
    let mut random = Random::seeded(11);
    let mut under_way: VecDeque<(u64, Option<Probe>, bool)> = VecDeque::new();
    let mut out = String::from("    t/s  what                          R  E  F\n");
    let mut line = |now: u64, what: &str, r: u8, e: u8, f: u8| {
        let (whole, rest) = (now / SECOND, now % SECOND / 1_000);
        let _ = writeln!(out, "{whole:>3}.{rest:03}  {what:<28}  {r}  {e}  {f}");
    };
    line(0, "begins", 0, 0, 0);
    let (mut now, mut refused, mut passed) = (0, 0, 0);
    while now < 30 * SECOND {
        now += 5_000 + random.below(10_000);
        while under_way.front().is_some_and(|(end, ..)| *end <= now) {
            let Some((end, probe, failed)) = under_way.pop_front() else {
                break;
            };
            let probed = probe.is_some();
            let at = (end, random.next_u64());
            let change = match probe {
                Some(probe) => breaker.end(probe, failed, &settings, at),
                None => breaker.note(failed, &settings, at),
            };
            let f = breaker.f();
            match change {
                Some(Change::Opened) => {
                    line(end, &format!("opens; {passed} had passed"), 1, 0, f);
                }
                Some(Change::Reopened) => line(end, "a probe fails: a longer wait", 0, 0, f),
                Some(Change::Closed) => {
                    line(end, &format!("closes; {refused} were refused"), 0, 1, f);
                }
                None if probed && !failed => line(end, "a probe succeeds", 0, 0, f),
                None => {}
            }
        }
        let failed = (5 * SECOND..20 * SECOND).contains(&now);
        match breaker.admit(&settings, now) {
            Admission::Pass => {
                passed += 1;
                under_way.push_back((now + SECOND / 50, None, failed));
            }
            Admission::Probe(probe) => {
                under_way.push_back((now + SECOND / 50, Some(probe), failed));
            }
            Admission::Refuse => refused += 1,
        }
    }
    line(now, "ends", 0, 0, breaker.f());
    out
}

#[test]
fn the_trace_of_the_decision_record_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decisions/0011-circuit-breaker.md");
    let page = std::fs::read_to_string(&path).expect("the record is there");
    let (before, rest) = page.split_once("```text\n").expect("it has a trace");
    let (written, after) = rest.split_once("```").expect("which ends");
    let trace = trace();
    if std::env::var_os("MESHCORE_WRITE_DOCS").is_some() {
        let page = format!("{before}```text\n{trace}```{after}");
        std::fs::write(&path, page).expect("docs/ can be written");
        return;
    }
    assert_eq!(
        written, trace,
        "MESHCORE_WRITE_DOCS=1 cargo test --test simulate breaker"
    );
}
