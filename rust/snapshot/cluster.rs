//! Compiles a cluster with its endpoints.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::{
    Guard, Leases, adaptive, guard, hashing, health_check, http2, locality, slow_start,
    tcp_keepalive,
};
use crate::balance::{HashTable, Layout, Load, SlowStart};
use crate::net::Address;
use crate::net::address::Written;
use crate::policy::gradient::Gradient;
use crate::policy::health::{Generation, Health};
use crate::policy::hold::Hold;
use crate::policy::retry_budget::Retrying;
use crate::route::ClusterSlot;
use crate::tls::connect::ClientTls;
use crate::wire::{self, Problems};

/// The weight above which sums could grow out of hand; the document's bound too.
const WEIGHT_MAX: u32 = 65_535;

/// Levels cost a picker each; Envoy's bound.
const PRIORITY_MAX: u32 = 128;

/// A cluster, ready for use.
#[derive(Debug)]
pub struct Cluster {
    /// Its name.
    pub name: Arc<str>,
    /// Its place in every worker's table.
    pub slot: ClusterSlot,
    /// What the document said.
    pub wire: Arc<wire::Cluster>,
    /// TLS towards its endpoints, for TCP and for HTTP/1: every request where the protocol is
    /// `http1`, those of HTTP/1 clients where it is `same`. Offers what the document names, for
    /// `same` without `h2`; nothing where it names nothing.
    pub tls: Option<Arc<ClientTls>>,
    /// TLS where HTTP/2 is or may be spoken: every request where the protocol is `http2` or
    /// `auto`, those of HTTP/2 clients where it is `same`; `None` where it is `http1`. Offers `h2`,
    /// for `auto` also `http/1.1`, or what the document names (but for `same`): what to speak is
    /// what the handshake agreed on.
    pub tls_h2: Option<Arc<ClientTls>>,
    /// Every address, host names resolved.
    pub endpoints: Vec<Arc<Endpoint>>,
    /// Who takes which key, where `balance` goes by keys.
    pub hashing: Option<Arc<HashTable>>,
    /// What keeps requests away from what fails.
    pub guard: Option<Arc<Guard>>,
    /// How endpoints that are new get their share, where that is little by little.
    pub slow_start: Option<SlowStart>,
    /// Who comes first, where not all are equal; then each group has a table of its own.
    pub layout: Option<Arc<Layout>>,
    /// How long a connect may take.
    pub connect_timeout: Duration,
    /// Whether the kernel asks silent endpoints if they are still there.
    pub keepalive: Option<socket2::TcpKeepalive>,
    /// Further attempts under way.
    pub retrying: Arc<Retrying>,
    /// How many requests it may work on at once, where that is learned.
    pub adaptive: Option<Arc<Gradient>>,
}

/// One address of a cluster.
#[derive(Debug)]
pub struct Endpoint {
    /// Where.
    pub address: Address,
    /// The same, as text for logs and metrics.
    pub text: Arc<str>,
    /// The host name that it was resolved from.
    pub host: Option<Arc<str>>,
    /// Relative share.
    pub weight: u32,
    /// `region/zone/subzone`.
    pub locality: Arc<str>,
    /// What it is called by.
    pub labels: BTreeMap<String, String>,
    /// The lower comes first.
    pub priority: u32,
    /// Takes nothing new, but keeps the sessions that it has.
    pub draining: bool,
    /// Active requests (TCP: connections) over all workers, where the algorithm needs them.
    pub load: Arc<Load>,
    /// Open connections over all workers.
    pub open: Arc<Leases>,
    /// Whether requests may go there.
    pub health: Arc<Health>,
    /// Until when it wants to be left alone.
    pub hold: Arc<Hold>,
    /// When it came, in microseconds of the clock that all threads share.
    pub since_us: u64,
}

/// Host names and what they resolved to last.
pub type Names = HashMap<String, Vec<IpAddr>>;

/// Checks what can be wrong with a cluster beside its TLS.
pub(super) fn check(cluster: &wire::Cluster, problems: &mut Problems) {
    if cluster.name.is_empty() {
        problems.add("name_empty", "name", "a cluster needs a name", "");
    }
    if cluster.timeouts.connect_ms == 0 {
        problems.add(
            "timeout_zero",
            "timeouts.connect",
            "a connect without a bound could wait for ever",
            "write a duration above 0s, for example 5s",
        );
    }
    http2::check(&cluster.http2, problems);
    guard::check(cluster, problems);
    if let Some(keepalive) = &cluster.tcp_keepalive {
        tcp_keepalive::check(keepalive, problems);
    }
    health_check::check(cluster, problems);
    slow_start::check(cluster, problems);
    hashing::check(&cluster.hash, problems);
    adaptive::check(cluster.adaptive_concurrency.as_ref(), problems);
    locality::check(cluster.locality.as_ref(), problems);
    if cluster.dns.min_ttl_ms > cluster.dns.max_ttl_ms || cluster.dns.max_ttl_ms == 0 {
        problems.add(
            "dns_bounds",
            "dns",
            "min_ttl must not exceed max_ttl, and max_ttl must be above 0s",
            "the defaults are 1s and 60s",
        );
    }
}

/// Checks addresses and weights.
pub(super) fn check_endpoints(endpoints: &wire::Endpoints, problems: &mut Problems) {
    for (index, endpoint) in endpoints.endpoints.iter().enumerate() {
        if let Err(why) = Written::parse(&endpoint.address) {
            let path = format!("endpoints[{index}].address");
            let message = format!("{:?} is no address: {why}", endpoint.address);
            problems.add(
                "address_invalid",
                path,
                message,
                "for example 127.0.0.1:9001",
            );
        }
        if !(1..=WEIGHT_MAX).contains(&endpoint.weight) {
            problems.add(
                "weight_invalid",
                format!("endpoints[{index}].weight"),
                format!("{} is out of range", endpoint.weight),
                "write a weight from 1 to 65535, or leave the endpoint out",
            );
        }
        if endpoint.priority > PRIORITY_MAX {
            problems.add(
                "priority_invalid",
                format!("endpoints[{index}].priority"),
                format!("{} is out of range", endpoint.priority),
                "write a priority from 0, the first, to 128",
            );
        }
    }
}

/// Builds the endpoints; those that `before` had keep their live state.
pub(super) fn endpoints(
    written: &wire::Endpoints,
    names: &Names,
    before: &[Arc<Endpoint>],
) -> Vec<Arc<Endpoint>> {
    // Looking each up in a list is quadratic; small clusters don't pay for a map.
    let index: HashMap<&Address, &Arc<Endpoint>> = before
        .iter()
        .map(|endpoint| (&endpoint.address, endpoint))
        .collect();
    // All count together from the cluster's first endpoint on.
    let generation = before.first().map_or_else(Arc::default, |endpoint| {
        Arc::clone(endpoint.health.generation())
    });
    let around = (&index, &generation);
    let mut built = Vec::with_capacity(written.endpoints.len());
    for endpoint in &written.endpoints {
        match Written::parse(&endpoint.address) {
            Ok(Written::Address(address)) => built.push(build(endpoint, address, None, around)),
            Ok(Written::Name(host, port)) => {
                let shared: Arc<str> = Arc::from(host.as_str());
                for ip in names.get(&host).into_iter().flatten() {
                    let address = Address::Ip(SocketAddr::new(*ip, port));
                    built.push(build(endpoint, address, Some(Arc::clone(&shared)), around));
                }
            }
            Err(_) => {}
        }
    }
    built
}

fn build(
    endpoint: &wire::endpoints::Endpoint,
    address: Address,
    host: Option<Arc<str>>,
    (before, generation): (&HashMap<&Address, &Arc<Endpoint>>, &Arc<Generation>),
) -> Arc<Endpoint> {
    let old = before.get(&address);
    if let Some(old) = old
        && old.weight == endpoint.weight
        && old.host == host
        && *old.locality == *endpoint.locality
        && old.labels == endpoint.labels
        && (old.priority, old.draining) == (endpoint.priority, endpoint.draining)
    {
        return Arc::clone(old);
    }
    Arc::new(Endpoint {
        text: address.to_string().into(),
        host,
        weight: endpoint.weight,
        locality: Arc::from(endpoint.locality.as_str()),
        labels: endpoint.labels.clone(),
        priority: endpoint.priority,
        draining: endpoint.draining,
        load: old.map_or_else(Arc::default, |old| Arc::clone(&old.load)),
        open: old.map_or_else(Arc::default, |old| Arc::clone(&old.open)),
        health: old.map_or_else(
            || Arc::new(Health::new(generation)),
            |old| Arc::clone(&old.health),
        ),
        hold: old.map_or_else(Arc::default, |old| Arc::clone(&old.hold)),
        since_us: old.map_or_else(slow_start::now_us, |old| old.since_us),
        address,
    })
}

/// The host names among the addresses.
pub(super) fn host_names(written: &wire::Endpoints) -> impl Iterator<Item = String> {
    written
        .endpoints
        .iter()
        .filter_map(|endpoint| match Written::parse(&endpoint.address) {
            Ok(Written::Name(host, _)) => Some(host),
            _ => None,
        })
}
