//! A request whose head is sound: what phases look at.

use std::borrow::Cow;

use super::super::connection::Downstream;
use super::super::listener::Current;
use super::admit::{Facts, Refusal};
use super::record::{LogFields, Record};
use super::reply::Reply;
use super::rewrite::RequestId;
use crate::error::ErrorKind;
use crate::protocol::head::{FieldSet, values};
use crate::protocol::http1::{Framing, RequestHead, RequestMethod};
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
            body_limit: match listener.wire.limits.body_bytes {
                0 => u64::MAX,
                limit => limit,
            },
        };
        if request.is_connect() && !listener.wire.http.allow_connect {
            return Err(request.refuse(ErrorKind::ConnectRefused));
        }
        if matches!(head.framing, Framing::Length(length) if length > request.body_limit) {
            return Err(request.refuse(ErrorKind::BodyTooLarge));
        }
        request.path = path::normalize(head.path, listener.wire.http.path_normalization)
            // A path with two readings is refused as a malformed head is: nothing after it is parsed.
            .map_err(|e| Refusal {
                reusable: false,
                ..request.refuse(e.kind())
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

    fn is_connect(&self) -> bool {
        matches!(self.facts.method, RequestMethod::Connect)
    }

    /// What routes look at.
    pub(super) fn view(&self) -> RequestView<'_> {
        let Self { conn, head, .. } = self;
        let trusted = self.current.listener.wire.http.trusted_hops > 0;
        RequestView {
            host: &self.host,
            path: &self.path,
            query: head.query,
            method: head.method,
            scheme: scheme(conn, head, trusted),
            authority: head.authority.text,
            fields: head.fields,
            hidden: if trusted {
                FieldSet::EMPTY
            } else {
                head.forwarded
            },
            identity: conn.identity.as_ref().map(|identity| identity.name()),
        }
    }
}

/// That of the connection, unless a trusted proxy has ended another one before.
fn scheme(conn: &Downstream, head: &RequestHead<'_, '_>, trusted: bool) -> &'static str {
    let told = head.value(head.known.forwarded_proto).filter(|_| trusted);
    match told {
        Some(b"https") => "https",
        Some(b"http") => "http",
        _ if conn.is_tls() => "https",
        _ => "http",
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
