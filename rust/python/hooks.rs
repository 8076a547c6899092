//! Questions to Python's functions, and their answers; `_engine.pyi` says what is what.

use std::borrow::Cow;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::engine::hooks::{Answer, Taken, left_us};

/// A question. What is told of the request becomes Python's when a function looks at it, since of
/// twelve texts most functions read one or two.
#[pyclass(frozen, module = "meshcore._engine")]
#[derive(Debug)]
pub(super) struct Question(pub(super) Taken);

#[pymethods]
impl Question {
    #[getter]
    fn ident(&self) -> u64 {
        self.0.ident
    }

    #[getter]
    fn hook(&self) -> &str {
        &self.0.question.hook.name
    }

    #[getter]
    fn phase(&self) -> &str {
        self.0.question.phase.as_str()
    }

    #[getter]
    fn left_us(&self) -> u64 {
        left_us(&self.0)
    }

    #[getter]
    fn method(&self) -> &str {
        &self.0.question.facts.method
    }

    #[getter]
    fn path(&self) -> &str {
        &self.0.question.facts.path
    }

    #[getter]
    fn authority(&self) -> &str {
        &self.0.question.facts.authority
    }

    #[getter]
    fn scheme(&self) -> &str {
        self.0.question.facts.scheme
    }

    #[getter]
    fn protocol(&self) -> &str {
        self.0.question.facts.protocol
    }

    #[getter]
    fn source(&self) -> &str {
        &self.0.question.facts.source
    }

    #[getter]
    fn identity(&self) -> Option<&str> {
        self.0.question.facts.identity.as_deref()
    }

    #[getter]
    fn listener(&self) -> &str {
        &self.0.question.facts.listener
    }

    #[getter]
    fn route(&self) -> &str {
        &self.0.question.facts.route
    }

    #[getter]
    fn cluster(&self) -> &str {
        &self.0.question.facts.cluster
    }

    #[getter]
    fn request_id(&self) -> &str {
        &self.0.question.facts.request_id
    }

    #[getter]
    fn server_name(&self) -> Option<&str> {
        self.0.question.facts.server_name.as_deref()
    }

    #[getter]
    fn status(&self) -> u16 {
        self.0.question.status
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let body = self.0.question.body.as_ref();
        body.map(|bytes| PyBytes::new(py, bytes))
    }

    #[getter]
    fn metadata(&self) -> Vec<(&[u8], &[u8])> {
        let pairs = self.0.question.metadata.iter();
        pairs.map(|(key, value)| (&**key, &**value)).collect()
    }

    fn names(&self) -> Vec<Cow<'_, str>> {
        let mut found: Vec<&[u8]> = Vec::new();
        for (name, _) in &self.0.question.headers {
            if !found.contains(&&**name) {
                found.push(name);
            }
        }
        found.into_iter().map(String::from_utf8_lossy).collect()
    }

    fn values(&self, name: &str) -> Vec<String> {
        let headers = self.0.question.headers.iter();
        headers
            .filter(|(of, _)| of.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.iter().map(|byte| char::from(*byte)).collect())
            .collect()
    }
}

/// (status, cluster, changes of fields, body, whether it may be remembered).
pub(super) type Detail = (u16, String, Vec<(String, String, Vec<u8>)>, Vec<u8>, bool);

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
