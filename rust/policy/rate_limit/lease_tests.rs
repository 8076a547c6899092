use std::collections::BinaryHeap;

use super::*;

const SECOND: u64 = 1_000_000_000;

/// Uniform numbers: `SplitMix64`.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// The shared bucket, as the script in Redis reckons.
struct Bucket {
    full_at: u64,
    interval: u64,
    ahead_max: u64,
    questions: u64,
}

impl Bucket {
    fn take(&mut self, now: u64, wanted: u32) -> Answer {
        self.questions += 1;
        let ahead = self.full_at.saturating_sub(now);
        let room = (self.ahead_max - ahead.min(self.ahead_max)) / self.interval;
        let granted = u32::try_from(room).unwrap().min(wanted);
        let ahead = ahead + u64::from(granted) * self.interval;
        self.full_at = now + ahead;
        let wait = (ahead + self.interval).saturating_sub(self.ahead_max);
        Answer {
            granted,
            remaining: (self.ahead_max - ahead.min(self.ahead_max)) / self.interval,
            reset: ahead,
            wait: if granted == 0 { wait } else { 0 },
        }
    }
}

#[derive(Default)]
struct Worker {
    lease: Lease,
    waiting: u32,
}

impl Worker {
    /// Lets those who wait go on; gives what is asked for.
    fn turn(&mut self, now: u64, passed: &mut Vec<u64>) -> Option<u32> {
        while self.waiting > 0 {
            match self.lease.step(now) {
                Step::Passes { .. } => passed.push(now),
                Step::Refused { .. } => {}
                Step::Asks(wanted) => {
                    self.lease.asked();
                    return Some(wanted);
                }
                Step::Waits => return None,
            }
            self.waiting -= 1;
        }
        None
    }
}

/// Requests on six workers of three proxies for `seconds`: when which passed, and how often the
/// bucket was asked.
fn run(seed: u64, rate: u64, load: u64, seconds: u64) -> (Vec<u64>, u64) {
    const WORKERS: u64 = 6;
    let mut numbers = Numbers(seed);
    let mut bucket = Bucket {
        full_at: 0,
        interval: SECOND / rate,
        ahead_max: SECOND / 10,
        questions: 0,
    };
    let mut workers: Vec<Worker> = (0..WORKERS).map(|_| Worker::default()).collect();
    let mut passed = Vec::new();
    // (time, worker, answer), the earliest first.
    let mut due = BinaryHeap::new();
    let gap = SECOND / load;
    let mut now = SECOND;
    while now < (1 + seconds) * SECOND {
        now += 1 + numbers.below(2 * gap);
        while let Some((std::cmp::Reverse(at), index, granted, wait)) = due.pop() {
            if at > now {
                due.push((std::cmp::Reverse(at), index, granted, wait));
                break;
            }
            let answer = Answer {
                granted,
                wait,
                ..Answer::default()
            };
            let worker: &mut Worker = &mut workers[index];
            if let Step::Passes { .. } = worker.lease.answered(answer, at, SECOND) {
                passed.push(at);
            }
            worker.waiting -= 1;
            ask(
                worker.turn(at, &mut passed),
                (at, index),
                &mut bucket,
                &mut due,
                &mut numbers,
            );
        }
        let index = usize::try_from(numbers.below(WORKERS)).unwrap();
        let worker = &mut workers[index];
        worker.lease.arrive(now, SECOND);
        worker.waiting += 1;
        ask(
            worker.turn(now, &mut passed),
            (now, index),
            &mut bucket,
            &mut due,
            &mut numbers,
        );
    }
    (passed, bucket.questions)
}

type Due = BinaryHeap<(std::cmp::Reverse<u64>, usize, u32, u64)>;

/// A question reaches the bucket after a while, and its answer the worker after another.
fn ask(
    wanted: Option<u32>,
    (now, index): (u64, usize),
    bucket: &mut Bucket,
    due: &mut Due,
    numbers: &mut Numbers,
) {
    if let Some(wanted) = wanted {
        let there = now + numbers.below(SECOND / 5_000);
        let answer = bucket.take(there, wanted);
        let back = there + numbers.below(SECOND / 5_000);
        due.push((std::cmp::Reverse(back), index, answer.granted, answer.wait));
    }
}

#[test]
fn six_workers_together_keep_the_rate() {
    for seed in 0..8 {
        for rate in [100, 1_000, 10_000] {
            let (passed, questions) = run(seed, rate, 10 * rate, 2);
            let allowed = 2 * rate + rate / 10;
            let count = passed.len() as u64;
            assert!(count * 100 <= allowed * 102, "{seed}, {rate}: {count}");
            assert!(count * 100 >= allowed * 95, "{seed}, {rate}: {count}");
            // One in ten passes, and most of the others ask nobody.
            assert!(questions < 20 * rate, "{seed}, {rate}: {questions}");
        }
    }
}

#[test]
fn no_moment_lets_more_pass_than_the_rate_and_the_burst() {
    for seed in 0..8 {
        let (mut passed, _) = run(seed, 1_000, 10_000, 2);
        passed.sort_unstable();
        let most = passed.iter().enumerate().map(|(first, at)| {
            let end = passed.partition_point(|other| *other < at + SECOND);
            end - first
        });
        // A second's rate, the burst, and what was taken a moment and a way before.
        let most = most.max().unwrap();
        assert!(most <= 1_000 + 100 + 12, "{seed}: {most}");
    }
}

#[test]
fn where_much_is_there_few_ask() {
    let (passed, questions) = run(1, 100_000, 50_000, 1);
    assert!(passed.len() > 49_000, "{}", passed.len());
    assert!(questions < 2_500, "{questions}");
}

#[test]
fn who_asked_in_vain_lets_the_next_ask() {
    let mut lease = Lease::default();
    lease.arrive(SECOND, SECOND);
    assert_eq!(lease.step(SECOND), Step::Asks(1));
    lease.asked();
    assert_eq!(lease.step(SECOND), Step::Waits);
    lease.unanswered();
    assert_eq!(lease.step(SECOND), Step::Asks(1));
}

#[test]
fn a_refusal_is_believed_for_a_while() {
    let mut lease = Lease::default();
    lease.asked();
    let answer = Answer {
        wait: 3_600 * SECOND,
        reset: 7_200 * SECOND,
        ..Answer::default()
    };
    lease.answered(answer, SECOND, SECOND);
    let refused = lease.step(SECOND);
    let (wait, reset) = (3_600 * SECOND, 7_200 * SECOND);
    assert_eq!(refused, Step::Refused { wait, reset });
    assert!(!lease.is_idle(SECOND));
    assert!(matches!(lease.step(SECOND + REFUSED_MAX), Step::Asks(_)));
    assert!(lease.is_idle(SECOND + REFUSED_MAX));
}
