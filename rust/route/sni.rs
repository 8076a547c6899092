//! Which clusters a TLS connection that is not ended here goes to, by its server name.

use super::ClusterSlot;
use super::Split;
use super::host::HostIndex;
use super::host::HostPattern;
use crate::wire::Problems;
use crate::wire::listener::SniRoute;
use crate::wire::route::Target;

/// A listener's routes by SNI; immutable, shared by all workers.
#[derive(Debug)]
pub struct SniTable {
    splits: Box<[Split]>,
    hosts: HostIndex<usize>,
    default: Option<Split>,
}

impl SniTable {
    /// Compiles a listener's `sni_routes` and, as `default`, its `to`, which may be empty.
    ///
    /// When problems were noted, the result lacks the routes concerned and must not be used.
    pub fn compile(
        routes: &[SniRoute],
        default: &[Target],
        resolve: &mut dyn FnMut(&str) -> Option<ClusterSlot>,
        problems: &mut Problems,
    ) -> Self {
        let mut hosts = HostIndex::new();
        let mut splits = Vec::with_capacity(routes.len());
        for (index, route) in routes.iter().enumerate() {
            let at = format!("sni_routes[{index}]");
            add_names(&mut hosts, &route.sni, index, problems);
            splits.extend(Split::compile(
                &route.to,
                &format!("{at}.to"),
                resolve,
                problems,
            ));
        }
        let default = (!default.is_empty())
            .then(|| Split::compile(default, "to", resolve, problems))
            .flatten();
        Self {
            splits: splits.into(),
            hosts,
            default,
        }
    }

    /// Where a connection with this server name goes: the exact name, the longest wildcard, any,
    /// and last, or without a name, the default.
    pub fn find(&self, sni: Option<&str>) -> Option<&Split> {
        sni.and_then(|name| self.hosts.find_map(name, |&index| self.splits.get(index)))
            .or(self.default.as_ref())
    }
}

fn add_names(
    hosts: &mut HostIndex<usize>,
    names: &[String],
    route: usize,
    problems: &mut Problems,
) {
    let at = format!("sni_routes[{route}].sni");
    if names.is_empty() {
        problems.add(
            "sni_empty",
            at.as_str(),
            "no server name is given",
            "for every other name use the listener's `to`",
        );
    }
    for (index, name) in names.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let pattern = match HostPattern::parse(name) {
            Ok(pattern) => pattern,
            Err(why) => {
                let message = format!("`{name}` is no server name: {why}");
                let hint = "write `example.com`, `*.example.com` or `*`";
                problems.add("sni_invalid", at, message, hint);
                continue;
            }
        };
        // Nothing but the name tells these routes apart, so a second one would never be taken.
        let first = *hosts.entry(&pattern, || route);
        if first != route {
            let message = format!("sni_routes[{first}] takes `{name}` already");
            problems.add("sni_duplicate", at, message, "name it once");
        }
    }
}
