//! How near an endpoint is to this proxy, ranked as Istio ranks it: 0 is nearest.

use std::collections::BTreeMap;

use super::layout::Place;
use crate::wire::cluster::locality::Locality;

/// Labels that say where something runs; who doesn't carry them says it by its locality.
const TOPOLOGY: [&str; 3] = [
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
];

/// A region other than ours that nobody named.
const ELSEWHERE: u32 = 3;

/// The rank of `place`. Labels decide before localities do, and alone unless regions are named.
pub(super) fn rank(wanted: &Locality, place: &Place<'_>) -> u32 {
    let by_place = by_place(wanted, place.locality);
    if wanted.failover_priority.is_empty() {
        return by_place;
    }
    let by_labels = by_labels(wanted, place);
    if wanted.failover.is_empty() {
        return by_labels;
    }
    let ranks = ELSEWHERE + 1 + count(wanted.failover.len());
    by_labels * ranks + by_place
}

/// 0 in our subzone, 1 in our zone, 2 in our region, then the regions that take over from ours in
/// their order, then all others. Zones that share requests are as near as ours.
fn by_place(wanted: &Locality, locality: &str) -> u32 {
    if wanted.here.is_empty() {
        return 0;
    }
    let (ours, theirs) = (parts(&wanted.here), parts(locality));
    let agree = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
    if agree == 0 {
        let next = wanted.failover.iter().filter(|way| way.from == ours[0]);
        let mut next = next.map(|way| way.to.as_str());
        let before = next.clone().count();
        return ELSEWHERE + count(next.position(|to| to == theirs[0]).unwrap_or(before));
    }
    if wanted.zone_aware.is_some() {
        0
    } else {
        ELSEWHERE - count(agree)
    }
}

/// How many of the labels are left from the first on in which it differs from us.
fn by_labels(wanted: &Locality, place: &Place<'_>) -> u32 {
    let labels = &wanted.failover_priority;
    let agree = labels
        .iter()
        .take_while(|label| agrees(wanted, label, place));
    count(labels.len() - agree.count())
}

fn agrees(wanted: &Locality, label: &str, place: &Place<'_>) -> bool {
    match label.split_once('=') {
        Some((name, value)) => label_of(place.labels, place.locality, name) == Some(value),
        None => {
            label_of(place.labels, place.locality, label)
                == label_of(&wanted.labels, &wanted.here, label)
        }
    }
}

fn label_of<'a>(
    labels: &'a BTreeMap<String, String>,
    locality: &'a str,
    name: &str,
) -> Option<&'a str> {
    let carried = labels.get(name).map(String::as_str);
    carried.or_else(|| {
        let at = TOPOLOGY.iter().position(|known| *known == name)?;
        let said = parts(locality).get(at).copied();
        said.filter(|said| !said.is_empty())
    })
}

/// Whether `locality` is among those of `pattern`, and how many of its parts that names: a `*` or
/// what is left out is any.
pub(super) fn matches(pattern: &str, locality: &str) -> Option<usize> {
    let pairs = parts(pattern).into_iter().zip(parts(locality));
    let mut named = pairs.filter(|(wanted, _)| !matches!(*wanted, "" | "*"));
    let count = named.clone().count();
    named.all(|(wanted, is)| wanted == is).then_some(count)
}

/// Region, zone and subzone.
pub(super) fn parts(locality: &str) -> [&str; 3] {
    let mut parts = locality.splitn(3, '/');
    [(); 3].map(|()| parts.next().unwrap_or_default())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
