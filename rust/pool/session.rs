//! The endpoints of a cluster by the names that sessions know them by.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::snapshot::Cluster;

/// Indices by address; made when a session first asks.
#[derive(Debug, Default)]
pub(super) struct Names(OnceCell<HashMap<Arc<str>, usize>>);

impl Names {
    pub(super) fn index_of(&self, cluster: &Cluster, address: &str) -> Option<usize> {
        let names = self.0.get_or_init(|| {
            let endpoints = cluster.endpoints.iter().enumerate();
            let names = endpoints.map(|(index, endpoint)| (Arc::clone(&endpoint.text), index));
            names.collect()
        });
        names.get(address).copied()
    }
}
