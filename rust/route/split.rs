//! Shares of a route's requests among clusters.

use super::Noted;
use super::headers;
use super::headers::HeaderEdits;
use super::rewrite::checked_host;
use crate::wire::Problems;
use crate::wire::route::Target;

/// Index of a cluster in a worker's table, stable for the life of the cluster's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterSlot(pub u32);

/// Clusters with their shares; at least one share is above 0.
#[derive(Debug)]
pub struct Split {
    targets: Box<[Share]>,
    total: u64,
}

/// A cluster and its share.
#[derive(Debug)]
pub struct Share {
    /// Where it goes.
    pub cluster: ClusterSlot,
    /// What changes on this way alone.
    pub changes: Option<Box<TargetChanges>>,
    weight: u32,
    /// Sum of the weights up to and with this one.
    end: u64,
}

/// What changes where a request goes to one target, after what its route changes.
#[derive(Debug)]
pub struct TargetChanges {
    /// Of a request's fields.
    pub request: HeaderEdits,
    /// Of an answer's fields.
    pub response: HeaderEdits,
    /// In place of the authority, unless the route has something there.
    pub host: Option<Box<str>>,
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
            let changes = TargetChanges::compile(target, &format!("{path}[{index}]"), problems);
            let cluster = resolve(&target.cluster);
            if cluster.is_none() {
                problems.add(
                    "cluster_unknown",
                    format!("{path}[{index}].cluster"),
                    format!("there is no cluster `{}`", target.cluster),
                    "define it under `clusters`, or correct the name",
                );
            }
            let (Some(cluster), Ok(changes)) = (cluster, changes) else {
                continue;
            };
            let weight = target.weight;
            total += u64::from(weight);
            let end = total;
            shares.push(Share {
                cluster,
                changes,
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

    /// The share for `random`, a number drawn uniformly from all of `u64`. There always is one:
    /// `compile` makes no empty split.
    pub fn pick(&self, random: u64) -> Option<&Share> {
        if let [only] = &*self.targets {
            return Some(only);
        }
        // Multiply and shift instead of a remainder; the bias is below total / 2^64.
        let point = ((u128::from(random) * u128::from(self.total)) >> 64) as u64;
        // A weight of 0 has the same end as the share before it, so it is never the first above.
        let index = self.targets.partition_point(|share| share.end <= point);
        self.targets.get(index).or_else(|| self.targets.first())
    }

    /// The shares that take anything.
    pub fn shares(&self) -> impl Iterator<Item = &Share> {
        self.targets.iter().filter(|share| share.weight > 0)
    }

    /// All clusters with their weights, in document order, those of weight 0 too.
    pub fn targets(&self) -> impl Iterator<Item = (ClusterSlot, u32)> + '_ {
        self.targets
            .iter()
            .map(|share| (share.cluster, share.weight))
    }
}

impl TargetChanges {
    /// None where it changes nothing.
    fn compile(
        target: &Target,
        at: &str,
        problems: &mut Problems,
    ) -> Result<Option<Box<Self>>, Noted> {
        let (request, response) = (&target.request_headers, &target.response_headers);
        if request.is_none() && response.is_none() && target.host_rewrite.is_none() {
            return Ok(None);
        }
        let at_request = format!("{at}.request_headers");
        let request = headers::compile(request.as_deref(), false, &at_request, problems);
        let at_response = format!("{at}.response_headers");
        let response = headers::compile(response.as_deref(), true, &at_response, problems);
        let host = match &target.host_rewrite {
            Some(host) => checked_host(host, &format!("{at}.host_rewrite"), problems).map(Some),
            None => Some(None),
        };
        Ok(Some(Box::new(Self {
            request: request.ok_or(Noted)?,
            response: response.ok_or(Noted)?,
            host: host.ok_or(Noted)?,
        })))
    }
}
