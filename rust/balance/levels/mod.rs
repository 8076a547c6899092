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
use shares::{ALL, Shares};

/// Where an endpoint stands.
#[derive(Debug, Clone, Copy)]
struct Spot {
    level: usize,
    group: usize,
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
    pickers: Vec<Vec<Picker>>,
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
        let mut spots = vec![None; candidates.len()];
        let mut pickers = Vec::with_capacity(layout.levels.len());
        for (level, of_level) in layout.levels.iter().enumerate() {
            let mut groups = Vec::with_capacity(of_level.groups.len());
            for (group, of_group) in of_level.groups.iter().enumerate() {
                let members = of_group.members.iter();
                for (member, index) in members.clone().enumerate() {
                    if let Some(spot) = spots.get_mut(*index) {
                        *spot = Some(Spot {
                            level,
                            group,
                            member,
                        });
                    }
                }
                let those: Vec<Candidate> = members
                    .filter_map(|index| candidates.get(*index).cloned())
                    .collect();
                groups.push(match &of_group.table {
                    Some(table) => Picker::hashing(Arc::clone(table), &those),
                    None => Picker::new(balance, &those),
                });
            }
            pickers.push(groups);
        }
        Self {
            layout: Arc::clone(layout),
            pickers,
            spots: spots.into(),
            panic_percent,
            shares: Shares::default(),
            generation: None,
        }
    }

    /// The index of the endpoint that takes the next request: of the level and group whose turn it
    /// is, else of the first others that have one.
    pub fn pick(
        &mut self,
        mut asking: Asking<'_>,
        available: Availability<'_>,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        if self.generation != Some(available.generation) {
            self.shares = Shares::of(&self.layout, self.panic_percent, available.is_available);
            self.generation = Some(available.generation);
        }
        let (level, group) = self.draw(&mut asking)?;
        let found = self.pick_of((level, group), &mut asking, available, skip);
        if found.is_some() {
            return found;
        }
        let levels =
            std::iter::once(level).chain((0..self.pickers.len()).filter(|it| *it != level));
        for level in levels {
            for group in 0..self.pickers.get(level).map_or(0, Vec::len) {
                let found = self.pick_of((level, group), &mut asking, available, skip);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// Whether the endpoint of this index was picked because nobody was left out.
    pub fn is_in_panic(&self, index: usize) -> bool {
        let spot = self.spots.get(index).copied().flatten();
        let level = spot.and_then(|spot| self.shares.levels.get(spot.level));
        level.is_some_and(|level| level.panics)
    }

    fn pick_of(
        &mut self,
        (level, group): (usize, usize),
        asking: &mut Asking<'_>,
        available: Availability<'_>,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        let members = &self.layout.levels.get(level)?.groups.get(group)?.members;
        let panics = self.shares.levels.get(level)?.panics;
        let picker = self.pickers.get_mut(level)?.get_mut(group)?;
        let skip = |member: usize| {
            let is_out =
                |index: &usize| skip(*index) || !(panics || (available.is_available)(*index));
            members.get(member).is_none_or(is_out)
        };
        let member = match asking.hash {
            Some(hash) => picker.pick_hashed(hash, &skip),
            None => picker.pick(asking.random, asking.now_us, &skip),
        };
        members.get(member?).copied()
    }

    /// Whose turn it is: by chance, or by the key, so that it stays where it is.
    fn draw(&self, asking: &mut Asking<'_>) -> Option<(usize, usize)> {
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
        if groups.len() < 2 {
            return Some((level, 0));
        }
        let total = groups.iter().sum();
        Some((
            level,
            whose(groups.iter().copied(), point(asking, 2, total)),
        ))
    }

    /// As `Picker::observe`.
    pub fn observe(&mut self, index: usize, latency_us: u64, now_us: u64) {
        let Some(Some(spot)) = self.spots.get(index).copied() else {
            return;
        };
        let groups = self.pickers.get_mut(spot.level);
        if let Some(picker) = groups.and_then(|groups| groups.get_mut(spot.group)) {
            picker.observe(spot.member, latency_us, now_us);
        }
    }

    /// As `Picker::carry_over`, for groups that have their place still.
    pub fn carry_over(&mut self, old: &Self, same: impl Fn(usize) -> Option<usize>) {
        for (level, groups) in self.pickers.iter_mut().enumerate() {
            for (group, picker) in groups.iter_mut().enumerate() {
                let before = old.pickers.get(level).and_then(|it| it.get(group));
                let members = self.layout.levels.get(level);
                let members = members.and_then(|it| it.groups.get(group));
                let (Some(before), Some(members)) = (before, members) else {
                    continue;
                };
                let was = |member: usize| {
                    let index = same(*members.members.get(member)?)?;
                    let spot = old.spots.get(index).copied().flatten()?;
                    ((spot.level, spot.group) == (level, group)).then_some(spot.member)
                };
                picker.carry_over(before, was);
            }
        }
    }
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
#[path = "tests.rs"]
mod tests;
