//! How a table from outside becomes a filter: looked at from its first eight bytes on, and copied.
#![expect(
    unsafe_code,
    reason = "what stands behind a foreign pointer has to be believed, step by step"
)]

use std::ffi::{c_char, c_void};

use super::table::{FILTER_1_0, MAJOR, MINOR, McFilter};

/// The longest name of a filter: it stands in documents, metrics and logs.
pub(super) const MAX_NAME: usize = 64;

/// Why a table isn't taken; all of it is the filter's author's to repair, but the last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each says it")]
pub enum AdoptError {
    #[error("filter {0:?} gives no table")]
    Null(Box<str>),
    #[error(
        "filter {key:?} is made for version {found} of the ABI, this engine for {MAJOR}.{MINOR}: \
         build it with this engine's meshcore_abi.h"
    )]
    Version { key: Box<str>, found: u32 },
    #[error(
        "filter {key:?} has a table of {found} bytes (struct_size); version 1.0 already has \
         {FILTER_1_0}, this engine's {MAJOR}.{MINOR} has {}", size_of::<McFilter>()
    )]
    Size { key: Box<str>, found: usize },
    #[error(
        "filter {key:?} has a table of {found} bytes (struct_size), which ends inside a member"
    )]
    Torn { key: Box<str>, found: usize },
    #[error(
        "filter {0:?} has a table without a valid name: 1 to {MAX_NAME} letters, digits, `_`, `-` \
         and `.`"
    )]
    NoName(Box<str>),
    #[error("filter {key:?} has a table that calls itself {found:?}")]
    OtherName { key: Box<str>, found: Box<str> },
    #[error("filter {0:?} has no on_request, which a table of version 1.0 needs")]
    NoRequest(Box<str>),
    #[error("filter {0:?} has none of the callbacks")]
    NoCallback(Box<str>),
    #[error(
        "filter {0:?} runs already, from another table: a restart of the process takes the new one"
    )]
    Replaced(Box<str>),
    #[error(
        "there are {} filters already, the most that a process may have",
        super::registry::MAX_FILTERS
    )]
    Full,
}

/// A filter's table, copied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table(pub(super) McFilter);

// SAFETY: the table's functions and state may be used by any thread: the header demands it of a
// filter's author.
unsafe impl Send for Table {}
// SAFETY: the same.
unsafe impl Sync for Table {}

impl PartialEq for Table {
    /// Whether both do the same, wherever they stand.
    fn eq(&self, other: &Self) -> bool {
        let (one, other) = (&self.0, &other.0);
        let code = |table: &McFilter| {
            let address = |callback: Option<super::table::Callback>| callback.map(|it| it as usize);
            let life = (
                table.create.map(|it| it as usize),
                table.destroy.map(|it| it as usize),
            );
            let requests = [table.on_request, table.on_request_body, table.on_upstream];
            let answers = [table.on_response, table.on_response_body, table.on_log];
            (
                life,
                address(table.on_connection),
                requests.map(address),
                answers.map(address),
            )
        };
        (one.state, one.flags) == (other.state, other.flags) && code(one) == code(other)
    }
}

/// Copies the table at `table`; gives it with its name. `name` is the one that it must have.
///
/// # Safety
/// `table` is null, or what the header calls a `mc_filter`: as many readable bytes as its
/// `struct_size` says, with a `name` that ends.
pub(super) unsafe fn copy(
    key: &str,
    name: Option<&str>,
    table: *const c_void,
) -> Result<(Box<str>, Table), AdoptError> {
    if table.is_null() {
        return Err(AdoptError::Null(key.into()));
    }
    let head = table.cast::<[u32; 2]>();
    // SAFETY: every version's table begins with these eight bytes.
    let [abi, size] = unsafe { head.read_unaligned() };
    if abi != MAJOR {
        return Err(AdoptError::Version {
            key: key.into(),
            found: abi,
        });
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    check_size(key, size)?;
    let mut copy = McFilter::EMPTY;
    // SAFETY: the table has `size` bytes, the copy the other, and they don't overlap. Every member
    // is valid as zeros or as the filter's author set it; members come whole.
    unsafe {
        let to = (&raw mut copy).cast::<u8>();
        std::ptr::copy_nonoverlapping(table.cast::<u8>(), to, size.min(size_of::<McFilter>()));
    }
    // SAFETY: the name's end is the caller's promise.
    let found = unsafe { text(copy.name) }.ok_or_else(|| AdoptError::NoName(key.into()))?;
    if name.is_some_and(|name| *name != *found) {
        let key = key.into();
        return Err(AdoptError::OtherName { key, found });
    }
    check_callbacks(key, size, &copy)?;
    Ok((found, Table(copy)))
}

fn check_size(key: &str, size: usize) -> Result<(), AdoptError> {
    let (key, found) = (|| key.into(), size);
    if size < FILTER_1_0 {
        return Err(AdoptError::Size { key: key(), found });
    }
    // Flags stand beside the reserved word; all others are pointers.
    if size < size_of::<McFilter>() && !size.is_multiple_of(size_of::<*const ()>()) {
        return Err(AdoptError::Torn { key: key(), found });
    }
    Ok(())
}

fn check_callbacks(key: &str, size: usize, table: &McFilter) -> Result<(), AdoptError> {
    if table.on_request.is_some() {
        return Ok(());
    }
    if size == FILTER_1_0 {
        return Err(AdoptError::NoRequest(key.into()));
    }
    let others = [
        table.on_connection,
        table.on_request_body,
        table.on_upstream,
        table.on_response,
        table.on_response_body,
        table.on_log,
    ];
    if others.iter().all(Option::is_none) {
        return Err(AdoptError::NoCallback(key.into()));
    }
    Ok(())
}

/// A filter's name, if it is one.
///
/// # Safety
/// `name` is null or a C string.
unsafe fn text(name: *const c_char) -> Option<Box<str>> {
    if name.is_null() {
        return None;
    }
    let mut found = String::new();
    for offset in 0..=MAX_NAME {
        // SAFETY: no byte before this one was the NUL, so that this one belongs to the string.
        let byte = unsafe { name.cast::<u8>().add(offset).read() };
        match byte {
            0 => return (!found.is_empty()).then(|| found.into()),
            b'_' | b'-' | b'.' => found.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => found.push(char::from(byte)),
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
#[path = "adopt_tests.rs"]
mod tests;
