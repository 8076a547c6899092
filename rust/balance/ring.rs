//! A ring of hashes (Karger and others 1997): each endpoint owns points on it, and a key belongs to
//! the first point from its own hash on.
//!
//! How many points an endpoint has depends on its weight and the ring's size, not on how many
//! endpoints there are: so nobody's points move when another comes or goes. Only where weights
//! differ does the mean weight move a few.

use super::hashing::Named;
use super::hashing::mix;
use super::hashing::stable_hash;

/// The ring's size is that of so many endpoints; more make it larger.
const SHARES: u64 = 4;

/// Points over all endpoints: 12 MiB.
const POINTS_MAX: u64 = 1 << 20;

/// Tells the points of one endpoint apart: any odd number with about as many ones as zeros.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Debug)]
pub(super) struct Ring {
    hashes: Box<[u64]>,
    owners: Box<[u32]>,
}

impl Ring {
    pub(super) fn new(endpoints: &[Named<'_>], size: u32) -> Self {
        let count = endpoints.len() as u64;
        let weights: u64 = endpoints.iter().map(weight).sum();
        let each = points_each(size, count);
        let mut points = Vec::new();
        for (owner, endpoint) in (0..).zip(endpoints) {
            // The mean weight has `each` points; the lightest has one.
            let share = (each * count * weight(endpoint) / weights.max(1)).max(1);
            let name = stable_hash(endpoint.name.as_bytes());
            let hash = |number: u64| mix(name.wrapping_add(number.wrapping_mul(STEP)));
            points.extend((1..=share).map(|number| (hash(number), owner)));
        }
        points.sort_unstable();
        let (hashes, owners): (Vec<u64>, Vec<u32>) = points.into_iter().unzip();
        Self {
            hashes: hashes.into(),
            owners: owners.into(),
        }
    }

    pub(super) fn owners(&self) -> &[u32] {
        &self.owners
    }

    /// The first point from `hash` on.
    pub(super) fn first(&self, hash: u64) -> usize {
        let found = self.hashes.partition_point(|point| *point < hash);
        if found < self.hashes.len() { found } else { 0 }
    }
}

/// Points of an endpoint of mean weight. Beyond the bound they are halved, so that they change but
/// when the number of endpoints doubles.
fn points_each(size: u32, count: u64) -> u64 {
    let mut each = (u64::from(size) / SHARES).max(1);
    while each > 1 && each * count > POINTS_MAX {
        each /= 2;
    }
    each
}

fn weight(endpoint: &Named<'_>) -> u64 {
    u64::from(endpoint.weight.max(1))
}
