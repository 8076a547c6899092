use std::sync::Arc;

use super::{Generation, Health, Obstacle};

#[test]
fn an_endpoint_is_available_when_no_obstacle_stands() {
    let generation = Arc::new(Generation::default());
    let health = Health::new(&generation);
    assert!(health.is_available());
    assert!(health.set(Obstacle::Ejected, true, 10));
    assert!(health.set(Obstacle::FailedCheck, true, 20));
    assert!(!health.set(Obstacle::Ejected, true, 30), "it stood already");
    assert!(health.set(Obstacle::Ejected, false, 40));
    assert!(!health.is_available() && health.returned_at_us() == 0);
    let standing: Vec<_> = health.obstacles().map(Obstacle::name).collect();
    assert_eq!(standing, ["failed_check"]);
    assert!(health.set(Obstacle::FailedCheck, false, 50));
    assert!(health.is_available() && health.returned_at_us() == 50);
    assert!(!health.set(Obstacle::FailedCheck, false, 60));
    assert_eq!((health.returned_at_us(), generation.now()), (50, 4));
}

#[test]
fn endpoints_of_a_cluster_count_their_changes_together() {
    let generation = Arc::new(Generation::default());
    let (one, other) = (Health::new(&generation), Health::new(&generation));
    one.set(Obstacle::Draining, true, 1);
    other.set(Obstacle::BreakerOpen, true, 1);
    assert_eq!(other.generation().now(), 2);
    assert!(one.has(Obstacle::Draining) && !one.has(Obstacle::BreakerOpen));
}
