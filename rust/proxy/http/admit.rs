//! From a head to a plan: who should get the request, and the head that they get.

use std::rc::Rc;
use std::time::Duration;

use super::super::connection::Downstream;
use super::super::flow::Body;
use super::super::listener::Current;
use super::record::{LogFields, Record};
use super::reply::Shape;
use crate::error::ErrorKind;
use crate::pool::{ClusterRun, View};
use crate::protocol::head::{FieldSet, Version};
use crate::protocol::http1::{
    ChunkMode, ChunkScanner, FieldStorage, Framing, RequestEdits, RequestHead, RequestMethod,
    parse_request, write_request,
};
use crate::protocol::path;
use crate::route::{RequestView, Route, RouteTable};

/// What was decided about a request; borrows nothing of its head.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) cluster: Rc<ClusterRun>,
    /// Kept to the request's end: what it began with is what it ends with.
    pub(super) _view: Rc<View>,
    /// The head for the upstream.
    pub(super) head: Vec<u8>,
    pub(super) body: Body,
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
}

/// What a refused request still allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    pub(super) shape: Shape,
    /// The connection may go on: the head was sound and no body follows.
    pub(super) reusable: bool,
}

impl From<ErrorKind> for Refusal {
    fn from(kind: ErrorKind) -> Self {
        Self {
            kind,
            shape: Shape::default(),
            reusable: false,
        }
    }
}

/// Parses, routes and rewrites a complete head.
pub(super) fn admit(
    conn: &Downstream,
    current: &Current,
    head: &[u8],
    record: &mut Record,
) -> Result<Plan, Refusal> {
    let listener = &current.listener;
    let mut storage = FieldStorage::new();
    let head = parse_request(head, &mut storage, &listener.head_limits).map_err(|e| {
        conn.listener.stats.bad_requests_total.increment();
        Refusal::from(e.kind())
    })?;
    if listener.access_log.is_some() {
        record.log = Some(Box::new(LogFields::of(&head)));
    }
    let facts = facts(&head);
    let is_connect = matches!(facts.method, RequestMethod::Connect);
    let refuse = |kind| Refusal {
        kind,
        shape: Shape::closing(facts),
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
    let table = listener
        .routes
        .as_ref()
        .ok_or_else(|| refuse(ErrorKind::NoRoute))?;
    let route = find(conn, table, &head, &normal).ok_or_else(|| refuse(ErrorKind::NoRoute))?;
    record.routed(conn, route);
    let view = conn.view();
    let slot = conn
        .worker()
        .with_random(|random| route.split.pick(random.next_u64()));
    let cluster = conn.worker().cluster(&view, slot).map(Rc::clone);
    let cluster = cluster.ok_or_else(|| refuse(ErrorKind::NoEndpoint))?;
    record.chose_cluster(&cluster);
    let rewritten = (*normal != *head.path).then_some(&*normal);
    Ok(Plan {
        head: rewrite(conn, current, &head, rewritten, record),
        body: body(head.framing),
        body_limit,
        timeout: route.timeout,
        facts,
        cluster,
        _view: view,
    })
}

fn facts(head: &RequestHead<'_, '_>) -> Facts {
    Facts {
        version: head.version,
        method: RequestMethod::of(head.method),
        keep_alive: head.keep_alive,
        upgrade: head.upgrade.is_some(),
    }
}

fn find<'t>(
    conn: &Downstream,
    table: &'t RouteTable,
    head: &RequestHead<'_, '_>,
    normal: &str,
) -> Option<&'t Route> {
    let host = head.authority.host_for_match();
    let trusted = conn.listener.current().listener.wire.http.trusted_hops > 0;
    let hidden = if trusted {
        FieldSet::EMPTY
    } else {
        head.forwarded
    };
    table.find(&RequestView {
        host: &host,
        path: normal,
        query: head.query,
        method: head.method,
        fields: head.fields,
        hidden,
        identity: conn.identity.as_ref().map(|identity| identity.name()),
    })
}

fn body(framing: Framing) -> Body {
    match framing {
        Framing::None => Body::Done,
        Framing::Length(length) => Body::Length(length),
        Framing::Chunked => Body::Chunked(Box::new(ChunkScanner::new(ChunkMode::Forward))),
    }
}

fn rewrite(
    conn: &Downstream,
    current: &Current,
    head: &RequestHead<'_, '_>,
    path: Option<&str>,
    record: &mut Record,
) -> Vec<u8> {
    let http = &current.listener.wire.http;
    let trusted = http.trusted_hops > 0;
    let mut out = conn.worker().take_scratch();
    if matches!(head.method, "CONNECT") {
        // The tunnel's endpoint gets bytes, not a head.
        return out;
    }
    let made;
    let mut request_id = None;
    if http.request_id && !(trusted && head.known.request_id.is_some()) {
        made = request_id_text(conn);
        request_id = Some(&made[..]);
    }
    if let (Some(log), Some(id)) = (&mut record.log, request_id) {
        log.request_id = id.to_vec();
    }
    let edits = RequestEdits {
        path,
        authority: None,
        client_ip: conn.peer_ip(),
        proto: if conn.is_tls() { "https" } else { "http" },
        keep_forwarded: trusted,
        request_id,
        via: http.via.as_deref(),
        upgrade: head.upgrade.is_some(),
    };
    write_request(head, &edits, &mut out);
    out
}

/// A random UUID (RFC 9562 §5.4).
fn request_id_text(conn: &Downstream) -> [u8; 36] {
    let (high, low) = conn
        .worker()
        .with_random(|random| (random.next_u64(), random.next_u64()));
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    let value = (u128::from(high) << 64) | u128::from(low);
    let mut text = [b'-'; 36];
    let mut shift = 128;
    for (index, place) in text.iter_mut().enumerate() {
        if !matches!(index, 8 | 13 | 18 | 23) {
            shift -= 4;
            *place = b"0123456789abcdef"[((value >> shift) & 0xf) as usize];
        }
    }
    text
}
