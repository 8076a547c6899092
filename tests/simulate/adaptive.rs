//! The limit of a cluster before an upstream of 8 slots × 10 ms, in virtual time: load comes at
//! random times, however many are answered; what the slots don't take waits in the upstream's queue.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "times of a simulation are far below what either type holds"
)]

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use meshcore::balance::Random;
use meshcore::policy::gradient::{Gradient, Place, Settings};
use meshcore::policy::priority::Priority;
use meshcore::wire::cluster::AdaptiveConcurrency;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const SLOTS: usize = 8;
const SERVICE: u64 = 10 * MS;
/// Requests a second that the upstream serves at most.
const CAPACITY: f64 = 800.0;

/// How long the upstream works on a request.
#[derive(Debug, Clone, Copy)]
enum Service {
    Fixed,
    Exponential,
}

/// One request of the simulation.
struct Asked {
    at: u64,
    place: Place,
}

struct World {
    random: Random,
    gradient: Arc<Gradient>,
    service: Service,
    /// What the times of service are multiplied with.
    slower: u64,
    now: u64,
    /// Ends of what is in a slot.
    busy: BinaryHeap<Reverse<(u64, usize)>>,
    asked: Vec<Option<Asked>>,
    queue: VecDeque<usize>,
}

/// What a time of load came to.
#[derive(Debug, Default)]
struct Seen {
    answered: [u32; 3],
    refused: [u32; 3],
    /// Microseconds, in the order of the answers.
    times: Vec<u64>,
    least_limit: u32,
}

impl Seen {
    fn goodput(&self, seconds: f64) -> f64 {
        f64::from(self.answered.iter().sum::<u32>()) / seconds
    }

    fn p99(&self) -> u64 {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        sorted[sorted.len() * 99 / 100]
    }
}

impl World {
    fn new(seed: u64, service: Service) -> Self {
        let wire = AdaptiveConcurrency::default();
        Self {
            random: Random::seeded(seed),
            gradient: Arc::new(Gradient::new(Settings::from(&wire))),
            service,
            slower: 1,
            now: 1,
            busy: BinaryHeap::new(),
            asked: Vec::new(),
            queue: VecDeque::new(),
        }
    }

    /// A time that is distributed exponentially.
    fn exponential(&mut self, mean: f64) -> u64 {
        let uniform = (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        (-(1.0 - uniform).ln() * mean) as u64
    }

    fn begin(&mut self, index: usize) {
        let mean = SERVICE * self.slower;
        let takes = match self.service {
            Service::Fixed => mean,
            Service::Exponential => self.exponential(mean as f64),
        };
        self.busy.push(Reverse((self.now + takes, index)));
    }

    /// Lets `rate` requests a second come for a time, of the priority that `of` says.
    fn load(&mut self, rate: f64, time: u64, of: impl Fn(u64) -> Priority) -> Seen {
        let mut seen = Seen {
            least_limit: u32::MAX,
            ..Seen::default()
        };
        let end = self.now + time;
        let mut next = self.now + self.exponential(SECOND as f64 / rate);
        loop {
            let ends = self.busy.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
            if ends.min(next) >= end {
                self.now = end;
                return seen;
            }
            if ends <= next {
                self.now = ends;
                self.answer(&mut seen);
            } else {
                self.now = next;
                let chance = self.random.next_u64();
                self.ask(of(chance), &mut seen);
                next += self.exponential(SECOND as f64 / rate);
            }
            seen.least_limit = seen.least_limit.min(self.gradient.limit());
        }
    }

    fn ask(&mut self, priority: Priority, seen: &mut Seen) {
        let Some(place) = self.gradient.enter(priority, self.now) else {
            seen.refused[priority as usize] += 1;
            return;
        };
        seen.answered[priority as usize] += 1;
        let index = self.asked.len();
        self.asked.push(Some(Asked {
            at: self.now,
            place,
        }));
        if self.busy.len() < SLOTS {
            self.begin(index);
        } else {
            self.queue.push_back(index);
        }
    }

    fn answer(&mut self, seen: &mut Seen) {
        let Reverse((_, index)) = self.busy.pop().expect("a busy slot");
        let asked = self.asked[index].take().expect("asked once");
        seen.times.push((self.now - asked.at) / 1_000);
        asked.place.answered(self.now, Duration::ZERO, false);
        if let Some(next) = self.queue.pop_front() {
            self.begin(next);
        }
    }
}

fn default(_: u64) -> Priority {
    Priority::Default
}

/// Row 7 of the issue: 60 s of twice the capacity after ten of half of it.
fn overload(seed: u64, service: Service) {
    let mut world = World::new(seed, service);
    world.load(CAPACITY / 2.0, 2 * SECOND, default);
    let unloaded = world.load(CAPACITY / 2.0, 10 * SECOND, default);
    let refused: u32 = unloaded.refused.iter().sum();
    let part = f64::from(refused) / (10.0 * CAPACITY / 2.0);
    assert!(
        part <= 0.01,
        "{service:?}, seed {seed}: {part} refused at half the capacity"
    );
    let loaded = world.load(2.0 * CAPACITY, 60 * SECOND, default);
    let goodput = loaded.goodput(60.0);
    let (p99, calm) = (loaded.p99(), unloaded.p99());
    println!(
        "{service:?} {seed}: goodput {goodput:.0}, p99 {p99} of {calm}, limit {} (least {}), least time {:?}",
        world.gradient.limit(),
        loaded.least_limit,
        world.gradient.min_rtt(),
    );
    assert!(
        goodput >= 0.9 * CAPACITY,
        "{service:?}, seed {seed}: {goodput}"
    );
    assert!(p99 <= 3 * calm, "{service:?}, seed {seed}: {p99} of {calm}");
    // Within 2 s all is as it was.
    world.load(CAPACITY / 2.0, 2 * SECOND, default);
    let after = world.load(CAPACITY / 2.0, 5 * SECOND, default);
    let refused: u32 = after.refused.iter().sum();
    assert!(
        f64::from(refused) <= 0.01 * 5.0 * CAPACITY / 2.0,
        "seed {seed}: {refused}"
    );
    assert!(
        after.p99() <= calm + calm / 5,
        "seed {seed}: {}",
        after.p99()
    );
}

#[test]
fn twice_the_capacity_is_refused_by_half() {
    for seed in 0..20 {
        overload(seed, Service::Fixed);
        overload(seed, Service::Exponential);
    }
}

#[test]
fn the_high_are_refused_last_and_the_low_first() {
    for seed in 0..10 {
        let mut world = World::new(seed, Service::Fixed);
        // A fifth is high and two fifths are low, of twice the capacity.
        let of = |chance: u64| match chance % 5 {
            0 => Priority::High,
            1 | 2 => Priority::Default,
            _ => Priority::Low,
        };
        world.load(CAPACITY / 2.0, 5 * SECOND, of);
        let seen = world.load(2.0 * CAPACITY, 30 * SECOND, of);
        let share = [0, 1, 2].map(|level: usize| {
            let all = seen.answered[level] + seen.refused[level];
            f64::from(seen.answered[level]) / f64::from(all)
        });
        println!(
            "seed {seed}: answered {share:.3?}, goodput {:.0}",
            seen.goodput(30.0)
        );
        assert!(share[2] >= 0.95, "seed {seed}: {share:?}");
        assert!(share[0] <= share[1] / 2.0, "seed {seed}: {share:?}");
        assert!(seen.goodput(30.0) >= 0.9 * CAPACITY, "seed {seed}");
    }
}

#[test]
fn an_upstream_that_becomes_slower_is_asked_less_and_recovers() {
    for seed in 0..10 {
        let mut world = World::new(seed, Service::Fixed);
        world.load(CAPACITY / 2.0, 5 * SECOND, default);
        world.slower = 4;
        let slow = world.load(CAPACITY, 120 * SECOND, default);
        // 200 a second are what it can do now.
        assert!(
            slow.goodput(120.0) >= 0.9 * CAPACITY / 4.0,
            "seed {seed}: {}",
            slow.goodput(120.0)
        );
        assert!(slow.p99() <= 150_000, "seed {seed}: {}", slow.p99());
        world.slower = 1;
        world.load(CAPACITY, 5 * SECOND, default);
        let after = world.load(CAPACITY, 30 * SECOND, default);
        println!(
            "seed {seed}: slow {:.0} p99 {}, after {:.0} p99 {}",
            slow.goodput(120.0),
            slow.p99(),
            after.goodput(30.0),
            after.p99()
        );
        assert!(
            after.goodput(30.0) >= 0.95 * CAPACITY,
            "seed {seed}: {}",
            after.goodput(30.0)
        );
    }
}

#[test]
fn ten_minutes_of_overload_do_not_move_the_least_time() {
    let mut world = World::new(7, Service::Fixed);
    world.load(CAPACITY / 2.0, 5 * SECOND, default);
    world.load(2.0 * CAPACITY, 600 * SECOND, default);
    let found = world.gradient.min_rtt().as_micros();
    assert!((9_000..=11_500).contains(&found), "{found}");
    assert!(world.gradient.limit() <= 20, "{}", world.gradient.limit());
}
