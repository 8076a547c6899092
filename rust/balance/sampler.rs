//! Draws indices by weight in constant time (Walker's alias method, exact in integers).
//!
//! Each index owns one column as high as the total weight. A column holds its owner up to a
//! threshold and above it one other index, its alias. A draw takes a column and a height.

use super::endpoint::Candidate;
use super::endpoint::equal_weights;
use super::random::Random;

/// Draws that hit skipped endpoints before the rest is weighed out one by one.
const REDRAWS: usize = 4;

#[derive(Debug)]
pub(super) struct Sampler {
    weights: Box<[u64]>,
    /// `None` for equal weights.
    columns: Option<Columns>,
}

#[derive(Debug)]
struct Columns {
    height: u64,
    columns: Box<[Column]>,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    threshold: u64,
    alias: usize,
}

impl Sampler {
    pub(super) fn new(candidates: &[Candidate]) -> Self {
        let weights: Box<[u64]> = candidates.iter().map(Candidate::weight).collect();
        let columns = (!equal_weights(candidates)).then(|| Columns::new(&weights));
        Self { weights, columns }
    }

    pub(super) fn weight(&self, index: usize) -> u64 {
        self.weights.get(index).copied().unwrap_or(1)
    }

    /// An index by weight.
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let index = random.index(self.weights.len());
        let Some(Columns { height, columns }) = &self.columns else {
            return index;
        };
        match columns.get(index) {
            Some(column) if random.below(*height) >= column.threshold => column.alias,
            _ => index,
        }
    }

    /// Two indices: different ones at equal weights; else independent draws, so that endpoints
    /// which are equally good get shares by weight even when there are only two of them.
    fn pair(&self, random: &mut Random) -> (usize, usize) {
        let first = self.draw(random);
        if self.columns.is_some() {
            return (first, self.draw(random));
        }
        let offset = 1 + random.index(self.weights.len().saturating_sub(1));
        let second = first + offset;
        let length = self.weights.len();
        (
            first,
            if second < length {
                second
            } else {
                second - length
            },
        )
    }

    /// Of two drawn indices the second if `is_less(second, first)`, else the first, which was
    /// drawn by weight; of those not skipped.
    pub(super) fn lesser_of_two(
        &self,
        random: &mut Random,
        skip: &dyn Fn(usize) -> bool,
        is_less: impl Fn(usize, usize) -> bool,
    ) -> Option<usize> {
        for _ in 0..REDRAWS {
            let (first, second) = self.pair(random);
            match (skip(first), skip(second)) {
                (false, false) if is_less(second, first) => return Some(second),
                (false, _) => return Some(first),
                (true, false) => return Some(second),
                (true, true) => {}
            }
        }
        self.draw_unskipped(random, skip)
    }

    /// An index by weight among those that are not skipped.
    pub(super) fn draw_unskipped(
        &self,
        random: &mut Random,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        for _ in 0..REDRAWS {
            let index = self.draw(random);
            if !skip(index) {
                return Some(index);
            }
        }
        // Weighs the rest out: n steps, but only after most draws hit skipped endpoints.
        let rest = || {
            self.weights
                .iter()
                .enumerate()
                .filter(|(index, _)| !skip(*index))
        };
        let mut point = random.below(rest().map(|(_, weight)| weight).sum());
        for (index, weight) in rest() {
            if point < *weight {
                return Some(index);
            }
            point -= weight;
        }
        None
    }
}

impl Columns {
    fn new(weights: &[u64]) -> Self {
        let count = weights.len() as u64;
        let height = weights.iter().sum();
        // In units of 1 / count, so that all stays whole: weights are below 2^32.
        let mut left: Vec<u64> = weights.iter().map(|weight| weight * count).collect();
        let mut columns: Vec<Column> = (0..weights.len())
            .map(|alias| Column {
                threshold: height,
                alias,
            })
            .collect();
        let (mut short, mut tall): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|index| left.get(*index) < Some(&height));
        while let (Some(low), Some(high)) = (short.pop(), tall.last().copied()) {
            let threshold = left.get(low).copied().unwrap_or(height);
            if let Some(column) = columns.get_mut(low) {
                *column = Column {
                    threshold,
                    alias: high,
                };
            }
            let rest = left.get(high).map_or(0, |rest| rest - (height - threshold));
            if let Some(place) = left.get_mut(high) {
                *place = rest;
            }
            if rest < height {
                tall.pop();
                short.push(high);
            }
        }
        Self {
            height,
            columns: columns.into(),
        }
    }
}
