//! The levels of a cluster whose endpoints are not all equal.

use std::sync::Arc;

use super::cluster::{Cluster, Endpoint};
use super::hashing;
use crate::balance::{Layout, Place};
use crate::wire::cluster::locality::Locality;
use crate::wire::{self, Problems};

/// What shares of localities add up to.
const SHARES: u32 = 100;

pub(super) fn check(locality: Option<&Locality>, problems: &mut Problems) {
    let Some(locality) = locality else { return };
    for (index, one) in locality.distribute.iter().enumerate() {
        let sum: Option<u32> = one
            .to
            .values()
            .try_fold(0, |sum: u32, it| sum.checked_add(*it));
        if sum != Some(SHARES) {
            problems.add(
                "shares_invalid",
                format!("locality.distribute[{index}].to"),
                "the shares don't add up to 100",
                "write percentages of all requests",
            );
        }
    }
    let ordered = !locality.failover.is_empty()
        || !locality.failover_priority.is_empty()
        || locality.zone_aware.is_some();
    if ordered && !locality.distribute.is_empty() {
        problems.add(
            "locality_ambiguous",
            "locality.distribute",
            "shares of localities stand against an order of them",
            "keep either distribute, or failover, failover_priority and zone_aware",
        );
    }
    if locality.overprovisioning_percent < SHARES {
        problems.add(
            "overprovisioning_invalid",
            "locality.overprovisioning_factor",
            "a level whose endpoints are all available takes all requests",
            "write 1.0 or more; the default is 1.4",
        );
    }
}

/// The levels, those of `before` where nothing that they depend on has changed; none where all
/// endpoints are equal.
pub(super) fn layout(
    wire: &wire::Cluster,
    endpoints: &[Arc<Endpoint>],
    before: Option<&Cluster>,
) -> Option<Arc<Layout>> {
    let is_equal = |it: &Arc<Endpoint>| it.priority == 0 && !it.draining;
    if wire.locality.is_none() && endpoints.iter().all(is_equal) {
        return None;
    }
    if let Some(before) = before.filter(|before| is_same(wire, endpoints, before)) {
        return before.layout.clone();
    }
    let places: Vec<Place<'_>> = endpoints.iter().map(|it| place_of(it)).collect();
    let mut layout = Layout::new(wire.locality.as_ref(), &places)?;
    layout.set_tables(|members| {
        let those = members.iter().filter_map(|index| endpoints.get(*index));
        hashing::make(wire, those)
    });
    Some(Arc::new(layout))
}

fn place_of(endpoint: &Endpoint) -> Place<'_> {
    Place {
        locality: &endpoint.locality,
        labels: &endpoint.labels,
        priority: endpoint.priority,
        draining: endpoint.draining,
    }
}

fn is_same(wire: &wire::Cluster, endpoints: &[Arc<Endpoint>], before: &Cluster) -> bool {
    let mut pairs = before.endpoints.iter().zip(endpoints);
    before.wire.balance == wire.balance
        && before.wire.hash == wire.hash
        && before.wire.locality == wire.locality
        && before.endpoints.len() == endpoints.len()
        && pairs.all(|(old, new)| Arc::ptr_eq(old, new))
}
