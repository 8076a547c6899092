//! What a filter counts: defined while an instance of it is created, added to by all workers.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Refused;

/// The most counters of an instance: each is a line of metrics for each hook.
const MAX_COUNTERS: usize = 64;
/// The longest name of one: with what stands before it, a metric's name remains readable.
const MAX_NAME: usize = 64;

thread_local! {
    /// The names that the instance which this thread is creating has defined so far.
    static DEFINING: RefCell<Option<Vec<Box<str>>>> = const { RefCell::new(None) };
}

/// The counters of an instance.
#[derive(Debug, Default)]
pub(super) struct Counters(Box<[(Box<str>, AtomicU64)]>);

impl Counters {
    /// Runs `create`, in which counters can be defined.
    pub(super) fn defined_in<T>(create: impl FnOnce() -> T) -> (T, Self) {
        DEFINING.set(Some(Vec::new()));
        let made = create();
        let names = DEFINING.take().unwrap_or_default();
        let counters = names.into_iter().map(|name| (name, AtomicU64::new(0)));
        (made, Self(counters.collect()))
    }

    /// Adds to one.
    pub(super) fn add(&self, id: c_int, n: u64) -> Result<(), Refused> {
        let index = usize::try_from(id).map_err(|_| Refused::Unknown)?;
        let (_, counter) = self.0.get(index).ok_or(Refused::Unknown)?;
        counter.fetch_add(n, Ordering::Relaxed);
        Ok(())
    }

    /// Names and values.
    pub(super) fn values(&self) -> Vec<(String, u64)> {
        let value = |(name, counter): &(Box<str>, AtomicU64)| {
            (name.to_string(), counter.load(Ordering::Relaxed))
        };
        self.0.iter().map(value).collect()
    }
}

/// Defines one, of the instance that this thread is creating; gives its id.
pub(super) fn define(name: &[u8]) -> Result<c_int, Refused> {
    let name = valid(name).ok_or(Refused::Invalid)?;
    DEFINING.with_borrow_mut(|defining| {
        let names = defining.as_mut().ok_or(Refused::Phase)?;
        let known = names.iter().position(|other| **other == *name);
        let index = known.unwrap_or(names.len());
        if index >= MAX_COUNTERS {
            return Err(Refused::Full);
        }
        if known.is_none() {
            names.push(name.into());
        }
        c_int::try_from(index).map_err(|_| Refused::Full)
    })
}

/// A name that can be a part of a metric's.
fn valid(name: &[u8]) -> Option<&str> {
    let (first, rest) = name.split_first()?;
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let fits = name.len() <= MAX_NAME
        && letter(first)
        && rest
            .iter()
            .all(|byte| letter(byte) || byte.is_ascii_digit());
    std::str::from_utf8(name).ok().filter(|_| fits)
}
