use super::{Rhythm, Thresholds, Verdict};

const THRESHOLDS: Thresholds = Thresholds {
    unhealthy: 3,
    healthy: 2,
};

/// What is thought after each result: `.` healthy or unknown, `x` unhealthy.
fn trace(results: &str) -> String {
    let mut verdict = Verdict::default();
    let mut after = |result: char| {
        let before = verdict.fails();
        let changed = verdict.note(result == '+', THRESHOLDS);
        assert_eq!(changed, before != verdict.fails());
        if verdict.fails() { 'x' } else { '.' }
    };
    results.chars().map(&mut after).collect()
}

#[test]
fn the_first_result_decides_alone() {
    assert!(!Verdict::default().fails());
    assert_eq!(trace("+"), ".");
    assert_eq!(trace("-"), "x");
}

#[test]
fn later_ones_decide_in_a_row() {
    assert_eq!(trace("+--+---"), "......x");
    assert_eq!(trace("-+-++--"), "xxxx...");
    assert_eq!(trace("+---++---"), "...xx...x");
}

#[test]
fn a_flapping_endpoint_stays_what_it_was() {
    assert_eq!(trace(&"+-".repeat(50)), ".".repeat(100));
    assert_eq!(trace(&"-+".repeat(50)), "x".repeat(100));
}

#[test]
fn checks_are_spread_within_the_jitter() {
    let rhythm = Rhythm {
        interval_us: 1_000,
        failing_interval_us: 200,
        jitter_percent: 10,
    };
    assert_eq!((rhythm.first_us(0), rhythm.first_us(u64::MAX)), (0, 99));
    assert_eq!(rhythm.next_us(false, 0), 1_000);
    assert_eq!(rhythm.next_us(false, u64::MAX / 2 + 1), 1_050);
    assert_eq!(rhythm.next_us(true, u64::MAX), 219);
    let even = Rhythm {
        jitter_percent: 0,
        ..rhythm
    };
    assert_eq!((even.first_us(7), even.next_us(false, 7)), (0, 1_000));
}

/// In virtual time: an endpoint that is away for a while is out for about as long, and is asked as
/// often as the intervals say.
#[test]
fn an_outage_is_followed_in_time() {
    let rhythm = Rhythm {
        interval_us: 1_000,
        failing_interval_us: 100,
        jitter_percent: 50,
    };
    let (mut verdict, mut now, mut draw) = (Verdict::default(), 0_u64, 1_u64);
    let (mut out, mut back, mut asked_while_out) = (None, None, 0_u64);
    while now < 100_000 {
        let up = !(20_000..40_000).contains(&now);
        asked_while_out += u64::from(verdict.fails());
        if verdict.note(up, THRESHOLDS) {
            *(if verdict.fails() { &mut out } else { &mut back }) = Some(now);
        }
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        now += rhythm.next_us(verdict.fails(), draw);
    }
    // Three failures, the first within an interval and a half.
    assert!(
        out.is_some_and(|at| (22_000..=24_500).contains(&at)),
        "{out:?}"
    );
    assert!(
        back.is_some_and(|at| (40_100..=40_300).contains(&at)),
        "{back:?}"
    );
    assert!((100..=200).contains(&asked_while_out), "{asked_while_out}");
}
