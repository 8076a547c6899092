//! Which endpoints stand in which level, and in which group of it: decided when a cluster is compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::nearness;
use crate::balance::HashTable;
use crate::wire::cluster::locality::{Distribute, Locality};

/// What an endpoint's place depends on.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// `region/zone/subzone`.
    pub locality: &'a str,
    /// What it is called by.
    pub labels: &'a BTreeMap<String, String>,
    /// The lower comes first, however near others are.
    pub priority: u32,
    /// Takes nothing new.
    pub draining: bool,
}

/// Levels, the first of which takes what it can; immutable, shared by all workers.
#[derive(Debug)]
pub struct Layout {
    pub(super) levels: Box<[Level]>,
    pub(super) overprovisioning_percent: u64,
}

/// Endpoints that come before others, and after others.
#[derive(Debug)]
pub(super) struct Level {
    pub(super) groups: Box<[Group]>,
    pub(super) sharing: Sharing,
}

/// What the groups of a level get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// By their weights, as far as they are available.
    Weights,
    /// Ours what it can take, the others what is left.
    Zones { ours: usize, enough: usize },
}

/// Endpoints that share what the group gets.
#[derive(Debug)]
pub(super) struct Group {
    /// Their indices in the cluster.
    pub(super) members: Box<[usize]>,
    pub(super) weight: u64,
    /// Who takes which key, where the cluster goes by keys.
    pub(super) table: Option<Arc<HashTable>>,
}

impl Layout {
    /// The layout of endpoints at `places`; `None` where it would be one group of all of them.
    pub fn new(wanted: Option<&Locality>, places: &[Place<'_>]) -> Option<Self> {
        let wanted = wanted.filter(|wanted| wanted.enabled);
        let mut ranked: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
        let shares = wanted.and_then(shares);
        for (index, place) in places.iter().enumerate().filter(|(_, it)| !it.draining) {
            // Who has a share of weight has no other order.
            let near = wanted.filter(|wanted| wanted.distribute.is_empty());
            let rank = near.map_or(0, |wanted| nearness::rank(wanted, place));
            ranked
                .entry((place.priority, rank))
                .or_default()
                .push(index);
        }
        let level = |(at, members)| match (shares, wanted) {
            (Some(shares), _) => by_share(shares, members, places),
            (None, Some(wanted)) if at == 0 => by_zone(wanted, members, places),
            _ => one_group(members),
        };
        let levels = ranked.into_values().enumerate().map(level);
        let levels: Box<[Level]> = levels.filter(|level| !level.groups.is_empty()).collect();
        let overprovisioning_percent = wanted.map_or(140, |it| it.overprovisioning_percent.into());
        let layout = Self {
            levels,
            overprovisioning_percent,
        };
        (!layout.is_plain(places.len())).then_some(layout)
    }

    /// Gives each group the table that `make` makes of its members.
    pub fn set_tables(&mut self, make: impl Fn(&[usize]) -> Option<Arc<HashTable>>) {
        for group in self.levels.iter_mut().flat_map(|level| &mut level.groups) {
            group.table = make(&group.members);
        }
    }

    /// The members of each group, level by level.
    pub fn groups(&self) -> impl Iterator<Item = (usize, &[usize])> {
        self.each()
            .map(|(level, _, group)| (level, &*group.members))
    }

    /// Each group with its level and its place there.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, usize, &Group)> {
        let levels = self.levels.iter().enumerate();
        levels.flat_map(|(at, level)| {
            let groups = level.groups.iter().enumerate();
            groups.map(move |(place, group)| (at, place, group))
        })
    }

    pub(super) fn group(&self, level: usize, group: usize) -> Option<&Group> {
        self.levels.get(level)?.groups.get(group)
    }

    fn is_plain(&self, count: usize) -> bool {
        match &*self.levels {
            [] => count == 0,
            [only] => matches!(&*only.groups, [group] if group.members.len() == count),
            _ => false,
        }
    }
}

/// What localities get from here.
fn shares(wanted: &Locality) -> Option<&Distribute> {
    let mut shares = wanted.distribute.iter();
    shares.find(|one| nearness::matches(&one.from, &wanted.here).is_some())
}

fn one_group(members: Vec<usize>) -> Level {
    Level {
        groups: Box::new([group(members, 1)]),
        sharing: Sharing::Weights,
    }
}

fn group(members: Vec<usize>, weight: u64) -> Group {
    Group {
        members: members.into(),
        weight,
        table: None,
    }
}

/// Each endpoint belongs to the share that names its place best; to none, and it gets nothing.
fn by_share(shares: &Distribute, members: Vec<usize>, places: &[Place<'_>]) -> Level {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for index in members {
        let locality = places.get(index).map_or("", |place| place.locality);
        let patterns = shares.to.keys();
        let known = patterns.filter_map(|it| Some((nearness::matches(it, locality)?, it)));
        if let Some((_, pattern)) = known.max() {
            groups.entry(pattern).or_default().push(index);
        }
    }
    let weight = |pattern| shares.to.get(pattern).copied().unwrap_or_default().into();
    let groups = groups.into_iter();
    let groups = groups.map(|(pattern, members)| group(members, weight(pattern)));
    Level {
        groups: groups.filter(|group| group.weight > 0).collect(),
        sharing: Sharing::Weights,
    }
}

/// Zones apart, where there are enough endpoints, some of them in ours.
fn by_zone(wanted: &Locality, members: Vec<usize>, places: &[Place<'_>]) -> Level {
    let enough = wanted.zone_aware.as_ref();
    let enough = enough.map(|it| it.min_cluster_size as usize);
    let Some(enough) = enough.filter(|enough| members.len() >= *enough) else {
        return one_group(members);
    };
    let zone = |locality| {
        let [region, zone, _] = nearness::parts(locality);
        (region, zone)
    };
    let mut zones: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for index in &members {
        let locality = places.get(*index).map_or("", |place| place.locality);
        zones.entry(zone(locality)).or_default().push(*index);
    }
    match zones.keys().position(|it| *it == zone(&wanted.here)) {
        Some(ours) if zones.len() > 1 => Level {
            groups: zones
                .into_values()
                .map(|members| group(members, 1))
                .collect(),
            sharing: Sharing::Zones { ours, enough },
        },
        _ => one_group(members),
    }
}
