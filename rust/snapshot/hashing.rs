//! The table of keys of a cluster that goes by keys.

use std::sync::Arc;

use super::cluster::{Cluster, Endpoint};
use crate::balance::{HashTable, Named, is_prime};
use crate::wire::cluster::Hash;
use crate::wire::{self, Problems};

/// What a ring of few endpoints may have: its memory, and the time to build it, end there.
const RING_SIZE_MAX: u32 = 65_536;
/// The largest table that Envoy takes too: 20 MB.
const TABLE_SIZE_MAX: u32 = 5_000_011;

pub(super) fn check(hash: &Hash, problems: &mut Problems) {
    if !ring_fits(hash) {
        problems.add(
            "ring_size_invalid",
            "hash.ring_size",
            format!("{} is out of range", hash.ring_size),
            "write 1 to 65536, for example 1024",
        );
    }
    if !table_fits(hash) {
        problems.add(
            "table_size_invalid",
            "hash.table_size",
            format!("{} is no prime up to {TABLE_SIZE_MAX}", hash.table_size),
            "write for example 65537",
        );
    }
    if (1..100).contains(&hash.load_factor_percent) {
        problems.add(
            "load_factor_invalid",
            "hash.load_factor",
            "not everybody can have less than the mean",
            "write 1.0 or more, for example 1.25, or 0 for no bound",
        );
    }
}

fn ring_fits(hash: &Hash) -> bool {
    (1..=RING_SIZE_MAX).contains(&hash.ring_size)
}

fn table_fits(hash: &Hash) -> bool {
    hash.table_size <= TABLE_SIZE_MAX && is_prime(hash.table_size)
}

/// The table, that of `before` where nothing that it depends on has changed; none where the
/// algorithm needs none, or `check` found a problem.
pub(super) fn table(
    wire: &wire::Cluster,
    endpoints: &[Arc<Endpoint>],
    before: Option<&Cluster>,
) -> Option<Arc<HashTable>> {
    if let Some(before) = before.filter(|before| is_same(wire, endpoints, before)) {
        return before.hashing.clone();
    }
    make(wire, endpoints.iter())
}

/// The table of these endpoints; none where the algorithm needs none, or `check` found a problem.
pub(super) fn make<'a>(
    wire: &wire::Cluster,
    endpoints: impl Iterator<Item = &'a Arc<Endpoint>>,
) -> Option<Arc<HashTable>> {
    if !ring_fits(&wire.hash) || !table_fits(&wire.hash) {
        return None;
    }
    let named = endpoints.map(|endpoint| Named {
        name: &endpoint.text,
        weight: endpoint.weight,
    });
    let named: Vec<Named<'_>> = named.collect();
    HashTable::new(wire.balance, &wire.hash, &named).map(Arc::new)
}

fn is_same(wire: &wire::Cluster, endpoints: &[Arc<Endpoint>], before: &Cluster) -> bool {
    let mut pairs = before.endpoints.iter().zip(endpoints);
    before.wire.balance == wire.balance
        && before.wire.hash == wire.hash
        && before.endpoints.len() == endpoints.len()
        && pairs.all(|(old, new)| old.text == new.text && old.weight == new.weight)
}
