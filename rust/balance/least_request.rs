//! Least request: the endpoint with the fewest active requests relative to its weight.
//!
//! Up to `SCANNED` endpoints all are looked at, and the pick is a true minimum; ties take turns as
//! in smooth weighted round robin, so that an idle cluster is used evenly. Above that two are drawn
//! by weight and the less loaded taken (M. Mitzenmacher, "The Power of Two Choices in Randomized
//! Load Balancing", 1996): nearly as good, at a cost that doesn't grow.

use std::sync::Arc;

use super::endpoint::Candidate;
use super::endpoint::Load;
use super::endpoint::equal_weights;
use super::random::Random;
use super::round_robin::Credits;
use super::round_robin::whose_turn;
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
    Scan { weights: Box<[u64]>, turns: Turns },
    Two(Sampler),
}

/// One bit for each endpoint.
type Ties = u32;
const _: () = assert!(Ties::BITS as usize == SCANNED);

/// Whose turn it is among ties.
#[derive(Debug)]
enum Turns {
    /// Of equal weight; the one after the endpoint picked last.
    Ring(usize),
    Credits(Credits),
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
                turns: Turns::new(candidates),
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
            Choice::Scan { weights, turns } => turns.pick(least(&self.loads, weights, skip)),
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
        if let (Choice::Scan { turns, .. }, Choice::Scan { turns: old, .. }) =
            (&mut self.choice, &old.choice)
        {
            turns.carry_over(old, same, self.loads.len());
        }
    }
}

impl Turns {
    fn new(candidates: &[Candidate]) -> Self {
        if equal_weights(candidates) {
            Self::Ring(0)
        } else {
            Self::Credits(Credits::new(candidates))
        }
    }

    fn pick(&mut self, ties: Ties) -> Option<usize> {
        match self {
            Self::Ring(next) => next_in_ring(ties, next),
            Self::Credits(credits) => credits.pick(|index| ties >> index & 1 == 1),
        }
    }

    fn carry_over(&mut self, old: &Self, same: &dyn Fn(usize) -> Option<usize>, count: usize) {
        match (self, old) {
            (Self::Ring(next), Self::Ring(turn)) => {
                *next = whose_turn(*turn, SCANNED, same, count);
            }
            (Self::Credits(credits), Self::Credits(was)) => credits.carry_over(was, same),
            _ => {}
        }
    }
}

/// All endpoints that share the least ratio, as bits. Each count is read once, since other workers
/// change them meanwhile.
fn least(loads: &[Arc<Load>], weights: &[u64], skip: &dyn Fn(usize) -> bool) -> Ties {
    let mut ties = 0;
    let mut least: Option<Ratio> = None;
    for (index, (load, &weight)) in loads.iter().zip(weights).enumerate() {
        let ratio = Ratio::new(load, weight);
        if least.is_some_and(|least| least.is_below(ratio)) || skip(index) {
            continue;
        }
        if least.is_none_or(|least| ratio.is_below(least)) {
            least = Some(ratio);
            ties = 0;
        }
        ties |= 1 << index;
    }
    ties
}

/// The first tie from `next` on, in a ring.
fn next_in_ring(ties: Ties, next: &mut usize) -> Option<usize> {
    let from_next = ties & (Ties::MAX << *next);
    let first = if from_next == 0 { ties } else { from_next };
    let index = (first != 0).then(|| first.trailing_zeros() as usize)?;
    *next = (index + 1) % SCANNED;
    Some(index)
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
