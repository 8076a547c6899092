//! From a head to a plan, phase by phase; each may end the request with an answer of ours.

use std::borrow::Cow;
use std::rc::Rc;
use std::time::Duration;

use super::super::connection::Downstream;
use super::super::listener::Current;
use super::admit::{Facts, Plan, Refusal};
use super::edits::{self, Answering};
use super::record::{LogFields, Record};
use super::reply::{Reply, Shape};
use super::rewrite::{self, RequestId};
use crate::error::ErrorKind;
use crate::pool::{ClusterRun, View};
use crate::protocol::edits::FieldEdits;
use crate::protocol::head::{FieldSet, Version, values};
use crate::protocol::http1::{Framing, RequestHead, RequestMethod};
use crate::protocol::{grpc, grpc_web, path};
use crate::proxy::link::Speaks;
use crate::route::{Action, CorsVerdict, RequestView, Route, Share};
use crate::snapshot::{Cluster, Listener};

/// Decides what becomes of a request, whatever carried its head.
pub(super) fn decide(
    conn: &Downstream,
    current: &Current,
    head: &RequestHead<'_, '_>,
    record: &mut Record,
) -> Result<Plan, Refusal> {
    let request = Request::admit(conn, current, head, record)?;
    let route = request.route(record)?;
    request.preflight(route, record)?;
    request.answer(route)?;
    // Who else may refuse a request does so here: faults, then rate limits.
    let chosen = request.choose(route, record)?;
    request.plan(route, &chosen, record)
}

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
    pub(super) request_id: Option<RequestId>,
    body_limit: u64,
}

/// Where a request goes.
struct Chosen<'r> {
    share: &'r Share,
    cluster: Rc<ClusterRun>,
    view: Rc<View>,
}

impl<'a> Request<'a> {
    /// What is refused wherever it would go.
    fn admit(
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
            request_id: None,
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
        request.request_id = RequestId::wanted(conn, &listener.wire.http, head);
        if let (Some(log), Some(id)) = (&mut record.log, &request.request_id) {
            log.request_id = id.as_bytes().to_vec();
        }
        Ok(request)
    }

    fn route(&self, record: &mut Record) -> Result<&'a Route, Refusal> {
        let routes = self.current.listener.routes.as_ref();
        let found = routes.and_then(|routes| routes.find(&self.view()));
        let route = found.ok_or_else(|| self.refuse(ErrorKind::NoRoute))?;
        record.routed(self.conn, route);
        Ok(route)
    }

    /// Answers what a browser asks before it lets a page ask; notes what other answers tell it, and
    /// what else the route changes in them.
    fn preflight(&self, route: &Route, record: &mut Record) -> Result<(), Refusal> {
        let Some(changes) = &route.changes else {
            return Ok(());
        };
        let cors = changes.cors.as_ref().map(|cors| cors.judge(&self.view()));
        let cors = match cors {
            Some(CorsVerdict::Preflight(fields)) => {
                return Err(self.refuse(Reply::preflight(fields)));
            }
            Some(CorsVerdict::Allowed(fields)) => fields,
            Some(CorsVerdict::None) | None => Box::default(),
        };
        if !changes.response.is_empty() || !cors.is_empty() {
            let mut answering = Answering::new(cors);
            answering.add(&changes.response, &mut |operator, out| {
                edits::tell(self, (route, ""), record, operator, out);
            });
            record.answering = Some(Box::new(answering));
        }
        Ok(())
    }

    /// What the route answers itself.
    fn answer(&self, route: &Route) -> Result<(), Refusal> {
        match &route.action {
            Action::Forward(_) => Ok(()),
            Action::Redirect(redirect) => Err(match redirect.location(&self.view()) {
                Ok(location) => self.refuse(Reply::redirect(redirect.status, location)),
                Err(_) => self.refuse(ErrorKind::TargetTooLong),
            }),
            Action::Respond(response) => Err(self.refuse(Reply::direct(response))),
        }
    }

    fn choose<'r>(&self, route: &'r Route, record: &mut Record) -> Result<Chosen<'r>, Refusal> {
        let worker = self.conn.worker();
        let view = self.conn.view();
        let share = match &route.action {
            Action::Forward(split) => worker.with_random(|random| split.pick(random.next_u64())),
            Action::Redirect(_) | Action::Respond(_) => None,
        };
        let cluster = share.and_then(|share| worker.cluster(&view, share.cluster));
        let chosen = share.zip(cluster.map(Rc::clone));
        let (share, cluster) = chosen.ok_or_else(|| self.refuse(ErrorKind::NoEndpoint))?;
        record.chose_cluster(&cluster);
        Ok(Chosen {
            share,
            cluster,
            view,
        })
    }

    fn plan(
        &self,
        route: &Route,
        chosen: &Chosen<'_>,
        record: &mut Record,
    ) -> Result<Plan, Refusal> {
        let Self { head, facts, .. } = self;
        let cluster = &chosen.cluster.cluster;
        let timeout = timeout(route, head, facts.grpc);
        let (speaks, grpc_web) = spoken(cluster, *facts);
        let rewrite = route.changes.as_ref().and_then(|it| it.rewrite.as_ref());
        let rewritten = rewrite.map(|rewrite| rewrite.path(&self.path)).transpose();
        let rewritten = rewritten.map_err(|_| self.refuse(ErrorKind::TargetTooLong))?;
        let fields = self.fields(route, chosen, record);
        let target = chosen.share.changes.as_ref();
        let wanted = rewrite::Wanted {
            path: match &rewritten {
                Some(Some(path)) => Some(path),
                _ => (*self.path != *head.path).then_some(&*self.path),
            },
            authority: rewrite
                .and_then(|rewrite| rewrite.host.as_deref())
                .or_else(|| target.and_then(|changes| changes.host.as_deref())),
            fields: fields.as_ref(),
            request_id: self.request_id.as_ref(),
            speaks,
            scheme: if cluster.tls.is_some() {
                "https"
            } else {
                "http"
            },
            timeout: timeout.filter(|_| facts.grpc),
            grpc_web: grpc_web.is_some(),
        };
        let heads = rewrite::heads(self.conn, self.current, head, wanted)
            .map_err(|e| self.refuse(e.kind()))?;
        Ok(Plan {
            speaks,
            heads,
            framing: head.framing,
            body_limit: self.body_limit,
            timeout,
            grpc_web,
            facts: *facts,
            cluster: Rc::clone(&chosen.cluster),
            _view: Rc::clone(&chosen.view),
        })
    }

    /// What of the request's fields the route and its target change; what the target changes in
    /// answers is noted.
    fn fields(
        &self,
        route: &Route,
        chosen: &Chosen<'_>,
        record: &mut Record,
    ) -> Option<FieldEdits> {
        let target = chosen.share.changes.as_ref();
        if route.changes.is_none() && target.is_none() {
            return None;
        }
        let cluster = &*chosen.cluster.cluster.name;
        if let Some(target) = target.filter(|target| !target.response.is_empty()) {
            let mut answering = record.answering.take().unwrap_or_default();
            answering.add(&target.response, &mut |operator, out| {
                edits::tell(self, (route, cluster), record, operator, out);
            });
            record.answering = Some(answering);
        }
        let mut tell = |operator: &_, out: &mut _| {
            edits::tell(self, (route, cluster), record, operator, out);
        };
        let mut fields = FieldEdits::default();
        if let Some(changes) = &route.changes {
            edits::make(&changes.request, &mut tell, &mut fields);
        }
        if let Some(changes) = target {
            edits::make(&changes.request, &mut tell, &mut fields);
        }
        (!fields.is_empty()).then_some(fields)
    }

    /// A request that goes no further.
    pub(super) fn refuse(&self, reply: impl Into<Reply>) -> Refusal {
        let facts = self.facts;
        Refusal {
            reply: reply.into(),
            shape: Shape::closing(facts),
            facts: Some(facts),
            // FR-20: what follows a refused upgrade or CONNECT may not be HTTP.
            reusable: facts.keep_alive
                && self.head.framing.is_empty()
                && !facts.upgrade
                && !self.is_connect(),
        }
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

/// What goes to the upstream, and whether as gRPC. gRPC needs HTTP/2: a cluster that can't speak it
/// gets gRPC-Web as it is.
fn spoken(cluster: &Cluster, facts: Facts) -> (Speaks, Option<grpc_web::Call>) {
    if let Some(call) = facts.grpc_web {
        let speaks = Speaks::of(cluster, Version::Http2);
        if speaks != Speaks::Http1 {
            return (speaks, Some(call));
        }
    }
    (Speaks::of(cluster, facts.version), None)
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

/// The shorter of what the route allows and what a gRPC client has time for.
fn timeout(route: &Route, head: &RequestHead<'_, '_>, grpc: bool) -> Option<Duration> {
    let asked = head.value(head.known.grpc_timeout).filter(|_| grpc);
    let asked = asked.and_then(grpc::parse_timeout);
    match (route.timeout, asked) {
        (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
        (ours, theirs) => ours.or(theirs),
    }
}
