//! From a head to a plan, phase by phase; each may end the request with an answer of ours.

use std::rc::Rc;
use std::time::Duration;

use super::super::connection::Downstream;
use super::super::listener::Current;
use super::admit::{Facts, Plan, Refusal, Stop};
use super::edits::{self, Answering};
use super::hooks::{self, Asked, Uses};
use super::record::Record;
use super::reply::Reply;
use super::request::Request;
use super::rewrite;
use crate::error::ErrorKind;
use crate::policy::retry::is_idempotent;
use crate::pool::{Aim, ClusterRun};
use crate::protocol::edits::FieldEdits;
use crate::protocol::head::{Version, values};
use crate::protocol::http1::RequestHead;
use crate::protocol::{grpc, grpc_web};
use crate::proxy::link::Speaks;
use crate::route::{Action, CorsVerdict, Route, Share};
use crate::snapshot::Cluster;

/// Decides what becomes of a request, whatever carried its head.
pub(super) fn decide(
    conn: &Downstream,
    current: &Current,
    head: &RequestHead<'_, '_>,
    record: &mut Record,
) -> Result<Plan, Stop> {
    let mut request = Request::admit(conn, current, head, record)?;
    let route = request.route()?;
    if record.is_resumed() {
        request.resume(record);
    } else {
        record.routed(conn, route);
        request.note_facts(route, record);
        request.shed(route)?;
        request.preflight(route, record)?;
        request.fault(route, record)?;
        request.limit(route, record)?;
    }
    request.hook(route, record)?;
    request.answer(route)?;
    let chosen = request.choose(route, record)?;
    request.enter(route, &chosen.cluster, record)?;
    Ok(request.plan(route, chosen, record)?)
}

/// Where a request goes.
pub(super) struct Chosen<'r> {
    /// None where a hook chose the cluster.
    share: Option<&'r Share>,
    cluster: Rc<ClusterRun>,
    aim: Option<Rc<Aim>>,
}

impl<'a> Request<'a> {
    fn route(&self) -> Result<&'a Route, Refusal> {
        let routes = self.current.listener.routes.as_ref();
        let found = routes.and_then(|routes| routes.find(&self.view()));
        found.ok_or_else(|| self.refuse(ErrorKind::NoRoute))
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

    /// Delays and refuses on purpose, what the route answers itself too; who carries the request
    /// waits.
    fn fault(&self, route: &Route, record: &mut Record) -> Result<(), Refusal> {
        let Some(fault) = &route.fault else {
            return Ok(());
        };
        let Some(fault) = fault.of(&self.view()) else {
            return Ok(());
        };
        let worker = self.conn.worker();
        let injected = worker.with_random(|random| fault.decide(|| random.next_u64()));
        record.inject(&injected);
        match injected.abort {
            Some(abort) => Err(self.refuse(Reply::fault(abort))),
            None => Ok(()),
        }
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

    fn choose(&self, route: &'a Route, record: &mut Record) -> Result<Chosen<'a>, Refusal> {
        let worker = self.conn.worker();
        let session = self.session(route);
        let share = match &route.action {
            Action::Forward(split) => self.share(split, session.as_ref()),
            Action::Redirect(_) | Action::Respond(_) => None,
        };
        let cluster = share.and_then(|share| worker.cluster(&self.pools, share.cluster));
        let cluster = cluster.map(Rc::clone);
        let chosen = match record.hooks {
            None if !record.sees_more() || !self.hooks_upstream(route) => {
                share.map(Some).zip(cluster)
            }
            _ => self.hooked_choice(route, (share, cluster), record)?,
        };
        let (share, cluster) = chosen.ok_or_else(|| self.refuse(ErrorKind::NoEndpoint))?;
        if !record.asks() {
            record.chose_cluster(&cluster);
        }
        let aim = self.aim(route, session, &cluster, record);
        Ok(Chosen {
            share,
            cluster,
            aim,
        })
    }

    fn plan(self, route: &Route, chosen: Chosen<'_>, record: &mut Record) -> Result<Plan, Refusal> {
        let Self { head, facts, .. } = &self;
        let cluster = &chosen.cluster.cluster;
        let timeout = timeout(route, head, facts.grpc);
        let (speaks, grpc_web) = spoken(cluster, *facts);
        let rewrite = route.changes.as_ref().and_then(|it| it.rewrite.as_ref());
        let rewritten = rewrite.map(|rewrite| rewrite.path(&self.path)).transpose();
        let rewritten = rewritten.map_err(|_| self.refuse(ErrorKind::TargetTooLong))?;
        let fields = self.fields(route, &chosen, record);
        let target = chosen.share.and_then(|share| share.changes.as_ref());
        let uses = record.uses(self.current);
        let hooked = uses.map_or_else(Asked::default, Uses::asked);
        let sent_as = hooked.frames(head.framing);
        let run = record.hooks.as_deref();
        let wanted = rewrite::Wanted {
            method: run.and_then(|run| run.method.as_deref()),
            framing: (sent_as != head.framing).then_some(sent_as),
            path: match (run.and_then(|run| run.path.as_deref()), &rewritten) {
                (Some(path), _) => Some(path),
                (None, Some(Some(path))) => Some(path),
                _ => (*self.path != *head.path).then_some(&*self.path),
            },
            authority: rewrite
                .and_then(|rewrite| rewrite.host.as_deref())
                .or_else(|| target.and_then(|changes| changes.host.as_deref())),
            fields: fields.as_ref(),
            request_id: self.id.as_ref(),
            speaks,
            scheme: if cluster.tls.is_some() {
                "https"
            } else {
                "http"
            },
            timeout: timeout.filter(|_| facts.grpc),
            grpc_web: grpc_web.is_some(),
        };
        let copies = self.copies(route, &wanted);
        let heads = rewrite::heads(self.conn, self.current, head, wanted)
            .map_err(|e| self.refuse(e.kind()))?;
        Ok(Plan {
            speaks,
            heads,
            framing: head.framing,
            hooked,
            body_limit: self.body_limit,
            timeout,
            copies,
            effort: route.effort.clone(),
            repeatable: route.effort.is_some() && is_repeatable(head),
            grpc_web,
            facts: *facts,
            cluster: chosen.cluster,
            aim: chosen.aim,
            _pools: self.pools,
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
        let target = chosen.share.and_then(|share| share.changes.as_ref());
        if route.changes.is_none() && target.is_none() && record.hooks.is_none() {
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
        if let Some(run) = &record.hooks {
            hooks::edit(&run.edits, &mut fields);
        }
        (!fields.is_empty()).then_some(fields)
    }
}

/// Whether a client says that asking twice is as good as asking once, by the method or by a key that
/// lets the application know the request again.
fn is_repeatable(head: &RequestHead<'_, '_>) -> bool {
    let mut keys = values(head.fields, "idempotency-key");
    is_idempotent(head.method) || keys.next().is_some_and(|key| !key.is_empty())
}

/// What goes to the upstream, and whether as gRPC. gRPC needs HTTP/2: a cluster that can't speak it
/// gets gRPC-Web as it is.
pub(super) fn spoken(cluster: &Cluster, facts: Facts) -> (Speaks, Option<grpc_web::Call>) {
    if let Some(call) = facts.grpc_web {
        let speaks = Speaks::of(cluster, Version::Http2);
        if speaks != Speaks::Http1 {
            return (speaks, Some(call));
        }
    }
    (Speaks::of(cluster, facts.version), None)
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
