//! What each level and each group gets, given who is available: Envoy's sums.

use super::layout::{Layout, Level, Sharing};

/// All of something.
pub(super) const ALL: u64 = 10_000;

/// What each level gets, and each of its groups.
#[derive(Debug, Default)]
pub(super) struct Shares {
    pub(super) levels: Box<[LevelShare]>,
}

#[derive(Debug)]
pub(super) struct LevelShare {
    /// Of `ALL`.
    pub(super) load: u64,
    /// So few are available that all get requests.
    pub(super) panics: bool,
    /// What each group gets, relative to the others.
    pub(super) groups: Box<[u64]>,
}

/// How many are available, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) fit: u64,
    pub(super) all: u64,
}

impl Count {
    /// The available part times the factor, at most `ALL`.
    fn strength(self, percent: u64) -> u64 {
        (self.fit * percent * (ALL / 100))
            .checked_div(self.all)
            .map_or(0, |strength| strength.min(ALL))
    }
}

impl Shares {
    /// The shares where `is_available` says who is available; below `panic_percent` of a level it counts
    /// as wholly so, if all levels together can't take everything.
    pub(super) fn of(
        layout: &Layout,
        panic_percent: u64,
        is_available: &dyn Fn(usize) -> bool,
    ) -> Self {
        let percent = layout.overprovisioning_percent;
        let counted = |level: &Level| -> Vec<Count> {
            let groups = level.groups.iter();
            groups
                .map(|group| count(&group.members, is_available))
                .collect()
        };
        let counts: Vec<Vec<Count>> = layout.levels.iter().map(counted).collect();
        let whole: Vec<Count> = counts.iter().map(|groups| sum(groups)).collect();
        let strengths: Vec<u64> = whole.iter().map(|it| it.strength(percent)).collect();
        let short = strengths.iter().sum::<u64>() < ALL;
        let loads = loads(&strengths, &whole);
        let share = |(at, level): (usize, &Level)| {
            let panics = short && whole[at].fit * 100 < panic_percent * whole[at].all;
            LevelShare {
                load: loads[at],
                panics,
                groups: groups(level, &counts[at], panics, percent),
            }
        };
        Self {
            levels: layout.levels.iter().enumerate().map(share).collect(),
        }
    }
}

fn count(members: &[usize], is_available: &dyn Fn(usize) -> bool) -> Count {
    Count {
        fit: members.iter().filter(|index| is_available(**index)).count() as u64,
        all: members.len() as u64,
    }
}

fn sum(counts: &[Count]) -> Count {
    Count {
        fit: counts.iter().map(|count| count.fit).sum(),
        all: counts.iter().map(|count| count.all).sum(),
    }
}

/// Each level takes what it can of what those before it left. Where all together are too weak, each
/// takes in proportion; where nobody is left, by the number of endpoints.
fn loads(strengths: &[u64], counts: &[Count]) -> Vec<u64> {
    let total = strengths.iter().sum::<u64>().min(ALL);
    let endpoints: u64 = counts.iter().map(|count| count.all).sum();
    let mut left = ALL;
    let mut loads = Vec::with_capacity(strengths.len());
    for (strength, count) in strengths.iter().zip(counts) {
        let by_size = (count.all * ALL).checked_div(endpoints);
        let wanted = (strength * ALL).checked_div(total).or(by_size);
        let wanted = wanted.unwrap_or_default();
        let load = wanted.min(left);
        left -= load;
        loads.push(load);
    }
    // What was lost in rounding goes to the first that takes any.
    if let Some(first) = loads.iter_mut().find(|load| **load > 0) {
        *first += left;
    }
    loads
}

fn groups(level: &Level, counts: &[Count], panics: bool, percent: u64) -> Box<[u64]> {
    match level.sharing {
        Sharing::Zones { ours, enough } if !panics => zones(counts, ours, enough as u64),
        Sharing::Zones { .. } => counts.iter().map(|count| count.all).collect(),
        Sharing::Weights => {
            let weights = level.groups.iter().map(|group| group.weight).zip(counts);
            let strength = |count: &Count| if panics { ALL } else { count.strength(percent) };
            weights.map(|(weight, it)| weight * strength(it)).collect()
        }
    }
}

/// Envoy's zone-aware routing, with callers taken to be spread evenly over the zones, since nobody
/// tells us where they are: a zone that has its part of the endpoints, or more, keeps its requests;
/// another keeps what its endpoints are good for, and gives the rest to those that have too many.
fn zones(counts: &[Count], ours: usize, enough: u64) -> Box<[u64]> {
    let fit: u64 = counts.iter().map(|count| count.fit).sum();
    let here = counts.get(ours).map_or(0, |count| count.fit);
    if fit < enough || here == 0 {
        return counts.iter().map(|count| count.fit).collect();
    }
    let zones = counts.len() as u64;
    // In endpoints times zones: a zone's fair part is `fit`.
    if here * zones >= fit {
        return (0..counts.len()).map(|at| u64::from(at == ours)).collect();
    }
    let excess = |count: &Count| (count.fit * zones).saturating_sub(fit);
    let total: u64 = counts.iter().map(excess).sum();
    let rest = fit - here * zones;
    let share = |(at, count): (usize, &Count)| {
        if at == ours {
            here * zones * total
        } else {
            rest * excess(count)
        }
    };
    counts.iter().enumerate().map(share).collect()
}

#[cfg(test)]
#[path = "shares_tests.rs"]
mod tests;
