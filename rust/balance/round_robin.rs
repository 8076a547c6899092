//! Smooth weighted round robin: exact shares, evenly spread, no randomness.
//!
//! Equal weights take turns (one step a pick). Up to `SCANNED` endpoints of different weight take
//! turns as in nginx: each pick adds its weight to every endpoint's credit, takes the highest
//! credit and subtracts the total from it (n steps). More endpoints wait in a heap for their next
//! turn, the k-th at (2k - 1) / weight, that is in the middle of its k-th share (Webster's divisor
//! method; log n steps). All give each endpoint exactly its weight in a round of total-weight
//! picks. A skipped endpoint loses its turn and doesn't make up for it later.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::endpoint::Candidate;
use super::endpoint::equal_weights;

/// Up to so many endpoints of different weight a scan is as fast as a heap (benches/balance.rs).
const SCANNED: usize = 16;
/// Turns lost by skipped endpoints before the heap is searched for one that is not skipped.
const LOST_TURNS: usize = 8;

#[derive(Debug)]
pub(super) struct RoundRobin {
    turns: Turns,
}

#[derive(Debug)]
enum Turns {
    Equal { count: usize, next: usize },
    Credits(Credits),
    Waiting(BinaryHeap<Turn>),
}

/// nginx's smooth weighted round robin.
#[derive(Debug)]
pub(super) struct Credits {
    shares: Box<[Credit]>,
}

#[derive(Debug, Clone, Copy)]
struct Credit {
    weight: i64,
    credit: i64,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    taken: u64,
    weight: u64,
    index: usize,
}

impl RoundRobin {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let count = candidates.len();
        let turns = if equal_weights(candidates) {
            Turns::Equal { count, next: 0 }
        } else if count <= SCANNED {
            Turns::Credits(Credits::new(candidates))
        } else {
            Turns::Waiting(candidates.iter().enumerate().map(Turn::new).collect())
        };
        Self { turns }
    }

    pub(super) fn pick(&mut self, skip: &dyn Fn(usize) -> bool) -> Option<usize> {
        match &mut self.turns {
            Turns::Equal { count, next } => {
                let found = (*next..*count)
                    .chain(0..*next)
                    .find(|index| !skip(*index))?;
                *next = if found + 1 < *count { found + 1 } else { 0 };
                Some(found)
            }
            Turns::Credits(credits) => credits.pick(|index| !skip(index)),
            Turns::Waiting(heap) => pick_waiting(heap, skip),
        }
    }

    /// Goes on where `old` stood; `same` gives an endpoint's index in `old`.
    pub(super) fn carry_over(&mut self, old: &Self, same: &dyn Fn(usize) -> Option<usize>) {
        match (&mut self.turns, &old.turns) {
            (
                Turns::Equal { count, next },
                Turns::Equal {
                    count: was,
                    next: turn,
                },
            ) => {
                *next = whose_turn(*turn, *was, same, *count);
            }
            (Turns::Credits(credits), Turns::Credits(old)) => credits.carry_over(old, same),
            (Turns::Waiting(heap), Turns::Waiting(old)) => carry_heap(heap, old, same),
            _ => {}
        }
    }
}

/// Which of `count` endpoints comes first after a change: of those that stay, the one whose turn in
/// the old ring of `length` would have come first. Newcomers wait for their place in the ring;
/// began they, then a part that is replaced all the time would get all turns.
pub(super) fn whose_turn(
    turn: usize,
    length: usize,
    same: &dyn Fn(usize) -> Option<usize>,
    count: usize,
) -> usize {
    let wait = |index: usize| same(index).map(|at| (at + length - turn) % length);
    let stayers = (0..count).filter_map(|index| Some((wait(index)?, index)));
    stayers.min().map_or(0, |(_, index)| index)
}

impl Credits {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let credit = |candidate: &Candidate| Credit {
            weight: i64::from(candidate.weight.max(1)),
            credit: 0,
        };
        Self {
            shares: candidates.iter().map(credit).collect(),
        }
    }

    /// The next turn among those that `takes_part`.
    pub(super) fn pick(&mut self, takes_part: impl Fn(usize) -> bool) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, share) in self.shares.iter_mut().enumerate() {
            if !takes_part(index) {
                continue;
            }
            total += share.weight;
            share.credit += share.weight;
            if best.is_none_or(|(_, highest)| share.credit > highest) {
                best = Some((index, share.credit));
            }
        }
        let (index, _) = best?;
        if let Some(share) = self.shares.get_mut(index) {
            share.credit -= total;
        }
        Some(index)
    }

    pub(super) fn carry_over(&mut self, old: &Self, same: &dyn Fn(usize) -> Option<usize>) {
        for (index, share) in self.shares.iter_mut().enumerate() {
            let was = same(index).and_then(|at| old.shares.get(at));
            // A credit was earned at a weight and would be out of proportion at another.
            if let Some(was) = was.filter(|was| was.weight == share.weight) {
                share.credit = was.credit;
            }
        }
        // Credits sum up to 0; those of endpoints that left would otherwise add up over changes.
        let excess: i64 = self.shares.iter().map(|share| share.credit).sum();
        let count = i64::try_from(self.shares.len()).unwrap_or(i64::MAX).max(1);
        for share in &mut self.shares {
            share.credit -= excess / count;
        }
    }
}

/// Takes the first turn and puts its endpoint back to wait for the next one.
fn pick_waiting(heap: &mut BinaryHeap<Turn>, skip: &dyn Fn(usize) -> bool) -> Option<usize> {
    for _ in 0..LOST_TURNS {
        // The heap sifts the changed turn down when the guard is dropped.
        let mut first = heap.peek_mut()?;
        first.taken += 1;
        let index = first.index;
        drop(first);
        if !skip(index) {
            return Some(index);
        }
    }
    // A heavy endpoint could lose 65,535 turns in a row. Its neighbours' turns are then lent, not
    // taken, so that this rare way needs no second heap operation.
    let first = heap.iter().filter(|turn| !skip(turn.index)).max()?;
    Some(first.index)
}

/// Shifts all turns so that the round of `old` goes on; newcomers stand where the hindmost stands.
fn carry_heap(
    heap: &mut BinaryHeap<Turn>,
    old: &BinaryHeap<Turn>,
    same: &dyn Fn(usize) -> Option<usize>,
) {
    let mut was = vec![None; old.len()];
    for turn in old {
        if let Some(place) = was.get_mut(turn.index) {
            *place = Some(*turn);
        }
    }
    let was = |index: usize| same(index).and_then(|at| was.get(at).copied().flatten());
    let stayers = heap.iter().filter_map(|turn| was(turn.index));
    let Some(hindmost) = stayers.max_by(Turn::behind) else {
        return;
    };
    let rounds = hindmost.taken / hindmost.weight;
    *heap = heap
        .iter()
        .map(|turn| {
            let from = was(turn.index).unwrap_or(hindmost);
            let taken = from.taken.saturating_sub(rounds * from.weight);
            Turn {
                taken: taken * turn.weight / from.weight,
                ..*turn
            }
        })
        .collect();
}

impl Turn {
    fn new((index, candidate): (usize, &Candidate)) -> Self {
        Self {
            taken: 0,
            weight: candidate.weight(),
            index,
        }
    }

    /// Compares how little of its share each has taken: the hindmost is the greatest.
    fn behind(&self, other: &Self) -> Ordering {
        let left = u128::from(self.taken) * u128::from(other.weight);
        let right = u128::from(other.taken) * u128::from(self.weight);
        right.cmp(&left)
    }
}

/// The greatest turn is the one that comes first, since the heap gives out the greatest.
impl Ord for Turn {
    fn cmp(&self, other: &Self) -> Ordering {
        // (2k + 1) / weight, compared without dividing; below 2^64 picks nothing overflows.
        let when = |turn: &Self, by: u64| (2 * u128::from(turn.taken) + 1) * u128::from(by);
        when(other, self.weight)
            .cmp(&when(self, other.weight))
            .then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for Turn {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Turn {}
