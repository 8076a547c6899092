//! Filters in shared libraries, loaded without an interpreter.
#![expect(unsafe_code, reason = "loading a library runs its code")]

use std::ffi::c_void;
use std::path::Path;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::adopt::AdoptError;
use super::registry::adopt_as;

/// What a library exports.
const SYMBOL: &str = "meshcore_filter_v1";

/// Its type.
type Entry = unsafe extern "C" fn() -> *const c_void;

/// Why a library gives no filter.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says it")]
pub enum LibraryError {
    #[error("the path of a native hook must be absolute, unlike {0:?}")]
    Relative(Box<str>),
    #[error("{path:?} can't be loaded: {why}")]
    Load { path: Box<str>, why: Box<str> },
    #[error("{0:?} exports no function `{SYMBOL}`")]
    Symbol(Box<str>),
    #[error(transparent)]
    Adopt(#[from] AdoptError),
}

/// Loads the library at `path` and takes its filter under that key. It is never unloaded.
///
/// # Errors
/// It isn't there, isn't a library, or has no filter that fits.
pub fn load(path: &str) -> Result<(), LibraryError> {
    if !Path::new(path).is_absolute() {
        // Else the system's folders would be searched.
        return Err(LibraryError::Relative(path.into()));
    }
    // SAFETY: its initialisers run: who names a library in a document trusts its code. All of its
    // symbols are resolved now, so that none is missed in the midst of a request.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| LibraryError::Load {
        path: path.into(),
        why: reason(path, &error).into(),
    })?;
    // SAFETY: the header gives the symbol of this name this type.
    let table = unsafe {
        let Ok(entry) = library.get::<Entry>(SYMBOL) else {
            return Err(LibraryError::Symbol(path.into()));
        };
        entry()
    };
    // SAFETY: the header demands it of what the function returns, and `forget` keeps it there.
    let adopted = unsafe { adopt_as(path, None, table) };
    std::mem::forget(library);
    Ok(adopted?)
}

/// The loader's own words, which begin with the path.
fn reason(path: &str, error: &libloading::Error) -> String {
    let source = std::error::Error::source(error);
    let words = source.map_or_else(|| error.to_string(), ToString::to_string);
    let words = words.strip_prefix(path).unwrap_or(&words);
    words.trim_start_matches(": ").to_owned()
}
