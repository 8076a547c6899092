//! Native filters on their way in: tables in capsules, and libraries.

use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::detached;
use crate::abi::{self, LibraryError};

/// The only name of a capsule that is taken: another one holds something else.
const CAPSULE: &std::ffi::CStr = c"meshcore.filter.v1";

/// Takes the filter in a capsule; see `_engine.pyi`.
#[pyfunction]
#[expect(
    unsafe_code,
    reason = "a capsule's name is all that says what its pointer is"
)]
pub(super) fn adopt_filter(name: &str, capsule: &Bound<'_, PyAny>) -> PyResult<()> {
    let Ok(capsule) = capsule.cast::<PyCapsule>() else {
        let found = capsule.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "filter {name:?}: its entry point must give a capsule, not {found}"
        )));
    };
    let table = capsule.pointer_checked(Some(CAPSULE)).map_err(|_| {
        PyValueError::new_err(format!(
            "filter {name:?}: its capsule must be called {CAPSULE:?}, not {}",
            called(capsule)
        ))
    })?;
    // SAFETY: a capsule of this name holds a `mc_filter`, which is there for ever like its functions
    // (`meshcore_abi.h`); what owns them is kept below.
    unsafe { abi::adopt(name, table.as_ptr()) }
        .map_err(|error| PyValueError::new_err(error.to_string()))?;
    // For ever: the capsule's destructor could free the table, whose state workers use.
    std::mem::forget(capsule.clone().unbind());
    Ok(())
}

/// A capsule's name, for a text.
#[expect(unsafe_code, reason = "the name is Python's, and lent")]
fn called(capsule: &Bound<'_, PyCapsule>) -> String {
    let Ok(Some(name)) = capsule.name() else {
        return "nothing".to_owned();
    };
    // SAFETY: the capsule and its name are there while it is borrowed, and the text is copied.
    format!("{:?}", unsafe { name.as_cstr() })
}

/// Takes the filter of a shared library; see `_engine.pyi`.
#[pyfunction]
pub(super) fn load_library(py: Python<'_>, path: &str) -> PyResult<()> {
    detached(py, || abi::load(path)).map_err(|error| match error {
        LibraryError::Load { .. } => PyOSError::new_err(error.to_string()),
        _ => PyValueError::new_err(error.to_string()),
    })
}
