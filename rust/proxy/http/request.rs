//! A request whose head is sound: what phases look at.

use std::borrow::Cow;
use std::rc::Rc;

use super::super::connection::Downstream;
use super::super::listener::Current;
use super::admit::{Facts, Refusal};
use super::record::{LogFields, Record};
use super::reply::Reply;
use super::rewrite::RequestId;
use crate::error::ErrorKind;
use crate::pool::View;
use crate::protocol::error::HeadError;
use crate::protocol::head::{FieldSet, values};
use crate::protocol::http1::{FieldStorage, Framing, RequestHead, RequestMethod, parse_request};
use crate::protocol::{grpc, grpc_web, path};
use crate::route::RequestView;
use crate::snapshot::Listener;

/// A request whose head is sound.
pub(super) struct Request<'a> {
    pub(super) conn: &'a Downstream,
    pub(super) current: &'a Current,
    pub(super) head: &'a RequestHead<'a, 'a>,
    pub(super) facts: Facts,
    /// In the listener's normal form.
    pub(super) path: Cow<'a, str>,
    host: Cow<'a, str>,
    /// The one that we gave it.
    pub(super) id: Option<RequestId>,
    /// The clusters that its routes' slots are of.
    pub(super) pools: Rc<View>,
    pub(super) body_limit: u64,
}

impl<'a> Request<'a> {
    /// What is refused wherever it would go.
    pub(super) fn admit(
        conn: &'a Downstream,
        current: &'a Current,
        head: &'a RequestHead<'a, 'a>,
        record: &mut Record,
    ) -> Result<Self, Refusal> {
        let listener = &current.listener;
        if listener.access_log.is_some() {
            record.log = Some(Box::new(LogFields::of(head)));
        }
        let mut request = Self {
            conn,
            current,
            head,
            facts: facts(head, listener),
            path: Cow::Borrowed(head.path),
            host: head.authority.host_for_match(),
            id: None,
            pools: conn.view(),
            body_limit: body_limit(listener),
        };
        request.path = admissible(listener, head, request.body_limit).map_err(|kind| {
            let refusal = request.refuse(kind);
            // After a path with two readings nothing is parsed, as after a malformed head.
            let reusable = refusal.reusable && kind != ErrorKind::BadRequest;
            Refusal {
                reusable,
                ..refusal
            }
        })?;
        request.id = RequestId::wanted(conn, &listener.wire.http, head);
        if let (Some(log), Some(id)) = (&mut record.log, &request.id) {
            log.request_id = id.as_bytes().to_vec();
        }
        Ok(request)
    }

    /// A request that goes no further.
    pub(super) fn refuse(&self, reply: impl Into<Reply>) -> Refusal {
        Refusal::new(reply.into(), self.facts, self.head.framing)
    }

    /// Fields that nobody but the proxy may see.
    pub(super) fn hidden(&self) -> FieldSet {
        hidden(&self.current.listener, self.head)
    }

    /// What routes look at.
    pub(super) fn view(&self) -> RequestView<'_> {
        let peer = Peer {
            tls: self.conn.is_tls(),
            identity: self.conn.identity.as_ref().map(|identity| identity.name()),
        };
        view(
            &self.current.listener,
            self.head,
            (&self.path, &self.host),
            peer,
        )
    }
}

/// What routes look at, by the rules of a listener.
fn view<'a>(
    listener: &Listener,
    head: &'a RequestHead<'a, 'a>,
    (path, host): (&'a str, &'a str),
    peer: Peer<'a>,
) -> RequestView<'a> {
    let trusted = listener.wire.http.trusted_hops > 0;
    RequestView {
        host,
        path,
        query: head.query,
        method: head.method,
        scheme: scheme(peer.tls, head, trusted),
        authority: head.authority.text,
        fields: head.fields,
        hidden: hidden(listener, head),
        identity: peer.identity,
    }
}

fn hidden(listener: &Listener, head: &RequestHead<'_, '_>) -> FieldSet {
    if listener.wire.http.trusted_hops > 0 {
        FieldSet::EMPTY
    } else {
        head.forwarded
    }
}

/// That of the connection, unless a trusted proxy has ended another one before.
fn scheme(tls: bool, head: &RequestHead<'_, '_>, trusted: bool) -> &'static str {
    let told = head.value(head.known.forwarded_proto).filter(|_| trusted);
    match told {
        Some(b"https") => "https",
        Some(b"http") => "http",
        _ if tls => "https",
        _ => "http",
    }
}

/// Refuses what a listener takes from nobody; else the path in its normal form.
fn admissible<'h>(
    listener: &Listener,
    head: &RequestHead<'h, '_>,
    body_limit: u64,
) -> Result<Cow<'h, str>, ErrorKind> {
    let connect = matches!(RequestMethod::of(head.method), RequestMethod::Connect);
    if connect && !listener.wire.http.allow_connect {
        return Err(ErrorKind::ConnectRefused);
    }
    if matches!(head.framing, Framing::Length(length) if length > body_limit) {
        return Err(ErrorKind::BodyTooLarge);
    }
    path::normalize(head.path, listener.wire.http.path_normalization).map_err(HeadError::kind)
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peer<'a> {
    /// Whether by TLS.
    pub tls: bool,
    /// What its certificate proves.
    pub identity: Option<&'a str>,
}

/// Gives `look` what the routes of a listener would see of a head of HTTP/1, and its path; or why it
/// would get no further.
///
/// # Errors
/// What the client would be told.
pub fn see<T>(
    listener: &Listener,
    head: &[u8],
    peer: Peer<'_>,
    look: impl FnOnce(&RequestView<'_>) -> T,
) -> Result<T, ErrorKind> {
    let mut storage = FieldStorage::new();
    let head = parse_request(head, &mut storage, &listener.head_limits);
    let head = head.map_err(HeadError::kind)?;
    let path = admissible(listener, &head, body_limit(listener))?;
    let host = head.authority.host_for_match();
    Ok(look(&view(listener, &head, (&path, &host), peer)))
}

fn body_limit(listener: &Listener) -> u64 {
    match listener.wire.limits.body_bytes {
        0 => u64::MAX,
        limit => limit,
    }
}

fn facts(head: &RequestHead<'_, '_>, listener: &Listener) -> Facts {
    let kind = head.value(head.known.content_type);
    let kind = kind.filter(|_| head.method == "POST");
    let web = kind.filter(|_| listener.wire.http.grpc_web && head.upgrade.is_none());
    let accept = values(head.fields, "accept");
    let grpc_web = web.and_then(|kind| grpc_web::Call::asked(kind, accept));
    Facts {
        version: head.version,
        method: RequestMethod::of(head.method),
        keep_alive: head.keep_alive,
        upgrade: head.upgrade.is_some(),
        grpc: grpc_web.is_some() || kind.is_some_and(grpc::is_grpc),
        grpc_web,
    }
}
