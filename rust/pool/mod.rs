//! Upstream connections kept for reuse.
