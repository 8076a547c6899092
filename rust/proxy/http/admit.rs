//! From a head to a plan: who should get the request, and the head that they get.

use std::rc::Rc;
use std::time::Duration;

use http::request::Parts;

use super::super::connection::Downstream;
use super::super::listener::Current;
use super::record::{LogFields, Record};
use super::reply::Shape;
use super::rewrite::{self, Heads};
use crate::error::ErrorKind;
use crate::pool::{ClusterRun, View};
use crate::protocol::error::HeadError;
use crate::protocol::head::{FieldSet, Version};
use crate::protocol::http1::{FieldStorage, Framing, RequestHead, RequestMethod, parse_request};
use crate::protocol::{grpc, http2, path};
use crate::proxy::link::Speaks;
use crate::route::{RequestView, Route};
use crate::snapshot::Listener;

/// What was decided about a request; borrows nothing of its head.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) cluster: Rc<ClusterRun>,
    /// Kept to the request's end: what it began with is what it ends with.
    pub(super) _view: Rc<View>,
    pub(super) speaks: Speaks,
    /// The head for the upstream.
    pub(super) heads: Heads,
    pub(super) framing: Framing,
    pub(super) body_limit: u64,
    pub(super) timeout: Option<Duration>,
    pub(super) facts: Facts,
}

/// What the answer depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub(super) version: Version,
    pub(super) method: RequestMethod,
    pub(super) keep_alive: bool,
    pub(super) upgrade: bool,
    /// Errors of ours are told as gRPC statuses.
    pub(super) grpc: bool,
}

/// What a refused request still allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    pub(super) shape: Shape,
    /// Of a head that could be read.
    pub(super) facts: Option<Facts>,
    /// The connection may go on: the head was sound and no body follows.
    pub(super) reusable: bool,
}

impl From<ErrorKind> for Refusal {
    fn from(kind: ErrorKind) -> Self {
        Self {
            kind,
            shape: Shape::default(),
            facts: None,
            reusable: false,
        }
    }
}

/// Parses, routes and rewrites a complete head of HTTP/1.
pub(super) fn admit_http1(
    conn: &Downstream,
    current: &Current,
    head: &[u8],
    record: &mut Record,
) -> Result<Plan, Refusal> {
    let mut storage = FieldStorage::new();
    let head = parse_request(head, &mut storage, &current.listener.head_limits)
        .map_err(|error| malformed(conn, error))?;
    decide(conn, current, &head, record)
}

/// The same for a head that the h2 crate has read.
pub(super) fn admit_http2(
    conn: &Downstream,
    current: &Current,
    (parts, ended): (&mut Parts, bool),
    record: &mut Record,
) -> Result<Plan, Refusal> {
    let mut storage = FieldStorage::new();
    let limits = &current.listener.head_limits;
    let head = http2::check_size(&parts.headers, limits)
        .and_then(|()| {
            http2::join_cookies(&mut parts.headers);
            http2::read_request(parts, ended, &mut storage, limits)
        })
        .map_err(|error| malformed(conn, error))?;
    decide(conn, current, &head, record)
}

fn malformed(conn: &Downstream, error: HeadError) -> Refusal {
    conn.listener.stats.bad_requests_total.increment();
    Refusal::from(error.kind())
}

/// Routes and rewrites a head, whatever carried it.
fn decide(
    conn: &Downstream,
    current: &Current,
    head: &RequestHead<'_, '_>,
    record: &mut Record,
) -> Result<Plan, Refusal> {
    let listener = &current.listener;
    if listener.access_log.is_some() {
        record.log = Some(Box::new(LogFields::of(head)));
    }
    let facts = facts(head);
    let is_connect = matches!(facts.method, RequestMethod::Connect);
    let refuse = |kind| Refusal {
        kind,
        shape: Shape::closing(facts),
        facts: Some(facts),
        // FR-20: what follows a refused upgrade or CONNECT may not be HTTP.
        reusable: facts.keep_alive && head.framing.is_empty() && !facts.upgrade && !is_connect,
    };
    if is_connect && !listener.wire.http.allow_connect {
        return Err(refuse(ErrorKind::ConnectRefused));
    }
    let body_limit = match listener.wire.limits.body_bytes {
        0 => u64::MAX,
        limit => limit,
    };
    if matches!(head.framing, Framing::Length(length) if length > body_limit) {
        return Err(refuse(ErrorKind::BodyTooLarge));
    }
    let normal = path::normalize(head.path, listener.wire.http.path_normalization)
        // A path with two readings is refused as a malformed head is: nothing after it is parsed.
        .map_err(|e| Refusal {
            reusable: false,
            ..refuse(e.kind())
        })?;
    let route = find(conn, listener, head, &normal);
    let route = route.ok_or_else(|| refuse(ErrorKind::NoRoute))?;
    record.routed(conn, route);
    let view = conn.view();
    let cluster = choose(conn, &view, route).ok_or_else(|| refuse(ErrorKind::NoEndpoint))?;
    record.chose_cluster(&cluster);
    let timeout = timeout(route, head, facts.grpc);
    let speaks = Speaks::of(&cluster.cluster, head.version);
    let wanted = rewrite::Wanted {
        path: (*normal != *head.path).then_some(&*normal),
        speaks,
        scheme: if cluster.cluster.tls.is_some() {
            "https"
        } else {
            "http"
        },
        timeout: timeout.filter(|_| facts.grpc),
    };
    let heads =
        rewrite::heads(conn, current, head, wanted, record).map_err(|e| refuse(e.kind()))?;
    Ok(Plan {
        speaks,
        heads,
        framing: head.framing,
        body_limit,
        timeout,
        facts,
        cluster,
        _view: view,
    })
}

fn choose(conn: &Downstream, view: &View, route: &Route) -> Option<Rc<ClusterRun>> {
    let worker = conn.worker();
    let slot = worker.with_random(|random| route.split.pick(random.next_u64()));
    worker.cluster(view, slot).map(Rc::clone)
}

fn facts(head: &RequestHead<'_, '_>) -> Facts {
    let kind = head.value(head.known.content_type);
    Facts {
        version: head.version,
        method: RequestMethod::of(head.method),
        keep_alive: head.keep_alive,
        upgrade: head.upgrade.is_some(),
        grpc: head.method == "POST" && kind.is_some_and(grpc::is_grpc),
    }
}

/// The shorter of what the route allows and what a gRPC client has time for.
fn timeout(route: &Route, head: &RequestHead<'_, '_>, grpc: bool) -> Option<Duration> {
    let asked = head.value(head.known.grpc_timeout).filter(|_| grpc);
    let asked = asked.and_then(grpc::parse_timeout);
    match (route.timeout, asked) {
        (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
        (ours, theirs) => ours.or(theirs),
    }
}

fn find<'t>(
    conn: &Downstream,
    listener: &'t Listener,
    head: &RequestHead<'_, '_>,
    normal: &str,
) -> Option<&'t Route> {
    let host = head.authority.host_for_match();
    let hidden = if listener.wire.http.trusted_hops > 0 {
        FieldSet::EMPTY
    } else {
        head.forwarded
    };
    listener.routes.as_ref()?.find(&RequestView {
        host: &host,
        path: normal,
        query: head.query,
        method: head.method,
        fields: head.fields,
        hidden,
        identity: conn.identity.as_ref().map(|identity| identity.name()),
    })
}
