//! Least request: the endpoint with the fewest active requests relative to its weight.
//!
//! Up to `SCANNED` endpoints all are looked at, and the pick is a true minimum; ties take turns as
//! in smooth weighted round robin, so that an idle cluster is used evenly. Above that two are drawn
//! by weight and the less loaded taken (M. Mitzenmacher, "The Power of Two Choices in Randomized
//! Load Balancing", 1996): nearly as good, at a cost that doesn't grow.

use std::sync::Arc;

use super::endpoint::Candidate;
use super::endpoint::Load;
use super::random::Random;
use super::round_robin::Credits;
use super::sampler::Sampler;

/// Up to so many endpoints the pick is a true minimum; one look is about a nanosecond while the
/// counts are in the cache.
pub const SCANNED: usize = 32;

#[derive(Debug)]
pub(super) struct LeastRequest {
    loads: Box<[Arc<Load>]>,
    choice: Choice,
}

#[derive(Debug)]
enum Choice {
    Scan { weights: Box<[u64]>, ties: Credits },
    Two(Sampler),
}

/// Active requests per weight, compared without dividing.
#[derive(Debug, Clone, Copy)]
struct Ratio {
    active: u64,
    weight: u64,
}

impl LeastRequest {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let loads = candidates.iter().map(|it| Arc::clone(&it.load)).collect();
        let choice = if candidates.len() <= SCANNED {
            Choice::Scan {
                weights: candidates.iter().map(Candidate::weight).collect(),
                ties: Credits::new(candidates),
            }
        } else {
            Choice::Two(Sampler::new(candidates))
        };
        Self { loads, choice }
    }

    pub(super) fn pick(
        &mut self,
        random: &mut Random,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        match &mut self.choice {
            Choice::Scan { weights, ties } => scan(&self.loads, weights, ties, skip),
            Choice::Two(sampler) => {
                let ratio = |index: usize| {
                    let load = self.loads.get(index)?;
                    Some(Ratio::new(load, sampler.weight(index)))
                };
                sampler.lesser_of_two(random, skip, |second, first| {
                    ratio(second)
                        .zip(ratio(first))
                        .is_some_and(|(second, first)| second.is_below(first))
                })
            }
        }
    }

    /// Goes on with the turns of ties.
    pub(super) fn carry_over(&mut self, old: &Self, same: &dyn Fn(usize) -> Option<usize>) {
        if let (Choice::Scan { ties, .. }, Choice::Scan { ties: old, .. }) =
            (&mut self.choice, &old.choice)
        {
            ties.carry_over(old, same);
        }
    }
}

fn scan(
    loads: &[Arc<Load>],
    weights: &[u64],
    ties: &mut Credits,
    skip: &dyn Fn(usize) -> bool,
) -> Option<usize> {
    // Each count is read once: other workers change them meanwhile.
    let mut seen = [None; SCANNED];
    let mut least: Option<Ratio> = None;
    for (index, ((load, &weight), place)) in loads.iter().zip(weights).zip(&mut seen).enumerate() {
        if skip(index) {
            continue;
        }
        let ratio = Ratio::new(load, weight);
        *place = Some(ratio);
        if least.is_none_or(|least| ratio.is_below(least)) {
            least = Some(ratio);
        }
    }
    let least = least?;
    ties.pick(|index| {
        seen.get(index)
            .copied()
            .flatten()
            .is_some_and(|ratio| !least.is_below(ratio))
    })
}

impl Ratio {
    fn new(load: &Load, weight: u64) -> Self {
        let active = u64::from(load.active());
        Self { active, weight }
    }

    fn is_below(self, other: Self) -> bool {
        // Both factors are below 2^32.
        self.active * other.weight < other.active * self.weight
    }
}
