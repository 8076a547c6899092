//! What native hooks count themselves, for the exposition and the statistics.

use std::sync::Arc;

use crate::policy::hook::Kind;
use crate::snapshot::Snapshot;

/// The hook, the counter, its number.
pub(super) type Count = (Arc<str>, String, u64);

/// Those of the hooks in force, in the order of the hooks' names.
pub(super) fn of(snapshot: &Snapshot) -> Vec<Count> {
    let mut found = Vec::new();
    for hook in &snapshot.hooks {
        if let Kind::Native(instance) = &hook.kind {
            let counters = instance.counters().into_iter();
            found.extend(counters.map(|(name, value)| (Arc::clone(&hook.name), name, value)));
        }
    }
    found
}
