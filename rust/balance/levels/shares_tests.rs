//! Envoy's sums, with the figures of its documentation where it gives some.

use super::*;

fn counts(percents: &[u64]) -> Vec<Count> {
    let count = |percent: &u64| Count {
        fit: *percent,
        all: 100,
    };
    percents.iter().map(count).collect()
}

fn percents(health: &[u64]) -> Vec<u64> {
    let counts = counts(health);
    let strengths: Vec<u64> = counts.iter().map(|it| it.strength(140)).collect();
    let loads = loads(&strengths, &counts);
    assert_eq!(loads.iter().sum::<u64>(), ALL);
    loads.iter().map(|load| load / 100).collect()
}

#[test]
fn loads_spill_as_envoy_says() {
    // Two levels.
    assert_eq!(percents(&[100, 100]), [100, 0]);
    assert_eq!(percents(&[72, 100]), [100, 0]);
    assert_eq!(percents(&[71, 100]), [99, 0]);
    assert_eq!(percents(&[50, 100]), [70, 30]);
    assert_eq!(percents(&[25, 100]), [35, 65]);
    assert_eq!(percents(&[0, 100]), [0, 100]);
    // All levels together are too weak: in proportion.
    assert_eq!(percents(&[25, 25]), [50, 50]);
    // Three levels.
    assert_eq!(percents(&[25, 100, 0]), [35, 65, 0]);
    assert_eq!(percents(&[25, 25, 100]), [35, 35, 30]);
    assert_eq!(percents(&[25, 25, 20]), [35, 35, 28]);
}

#[test]
fn where_nobody_is_left_levels_share_by_their_size() {
    let counts = [Count { fit: 0, all: 3 }, Count { fit: 0, all: 1 }];
    assert_eq!(loads(&[0, 0], &counts), [7_500, 2_500]);
    assert_eq!(loads(&[], &[]), [0_u64; 0]);
}

#[test]
fn zones_keep_what_they_can() {
    let of = |fit: &[u64]| {
        let count = |fit: &u64| Count { fit: *fit, all: 10 };
        let counts: Vec<Count> = fit.iter().map(count).collect();
        let shares = zones(&counts, 0, 6);
        let total: u64 = shares.iter().sum();
        shares.iter().map(|it| it * 100 / total).collect::<Vec<_>>()
    };
    // As much as its part, or more: everything.
    assert_eq!(of(&[3, 3]), [100, 0]);
    assert_eq!(of(&[4, 2, 3]), [100, 0, 0]);
    // Half of its part, the rest from where there is too much.
    assert_eq!(of(&[2, 6]), [50, 50]);
    assert_eq!(of(&[2, 4, 6]), [50, 0, 50]);
    // Nobody here, or too few at all: as many as there are.
    assert_eq!(of(&[0, 6, 2]), [0, 75, 25]);
    assert_eq!(of(&[2, 1, 1]), [50, 25, 25]);
}
