//! The buckets of one limit: one, or a table of them that never grows.
//!
//! The table is made of sets of few places. A key belongs to one set, by its hash; the place that a
//! new key takes is that of the bucket that is full soonest, which nearly always is full already and
//! so forgets nothing. Two workers that meet a key for the first time at once may give it two
//! places, of which one is found from then on: such a key may get one request too many.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::DefaultHashBuilder;

/// Sets of a table. With their places 65,536 buckets in 1 MiB: more clients than that within one
/// burst's time are an attack, and what it takes away are its own buckets.
const SETS: usize = 8_192;

/// Places of a set: two lines of the cache.
const PLACES: usize = 8;

/// Nanoseconds by which one worker's reading of the clock may be older than another's: what a bucket
/// is further ahead than its rate allows is no debt within this.
const SKEW_MAX: u64 = 100_000_000;

#[derive(Debug)]
pub(super) enum Buckets {
    One(AtomicU64),
    Many(DefaultHashBuilder, Box<[Set]>),
}

#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Set([Place; PLACES]);

#[derive(Debug, Default)]
struct Place {
    /// The key's hash: keys of one hash share a bucket, which hits nobody but by chance, since the
    /// hash is seeded. 0 is free.
    key: AtomicU64,
    full_at: AtomicU64,
}

impl Buckets {
    pub(super) fn new(keyed: bool) -> Self {
        if !keyed {
            return Self::One(AtomicU64::new(0));
        }
        let sets = std::iter::repeat_with(Set::default).take(SETS).collect();
        Self::Many(DefaultHashBuilder::default(), sets)
    }

    /// Takes one request from the bucket of `subject`: how far ahead of `now` it is then, or, where
    /// it would be too far, is already.
    pub(super) fn take(&self, subject: &[u8], now: u64, rate: (u64, u64)) -> Result<u64, u64> {
        match self {
            Self::One(full_at) => take(full_at, now, rate),
            Self::Many(hasher, sets) => {
                let key = hasher.hash_one(subject).max(1);
                let index = usize::try_from(key >> 32).unwrap_or_default() % SETS;
                sets.get(index)
                    .map_or(Ok(0), |set| take(set.bucket(key), now, rate))
            }
        }
    }
}

impl Set {
    fn bucket(&self, key: u64) -> &AtomicU64 {
        loop {
            if let Some(place) = self.find(key) {
                return &place.full_at;
            }
            let soonest = |place: &&Place| place.full_at.load(Ordering::Relaxed);
            let [first, ..] = &self.0;
            let place = self.0.iter().min_by_key(soonest).unwrap_or(first);
            let old = place.key.load(Ordering::Relaxed);
            let taken = place
                .key
                .compare_exchange(old, key, Ordering::Relaxed, Ordering::Relaxed);
            if taken.is_ok() {
                // What the other key had used is not this one's.
                place.full_at.store(0, Ordering::Relaxed);
                return &place.full_at;
            }
        }
    }

    fn find(&self, key: u64) -> Option<&Place> {
        self.0
            .iter()
            .find(|place| place.key.load(Ordering::Relaxed) == key)
    }
}

fn take(full_at: &AtomicU64, now: u64, (interval, ahead_max): (u64, u64)) -> Result<u64, u64> {
    let mut seen = full_at.load(Ordering::Relaxed);
    loop {
        let ahead = seen.saturating_sub(now);
        if ahead > ahead_max.saturating_add(SKEW_MAX) {
            // A debt from a slower rate of an earlier configuration.
            let clear = now.saturating_add(ahead_max);
            seen = swap(full_at, seen, clear).map_or_else(|other| other, |()| clear);
            continue;
        }
        let next = ahead.saturating_add(interval);
        if next > ahead_max {
            return Err(ahead.min(ahead_max));
        }
        match swap(full_at, seen, now.saturating_add(next)) {
            Ok(()) => return Ok(next),
            Err(other) => seen = other,
        }
    }
}

fn swap(full_at: &AtomicU64, seen: u64, to: u64) -> Result<(), u64> {
    full_at
        .compare_exchange_weak(seen, to, Ordering::Relaxed, Ordering::Relaxed)
        .map(drop)
}
