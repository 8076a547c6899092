//! Endpoints in levels: the nearest take what they can, the next what is left.
//!
//! A level's part follows Envoy's priority levels: the available part of its endpoints times an
//! overprovisioning factor, at most all that those before it left. Inside a level groups (localities,
//! zones) share by weight, and inside a group a picker chooses. Parts are computed anew when who is
//! available changes, not for each request.

mod layout;
mod nearness;
mod shares;

use std::sync::Arc;

pub use layout::Layout;
pub use layout::Place;

use super::endpoint::Candidate;
use super::hashing::mix;
use super::{Picker, Random};
use crate::wire::cluster::Balance;
use layout::Group;
use shares::{ALL, Shares};

/// The picker of a group.
#[derive(Debug)]
struct Run {
    level: usize,
    group: usize,
    picker: Picker,
}

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy)]
struct Spot {
    run: usize,
    member: usize,
}

/// Who is available.
#[derive(Clone, Copy)]
pub struct Availability<'a> {
    /// Another number whenever `is_available` may say something else.
    pub generation: u64,
    /// Whether the endpoint of this index may get requests.
    pub is_available: &'a dyn Fn(usize) -> bool,
}

impl std::fmt::Debug for Availability<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Availability({})", self.generation)
    }
}

/// Who asks for an endpoint.
#[derive(Debug)]
pub struct Asking<'a> {
    /// The worker's randomness.
    pub random: &'a mut Random,
    /// As for `Picker::pick`.
    pub now_us: u64,
    /// Of the request's key.
    pub hash: Option<u64>,
}

/// Picks endpoints of one cluster that has levels, for one worker.
#[derive(Debug)]
pub struct Levels {
    layout: Arc<Layout>,
    /// Group after group, level after level.
    runs: Vec<Run>,
    /// By index in the cluster.
    spots: Box<[Option<Spot>]>,
    panic_percent: u64,
    shares: Shares,
    /// What the shares were computed at.
    generation: Option<u64>,
}

impl Levels {
    /// Pickers over `candidates` as `layout` places them.
    pub fn new(
        layout: &Arc<Layout>,
        balance: Balance,
        candidates: &[Candidate],
        panic_percent: u64,
    ) -> Self {
        let run = |(level, group, one): (usize, usize, &Group)| {
            let those = one.members.iter();
            let those: Vec<Candidate> = those
                .filter_map(|index| candidates.get(*index).cloned())
                .collect();
            let picker = match &one.table {
                Some(table) => Picker::hashing(Arc::clone(table), &those),
                None => Picker::new(balance, &those),
            };
            Run {
                level,
                group,
                picker,
            }
        };
        Self {
            runs: layout.each().map(run).collect(),
            spots: spots(layout, candidates.len()),
            layout: Arc::clone(layout),
            panic_percent,
            shares: Shares::default(),
            generation: None,
        }
    }

    /// The index of the endpoint that takes the next request: of the level and group whose turn it
    /// is, else of that level's others, else of the first level that has one.
    pub fn pick(
        &mut self,
        mut asking: Asking<'_>,
        available: Availability<'_>,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.generation != Some(available.generation) {
            let is_available = available.is_available;
            self.shares = Shares::of(&self.layout, self.panic_percent, is_available);
            self.generation = Some(available.generation);
        }
        let drawn = self.draw(&mut asking)?;
        let found = self.pick_of(drawn, &mut asking, available, skip);
        if found.is_some() {
            return found;
        }
        let level = self.runs.get(drawn)?.level;
        let count = self.runs.len();
        for turn in 0..2 * count {
            let run = turn % count;
            let is_near = self.runs.get(run).is_some_and(|run| run.level == level);
            if is_near == (turn < count)
                && let Some(found) = self.pick_of(run, &mut asking, available, skip)
            {
                return Some(found);
            }
        }
        None
    }

    /// Whether the endpoint of this index was picked because nobody was left out.
    pub fn is_in_panic(&self, index: usize) -> bool {
        let spot = self.spots.get(index).copied().flatten();
        let run = spot.and_then(|spot| self.runs.get(spot.run));
        let level = run.and_then(|run| self.shares.levels.get(run.level));
        level.is_some_and(|level| level.panics)
    }

    fn pick_of(
        &mut self,
        run: usize,
        asking: &mut Asking<'_>,
        available: Availability<'_>,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        let run = self.runs.get_mut(run)?;
        let members = &self.layout.group(run.level, run.group)?.members;
        let panics = self.shares.levels.get(run.level)?.panics;
        let skip = |member: usize| {
            let is_out =
                |index: &usize| skip(*index) || !(panics || (available.is_available)(*index));
            members.get(member).is_none_or(is_out)
        };
        let member = match asking.hash {
            Some(hash) => run.picker.pick_hashed(hash, &skip),
            None => run.picker.pick(asking.random, asking.now_us, &skip),
        };
        members.get(member?).copied()
    }

    /// Whose turn it is: by chance, or by the key, so that it stays where it is.
    fn draw(&self, asking: &mut Asking<'_>) -> Option<usize> {
        let levels = &self.shares.levels;
        let level = match &**levels {
            [] => return None,
            [_] => 0,
            many => {
                let point = point(asking, 1, ALL);
                whose(many.iter().map(|level| level.load), point)
            }
        };
        let groups = &levels.get(level)?.groups;
        let group = if groups.len() < 2 {
            0
        } else {
            let total = groups.iter().sum();
            whose(groups.iter().copied(), point(asking, 2, total))
        };
        let before = levels.iter().take(level).map(|level| level.groups.len());
        Some(before.sum::<usize>() + group)
    }

    /// As `Picker::observe`.
    pub fn observe(&mut self, index: usize, latency_us: u64, now_us: u64) {
        let spot = self.spots.get(index).copied().flatten();
        let run = spot.and_then(|spot| self.runs.get_mut(spot.run));
        if let (Some(spot), Some(run)) = (spot, run) {
            run.picker.observe(spot.member, latency_us, now_us);
        }
    }

    /// As `Picker::carry_over`, for groups that have their place still.
    pub fn carry_over(&mut self, old: &Self, same: impl Fn(usize) -> Option<usize>) {
        for run in &mut self.runs {
            let is_same = |it: &Run| (it.level, it.group) == (run.level, run.group);
            let before = old.runs.iter().position(is_same);
            let group = self.layout.group(run.level, run.group);
            let (Some(before), Some(group)) = (before, group) else {
                continue;
            };
            let was = |member: usize| {
                let index = same(*group.members.get(member)?)?;
                let spot = old.spots.get(index).copied().flatten()?;
                (spot.run == before).then_some(spot.member)
            };
            if let Some(before) = old.runs.get(before) {
                run.picker.carry_over(&before.picker, was);
            }
        }
    }
}

/// Where each of `count` endpoints stands.
fn spots(layout: &Layout, count: usize) -> Box<[Option<Spot>]> {
    let mut spots = vec![None; count].into_boxed_slice();
    for (run, (_, _, group)) in layout.each().enumerate() {
        for (member, index) in group.members.iter().enumerate() {
            if let Some(spot) = spots.get_mut(*index) {
                *spot = Some(Spot { run, member });
            }
        }
    }
    spots
}

/// A number below `bound`; `which` makes those of one key independent of each other.
fn point(asking: &mut Asking<'_>, which: u64, bound: u64) -> u64 {
    match asking.hash {
        Some(hash) => Random::seeded(mix(hash.wrapping_add(which))).below(bound),
        None => asking.random.below(bound),
    }
}

/// Who owns `point`, of those that own so much each.
fn whose(owned: impl Iterator<Item = u64>, mut point: u64) -> usize {
    for (index, much) in owned.enumerate() {
        if point < much {
            return index;
        }
        point -= much;
    }
    0
}

#[cfg(test)]
mod tests;
