//! What of a worker's side of a cluster outlives a change of it.

use crate::wire;
use crate::wire::cluster::Balance;

/// Whether connections made for one carry requests of the other: those made under other TLS or
/// protocol settings must not.
pub(super) fn are_comparable(one: &wire::Cluster, other: &wire::Cluster) -> bool {
    one.tls == other.tls
        && one.protocol == other.protocol
        && one.http2 == other.http2
        && one.proxy_protocol == other.proxy_protocol
        && one.balance == other.balance
        && one.hash == other.hash
        && counts_load(one) == counts_load(other)
}

/// Whether the picker looks at how many requests each endpoint has.
pub(super) fn counts_load(wire: &wire::Cluster) -> bool {
    let limits = wire.endpoint_limits.as_ref();
    if limits.is_some_and(|limits| limits.max_requests > 0) {
        return true;
    }
    match wire.balance {
        Balance::LeastRequest | Balance::P2cEwma => true,
        Balance::RingHash | Balance::Maglev => wire.hash.load_factor_percent > 0,
        Balance::RoundRobin | Balance::Random => false,
    }
}
