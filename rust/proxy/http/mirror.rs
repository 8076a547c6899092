//! Copies of requests on their way: who gets one, and what it says.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::phases::spoken;
use super::request::Request;
use super::rewrite::{self, Heads, Wanted};
use crate::balance::Random;
use crate::pool::ClusterRun;
use crate::protocol::http1::{Framing, RequestMethod};
use crate::proxy::link::Speaks;
use crate::route::Route;

/// How long a copy may take where the route sets no time.
const MIRROR_TIME: Duration = Duration::from_secs(15);

/// Copies of one request, until they are on their way.
#[derive(Debug, Default)]
pub(super) struct Copies(RefCell<Box<[Mirrored]>>);

impl Copies {
    /// Those that are not on their way.
    pub(super) fn take(&self) -> Box<[Mirrored]> {
        self.0.take()
    }
}

/// A copy of a request, without its body.
#[derive(Debug)]
pub(super) struct Mirrored {
    pub(super) cluster: Rc<ClusterRun>,
    pub(super) speaks: Speaks,
    pub(super) heads: Heads,
    pub(super) framing: Framing,
    pub(super) method: RequestMethod,
    pub(super) within: Duration,
}

impl Request<'_> {
    /// The copies that are made of this request. What asks for a tunnel has none: there is nobody to
    /// talk at the other end.
    pub(super) fn copies(&self, route: &Route, wanted: &Wanted<'_>) -> Option<Box<Copies>> {
        let facts = self.facts;
        let tunnel = facts.upgrade || matches!(facts.method, RequestMethod::Connect);
        if route.mirrors.is_empty() || tunnel {
            return None;
        }
        let worker = self.conn.worker();
        let taken = route
            .mirrors
            .iter()
            .filter(|mirror| mirror.takes(worker.with_random(Random::next_u64)));
        let copies: Box<[Mirrored]> = taken
            .filter_map(|mirror| {
                let cluster = worker.cluster(&self.pools, mirror.cluster)?;
                self.copy(Rc::clone(cluster), route, wanted)
            })
            .collect();
        (!copies.is_empty()).then(|| Box::new(Copies(RefCell::new(copies))))
    }

    fn copy(
        &self,
        cluster: Rc<ClusterRun>,
        route: &Route,
        wanted: &Wanted<'_>,
    ) -> Option<Mirrored> {
        let (speaks, grpc_web) = spoken(&cluster.cluster, self.facts);
        let authority = wanted.authority.unwrap_or(self.head.authority.text);
        let authority = shadow(authority);
        let wanted = Wanted {
            authority: Some(&authority),
            speaks,
            scheme: if cluster.cluster.tls.is_some() {
                "https"
            } else {
                "http"
            },
            ..*wanted
        };
        let heads = rewrite::heads(self.conn, self.current, self.head, wanted);
        // A body that was bridged to gRPC is none of gRPC-Web's any more.
        let fits = grpc_web.is_some() == wanted.grpc_web;
        let Some(heads) = heads.ok().filter(|_| fits) else {
            cluster.stats.mirrors_dropped_total.increment();
            return None;
        };
        Some(Mirrored {
            cluster,
            speaks,
            heads,
            framing: self.head.framing,
            method: self.facts.method,
            within: route.timeout.unwrap_or(MIRROR_TIME),
        })
    }
}

/// The authority by which a server sees that it gets a copy, as Envoy writes it.
fn shadow(authority: &str) -> String {
    let port = authority
        .rfind(':')
        .filter(|at| !authority[*at..].contains(']'));
    let (host, port) = authority.split_at(port.unwrap_or(authority.len()));
    format!("{host}-shadow{port}")
}

#[cfg(test)]
mod tests {
    use super::shadow;

    #[test]
    fn the_host_is_marked_and_the_port_stays() {
        for (authority, expected) in [
            ("api", "api-shadow"),
            ("api:8080", "api-shadow:8080"),
            ("[::1]", "[::1]-shadow"),
            ("[::1]:80", "[::1]-shadow:80"),
        ] {
            assert_eq!(shadow(authority), expected);
        }
    }
}
