use super::*;

const LIMIT: Option<Duration> = Some(Duration::from_secs(30));

#[test]
fn a_wait_lasts_until_enough_was_taken() {
    let stall = Stall::default();
    assert_eq!(stall.due(LIMIT), None);
    stall.wait(false);
    let first = stall.due(LIMIT).unwrap();
    // A little more room, again and again.
    stall.wait(false);
    assert_eq!(stall.due(LIMIT), Some(first));
    stall.wait(true);
    assert!(stall.due(LIMIT).unwrap() >= first);
    stall.over();
    assert_eq!(stall.due(LIMIT), None);
}

#[test]
fn without_a_limit_nothing_is_due() {
    let stall = Stall::default();
    stall.wait(false);
    assert_eq!(stall.due(None), None);
}
