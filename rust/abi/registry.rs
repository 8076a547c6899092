//! The filters of this process, by the key under which documents find them. None ever goes.
#![expect(unsafe_code, reason = "who adopts a pointer promises what it is")]

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, PoisonError, RwLock};

use super::adopt::{AdoptError, Table, copy};

/// The most filters of a process: each has a library that is never unloaded.
pub(super) const MAX_FILTERS: usize = 1_000;

static FILTERS: RwLock<BTreeMap<Box<str>, Arc<Filter>>> = RwLock::new(BTreeMap::new());

/// A filter, adopted.
#[derive(Debug)]
pub(super) struct Filter {
    /// What it calls itself.
    pub(super) name: Box<str>,
    /// What it can.
    pub(super) table: Table,
}

/// Takes the filter at `table`, which calls itself `name`. The same one again is fine.
///
/// # Safety
/// `table` is null or a `mc_filter` of `meshcore_abi.h`, and like its functions there for ever.
///
/// # Errors
/// Its version, size, name or functions are wrong, or another one has the name.
pub unsafe fn adopt(name: &str, table: *const c_void) -> Result<(), AdoptError> {
    // SAFETY: the caller's promise.
    unsafe { adopt_as(name, Some(name), table) }
}

/// Takes the filter at `table` under `key`.
///
/// # Safety
/// As for [`adopt`].
pub(super) unsafe fn adopt_as(
    key: &str,
    name: Option<&str>,
    table: *const c_void,
) -> Result<(), AdoptError> {
    // SAFETY: the caller's promise.
    let (name, table) = unsafe { copy(key, name, table) }?;
    let mut filters = FILTERS.write().unwrap_or_else(PoisonError::into_inner);
    match filters.get(key) {
        Some(known) if known.table == table && known.name == name => Ok(()),
        Some(_) => Err(AdoptError::Replaced(key.into())),
        None if filters.len() >= MAX_FILTERS => Err(AdoptError::Full),
        None => {
            filters.insert(key.into(), Arc::new(Filter { name, table }));
            Ok(())
        }
    }
}

/// The filter under `key`.
pub(super) fn find(key: &str) -> Option<Arc<Filter>> {
    let filters = FILTERS.read().unwrap_or_else(PoisonError::into_inner);
    filters.get(key).map(Arc::clone)
}
