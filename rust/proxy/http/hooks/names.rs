//! What a filter is told beside heads, and what it tells.

use crate::policy::hook::FieldEdit;

/// What things are called, as far as they are known.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::proxy::http) struct Names<'a> {
    pub(in crate::proxy::http) listener: &'a str,
    pub(in crate::proxy::http) route: &'a str,
    pub(in crate::proxy::http) cluster: &'a str,
    pub(in crate::proxy::http) endpoint: &'a str,
}

/// An answer of a filter.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) fields: Vec<FieldEdit>,
    pub(super) body: Vec<u8>,
}
