//! Shares of a route's requests among clusters.

use crate::wire::Problems;
use crate::wire::route::Target;

/// Index of a cluster in a worker's table, stable for the life of the cluster's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterSlot(pub u32);

/// Clusters with their shares; at least one share is above 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    targets: Box<[Share]>,
    total: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Share {
    cluster: ClusterSlot,
    weight: u32,
    /// Sum of the weights up to and with this one.
    end: u64,
}

impl Split {
    /// Compiles `targets`, which stand at `path` of their resource (for example `routes[2].to`).
    ///
    /// Returns `None` when it noted a problem.
    pub fn compile(
        targets: &[Target],
        path: &str,
        resolve: &mut dyn FnMut(&str) -> Option<ClusterSlot>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut total = 0;
        let mut shares = Vec::with_capacity(targets.len());
        for (index, target) in targets.iter().enumerate() {
            let Some(cluster) = resolve(&target.cluster) else {
                problems.add(
                    "cluster_unknown",
                    format!("{path}[{index}].cluster"),
                    format!("there is no cluster `{}`", target.cluster),
                    "define it under `clusters`, or correct the name",
                );
                continue;
            };
            let weight = target.weight;
            total += u64::from(weight);
            let end = total;
            shares.push(Share {
                cluster,
                weight,
                end,
            });
        }
        if targets.is_empty() {
            problems.add(
                "targets_empty",
                path,
                "no cluster is named",
                "name at least one cluster",
            );
        } else if targets.iter().all(|target| target.weight == 0) {
            problems.add(
                "weights_zero",
                path,
                "all weights are 0, so nothing could be sent anywhere",
                "give at least one target a weight above 0",
            );
        }
        (total > 0 && shares.len() == targets.len()).then(|| Self {
            targets: shares.into(),
            total,
        })
    }

    /// The cluster for `random`, a number drawn uniformly from all of `u64`.
    pub fn pick(&self, random: u64) -> ClusterSlot {
        let [first, ..] = &*self.targets else {
            // `compile` makes no empty split.
            return ClusterSlot(u32::MAX);
        };
        if self.targets.len() == 1 {
            return first.cluster;
        }
        // Multiply and shift instead of a remainder; the bias is below total / 2^64.
        let point = ((u128::from(random) * u128::from(self.total)) >> 64) as u64;
        // A weight of 0 has the same end as the share before it, so it is never the first above.
        let index = self.targets.partition_point(|share| share.end <= point);
        self.targets.get(index).unwrap_or(first).cluster
    }

    /// All clusters with their weights, in document order, those of weight 0 too.
    pub fn targets(&self) -> impl Iterator<Item = (ClusterSlot, u32)> + '_ {
        self.targets
            .iter()
            .map(|share| (share.cluster, share.weight))
    }
}
