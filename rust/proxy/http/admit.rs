//! From a head to a plan: who should get the request, and the head that they get.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

use super::super::connection::Downstream;
use super::super::listener::Current;
use super::hooks::Asked;
use super::mirror::Copies;
use super::phases::decide;
use super::record::Record;
use super::reply::{Reply, Shape};
use super::rewrite::Heads;
use crate::error::ErrorKind;
use crate::pool::{Aim, ClusterRun, View};
use crate::protocol::error::HeadError;
use crate::protocol::head::Version;
use crate::protocol::http1::{FieldStorage, Framing, RequestMethod, parse_request};
use crate::protocol::{grpc_web, http2};
use crate::proxy::link::Speaks;
use crate::route::Effort;

/// What was decided about a request; borrows nothing of its head.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) cluster: Rc<ClusterRun>,
    /// Kept to the request's end: what it began with is what it ends with.
    pub(super) _pools: Rc<View>,
    pub(super) aim: Option<Rc<Aim>>,
    pub(super) speaks: Speaks,
    /// The head for the upstream.
    pub(super) heads: Heads,
    /// How the client frames the body.
    pub(super) framing: Framing,
    pub(super) body_limit: u64,
    pub(super) timeout: Option<Duration>,
    /// What is done beyond asking once.
    pub(super) effort: Option<Arc<Effort>>,
    /// Copies to be made.
    pub(super) copies: Option<Box<Copies>>,
    /// Asking twice is as good as asking once.
    pub(super) repeatable: bool,
    /// What hooks want to see beside its head.
    pub(super) hooked: Asked,
    /// A call that goes on as gRPC.
    pub(super) grpc_web: Option<grpc_web::Call>,
    pub(super) facts: Facts,
}

impl Plan {
    /// How the upstream gets the body framed: what filters may change has no length before.
    pub(super) fn sent_as(&self) -> Framing {
        self.hooked.frames(self.framing)
    }

    /// Whether what goes to the upstream has to be kept or copied, which only the bridge can.
    pub(super) fn is_kept(&self) -> bool {
        self.effort.is_some() || self.copies.is_some() || self.hooked.bodies_or_answer
    }
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
    /// In gRPC-Web's way, where the listener bridges that.
    pub(super) grpc_web: Option<grpc_web::Call>,
}

/// What a request that goes no further is answered, and what it still allows.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reply: Reply,
    pub(super) shape: Shape,
    /// Of a head that could be read.
    pub(super) facts: Option<Facts>,
    /// The connection may go on: the head was sound and no body follows.
    pub(super) reusable: bool,
}

impl Refusal {
    /// Of a request whose head could be read.
    pub(super) fn new(reply: Reply, facts: Facts, framing: Framing) -> Self {
        let connect = matches!(facts.method, RequestMethod::Connect);
        Self {
            reply,
            shape: Shape::closing(facts),
            facts: Some(facts),
            // FR-20: what follows a refused upgrade or CONNECT may not be HTTP.
            reusable: facts.keep_alive && framing.is_empty() && !facts.upgrade && !connect,
        }
    }
}

/// Why there is no plan yet, or none at all.
#[derive(Debug)]
pub(super) enum Stop {
    /// The request goes no further.
    Refused(Refusal),
    /// A hook has to be waited for; then the head is to be looked at again.
    Parked(Facts, Framing),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ErrorKind> for Refusal {
    fn from(kind: ErrorKind) -> Self {
        Self {
            reply: Reply::Error(kind),
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
) -> Result<Plan, Stop> {
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
) -> Result<Plan, Stop> {
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
