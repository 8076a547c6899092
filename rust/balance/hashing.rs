//! Consistent hashing: the same key goes to the same endpoint, and an endpoint that leaves moves the
//! keys that it had.
//!
//! A table is a circle of places, each with its owner; a key's hash names the place to begin at, and
//! whoever may not take the request is passed over to the next place. Tables depend on nothing but
//! addresses, weights and settings, so that all workers, and all proxies, agree on them.

use std::sync::Arc;

use super::endpoint::Candidate;
use super::maglev;
use super::random::Random;
use super::ring::Ring;
use crate::wire::cluster::{Balance, Hash};

/// Places passed over before it is asked whether any endpoint is left at all.
const PASSED: usize = 64;

/// One endpoint in a table.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// Its address as text: what it is known by everywhere.
    pub name: &'a str,
    /// Relative share; 0 counts as 1.
    pub weight: u32,
}

/// A circle of places; immutable, shared by all workers.
#[derive(Debug)]
pub struct HashTable {
    circle: Circle,
    /// In hundredths; 0 is off.
    load_factor_percent: u64,
}

#[derive(Debug)]
enum Circle {
    Ring(Ring),
    Slots(Box<[u32]>),
}

impl HashTable {
    /// The table of `endpoints`; `None` where the algorithm needs none.
    pub fn new(balance: Balance, hash: &Hash, endpoints: &[Named<'_>]) -> Option<Self> {
        let circle = match balance {
            Balance::RingHash => Circle::Ring(Ring::new(endpoints, hash.ring_size)),
            Balance::Maglev => Circle::Slots(maglev::slots(endpoints, hash.table_size)),
            Balance::RoundRobin | Balance::Random | Balance::LeastRequest | Balance::P2cEwma => {
                return None;
            }
        };
        Some(Self {
            circle,
            load_factor_percent: hash.load_factor_percent.into(),
        })
    }

    /// Who owns each place, from the one where `hash` begins, once around.
    fn owners(&self, hash: u64) -> impl Iterator<Item = usize> {
        let (places, first) = match &self.circle {
            Circle::Ring(ring) => (ring.owners(), ring.first(hash)),
            Circle::Slots(slots) => (&**slots, maglev::first(hash, slots.len())),
        };
        let (before, after) = places.split_at_checked(first).unwrap_or((&[], places));
        after.iter().chain(before).map(|owner| *owner as usize)
    }
}

/// Picks by a table.
#[derive(Debug)]
pub(super) struct Hashing {
    table: Arc<HashTable>,
    /// Where loads are bounded, what bounds them.
    bounded: Option<Box<[Candidate]>>,
}

impl Hashing {
    pub(super) fn new(table: Arc<HashTable>, candidates: &[Candidate]) -> Self {
        let bounded = (table.load_factor_percent > 0).then(|| candidates.into());
        Self { table, bounded }
    }

    /// The endpoint of a request without a key.
    pub(super) fn pick_any(
        &self,
        random: &mut Random,
        count: usize,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        self.pick(random.next_u64(), count, skip)
    }

    /// The first endpoint from the key's place on that isn't skipped, nor full.
    pub(super) fn pick(
        &self,
        hash: u64,
        count: usize,
        skip: &dyn Fn(usize) -> bool,
    ) -> Option<usize> {
        let first = self.walk(hash, count, skip)?;
        let Some(candidates) = &self.bounded else {
            return Some(first);
        };
        // Whoever is idle is never full; most requests find their endpoint idle, or nearly.
        if active(candidates, first) == 0 {
            return Some(first);
        }
        let bound = Bound::new(candidates, self.table.load_factor_percent, skip);
        if !bound.is_full(candidates, first) {
            return Some(first);
        }
        let passed = |index: usize| skip(index) || bound.is_full(candidates, index);
        // Somebody is below the mean; but other workers change the counts meanwhile.
        self.walk(hash, count, &passed).or(Some(first))
    }

    fn walk(&self, hash: u64, count: usize, skip: &dyn Fn(usize) -> bool) -> Option<usize> {
        for (passed, owner) in self.table.owners(hash).enumerate() {
            if !skip(owner) {
                return Some(owner);
            }
            if passed == PASSED && (0..count).all(skip) {
                return None;
            }
        }
        // An endpoint too light to own a place is still better than none.
        (0..count).find(|index| !skip(*index))
    }
}

/// Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): nobody gets more
/// than the factor times the mean, by weight, of those that may take the request.
struct Bound {
    /// Active requests with the one to come, times the factor.
    allowed: u128,
    weights: u128,
}

impl Bound {
    fn new(candidates: &[Candidate], percent: u64, skip: &dyn Fn(usize) -> bool) -> Self {
        let (mut requests, mut weights) = (1, 0);
        for (index, candidate) in candidates.iter().enumerate() {
            if !skip(index) {
                requests += u128::from(candidate.load.active());
                weights += u128::from(candidate.weight());
            }
        }
        Self {
            allowed: requests * u128::from(percent),
            weights: weights * 100,
        }
    }

    /// Whether one more were above the bound, which is rounded up.
    fn is_full(&self, candidates: &[Candidate], index: usize) -> bool {
        let weight = candidates.get(index).map_or(1, Candidate::weight);
        let bound = (self.allowed * u128::from(weight)).div_ceil(self.weights.max(1));
        u128::from(active(candidates, index)) >= bound
    }
}

fn active(candidates: &[Candidate], index: usize) -> u32 {
    candidates.get(index).map_or(0, |it| it.load.active())
}

/// FNV-1a over the bytes, mixed as `SplitMix64` ends: the same on every machine and in every release,
/// since proxies of several releases must agree. Not for secrets.
pub fn stable_hash(bytes: &[u8]) -> u64 {
    mix(fold(bytes))
}

/// FNV-1a of 64 bits.
fn fold(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Spreads every bit over all bits.
pub(super) const fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The hash of a key that has several parts.
pub const fn combine(before: u64, next: u64) -> u64 {
    before.rotate_left(1) ^ next
}

#[cfg(test)]
#[path = "hashing_tests.rs"]
mod tests;
