//! Questions to Python's functions as tuples, and their answers; `_engine.pyi` says what is what.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use crate::engine::hooks::{Answer, Taken, left_us};

/// (id, hook, phase, microseconds left, facts, status, fields, body, metadata).
pub(super) type Question<'py> = (
    u64,
    Bound<'py, PyString>,
    &'static str,
    u64,
    Bound<'py, PyTuple>,
    u16,
    Bound<'py, PyList>,
    Option<Bound<'py, PyBytes>>,
    Bound<'py, PyList>,
);

/// (status, cluster, changes of fields, body, whether it may be remembered).
pub(super) type Detail = (u16, String, Vec<(String, String, Vec<u8>)>, Vec<u8>, bool);

pub(super) fn question<'py>(py: Python<'py>, taken: &Taken) -> PyResult<Question<'py>> {
    let asked = &taken.question;
    let facts = &asked.facts;
    let facts = (
        &facts.method,
        &facts.path,
        &facts.authority,
        facts.scheme,
        facts.protocol,
        &facts.source,
        facts.identity.as_deref(),
        &facts.listener,
        &facts.route,
        &facts.cluster,
        &facts.request_id,
        facts.server_name.as_deref(),
    );
    let body = asked.body.as_ref();
    Ok((
        taken.ident,
        PyString::new(py, &asked.hook.name),
        asked.phase.as_str(),
        left_us(taken),
        facts.into_pyobject(py)?,
        asked.status,
        pairs(py, &asked.headers)?,
        body.map(|bytes| PyBytes::new(py, bytes)),
        pairs(py, &asked.metadata)?,
    ))
}

pub(super) fn answer(kind: &str, detail: Option<Detail>) -> Answer<'_> {
    let detail = detail.unwrap_or_else(|| (0, String::new(), Vec::new(), Vec::new(), true));
    let (status, target, edits, body, keep) = detail;
    Answer {
        kind,
        status,
        target,
        edits,
        body,
        keep,
    }
}

type Pair = (Box<[u8]>, Box<[u8]>);

fn pairs<'py>(py: Python<'py>, pairs: &[Pair]) -> PyResult<Bound<'py, PyList>> {
    let one = |(name, value): &Pair| (PyBytes::new(py, name), PyBytes::new(py, value));
    PyList::new(py, pairs.iter().map(one))
}
