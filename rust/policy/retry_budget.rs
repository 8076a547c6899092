//! How many of a cluster's requests may be further attempts at once: retries must not become the
//! load that they answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::wire::cluster::RetryBudget;
use crate::wire::route::Percentage;

/// Further attempts under way in a cluster, over all workers; lives as long as its name.
#[derive(Debug, Default)]
pub struct Retrying(AtomicU32);

/// A place for one; dropping it frees the place.
#[derive(Debug)]
pub struct Spent(Arc<Retrying>);

impl Drop for Spent {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Retrying {
    /// How many are under way.
    pub fn active(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes a place, if there is one while the cluster has so many requests in flight.
    pub fn enter(self: &Arc<Self>, budget: &RetryBudget, in_flight: u64) -> Option<Spent> {
        let most = most(budget, in_flight);
        let more = |active| (active < most).then_some(active + 1);
        let entered = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        entered.ok().map(|_| Spent(Arc::clone(self)))
    }
}

/// A share of what is in flight, but a few always: one request alone could never be retried else.
fn most(budget: &RetryBudget, in_flight: u64) -> u32 {
    let share = u64::from(budget.percent.millionths());
    let share = in_flight.saturating_mul(share) / u64::from(Percentage::WHOLE);
    let share = u32::try_from(share).unwrap_or(u32::MAX);
    share.max(budget.min_concurrency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(percent: f64, min_concurrency: u32) -> RetryBudget {
        RetryBudget {
            percent: serde_json::from_value(percent.into()).unwrap(),
            min_concurrency,
        }
    }

    #[test]
    fn a_share_of_what_is_in_flight_but_a_few_always() {
        for (percent, least, in_flight, expected) in [
            (20.0, 3, 0, 3),
            (20.0, 3, 15, 3),
            (20.0, 3, 64, 12),
            (20.0, 3, 1_000, 200),
            (0.0, 3, 1_000, 3),
            (0.0, 0, 1_000, 0),
            (100.0, 0, 7, 7),
            (0.5, 0, 1_000, 5),
        ] {
            assert_eq!(most(&budget(percent, least), in_flight), expected);
        }
    }

    #[test]
    fn places_are_given_back() {
        let (retrying, budget) = (Arc::new(Retrying::default()), budget(20.0, 2));
        let one = retrying.enter(&budget, 1);
        let two = retrying.enter(&budget, 1);
        assert!(one.is_some() && two.is_some());
        assert!(retrying.enter(&budget, 1).is_none());
        assert!(retrying.enter(&budget, 15).is_some(), "more in flight");
        drop(one);
        assert!(retrying.enter(&budget, 1).is_some());
    }

    /// Callers that fail always: each begins anew, or retries where the budget lets it. All attempts
    /// take as long, which is the worst case: a wait before retries only lowers their share.
    #[test]
    fn a_cluster_that_always_fails_gets_a_quarter_more_at_most() {
        const CALLERS: usize = 64;
        let (retrying, budget) = (Arc::new(Retrying::default()), budget(20.0, 3));
        let mut spent: Vec<Option<Spent>> = (0..CALLERS).map(|_| None).collect();
        let (mut firsts, mut retries) = (0_u32, 0_u32);
        for _ in 0..1_000 {
            for caller in &mut spent {
                // A retry that failed, or a first attempt that isn't let again: the caller's next.
                let again = caller.is_none().then(|| retrying.enter(&budget, 64));
                *caller = again.flatten();
                match caller {
                    Some(_) => retries += 1,
                    None => firsts += 1,
                }
            }
        }
        let load = f64::from(firsts + retries) / f64::from(firsts);
        assert!((1.1..=1.25).contains(&load), "{load}");
    }
}
