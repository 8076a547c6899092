//! What is counted and logged of one request.

mod flags;
mod held;
mod hooked;
mod log;
mod outcome;
mod place;
mod quoted;
mod wish;

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::connection::Downstream;
use super::super::listener::Current;
use super::edits::Answering;
use super::hooks::{self, Run};
use crate::error::{Blame, ErrorKind};
use crate::policy::gradient::Place;
use crate::pool::{ClusterRun, EndpointRun, Probes};
use crate::protocol::edits::FieldEdits;
use crate::protocol::head::Field;
use crate::route::Route;
use crate::runtime::clock;
use crate::telemetry::RouteStats;
use crate::wire::listener::HalfClose;

pub(super) use flags::GaveUp;
pub(super) use held::Held;
pub(super) use quoted::LogFields;

/// Stands for no route, in less room than an option; tables are shorter.
const NO_ROUTE: u32 = u32::MAX;

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// An endpoint.
    Upstream,
    /// The same, of a gRPC call whose status is still to come.
    Call,
    /// The route.
    Route,
    /// What the route says of CORS.
    Preflight,
    /// A hook.
    Hook,
}

impl Source {
    /// In the words of Envoy's logs.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Upstream | Self::Call => "via_upstream",
            Self::Route => "direct_response",
            Self::Preflight => "cors_response",
            Self::Hook => "hook_answered",
        }
    }
}

/// One request, from its head to its end.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) current: Rc<Current>,
    pub(super) begun: Instant,
    pub(super) status: u16,
    pub(super) error: Option<ErrorKind>,
    /// Where the answer comes from, unless it tells of an error.
    pub(super) source: Source,
    pub(super) received: u64,
    pub(super) sent: u64,
    /// When the response's head came.
    pub(super) answered: Option<Instant>,
    /// What a gRPC call ended with.
    pub(super) grpc_status: Option<u32>,
    pub(super) log: Option<Box<LogFields>>,
    /// What the answer's fields get; most routes change none.
    pub(super) answering: Option<Box<Answering>>,
    /// What it waits for first; most requests wait for nothing.
    pub(super) held: Option<Box<Held>>,
    /// What hooks have come to; most requests have none.
    pub(super) hooks: Option<Box<Run>>,
    /// Hooks want to see more of it than its head.
    hooked: bool,
    /// Why no further attempt was made.
    gave_up: Option<GaveUp>,
    /// Counts it under its cluster's learned limit until it is answered.
    pub(super) place: Option<Box<Place>>,
    route: Option<Arc<RouteStats>>,
    /// `NO_ROUTE` before one was found.
    route_index: u32,
    cluster: Option<Rc<ClusterRun>>,
    endpoint: Option<Rc<EndpointRun>>,
    /// The circuits that the attempt decides about.
    probes: Option<Rc<Probes>>,
}

impl Record {
    pub(super) fn new(conn: &Downstream, current: Rc<Current>, begun: Instant) -> Self {
        conn.listener.stats.requests_total.increment();
        conn.listener.stats.requests_active.add(1);
        Self {
            hooks: None,
            hooked: hooks::see_more(current.listener.hooks.as_deref()),
            current,
            begun,
            status: 0,
            error: None,
            source: Source::Upstream,
            received: 0,
            sent: 0,
            answered: None,
            grpc_status: None,
            log: None,
            answering: None,
            held: None,
            gave_up: None,
            place: None,
            route: None,
            route_index: NO_ROUTE,
            cluster: None,
            endpoint: None,
            probes: None,
        }
    }

    pub(super) fn routed(&mut self, conn: &Downstream, route: &Route) {
        let worker = conn.worker();
        let registry = (&*worker.registry, worker.index);
        self.route = self
            .current
            .route(route.index, &route.name, registry)
            .cloned();
        self.route_index = route.index;
        self.hooked |= hooks::see_more(route.hooks.as_deref());
        if let Some(stats) = &self.route {
            stats.requests_total.increment();
        }
    }

    /// Counts what a limit of its route refuses.
    pub(super) fn limited(&self) {
        if let Some(stats) = &self.route {
            stats.rate_limited_total.increment();
        }
    }

    pub(super) fn chose_cluster(&mut self, cluster: &Rc<ClusterRun>) {
        cluster.stats.requests_total.increment();
        cluster.stats.requests_active.add(1);
        self.cluster = Some(Rc::clone(cluster));
    }

    /// What the listener takes a client's end for.
    pub(super) fn half_close(&self) -> HalfClose {
        self.current.listener.wire.http.half_close
    }

    /// A failure; the first one is the cause of what follows.
    pub(super) fn fail(&mut self, kind: ErrorKind) {
        if self.error.is_none() {
            self.attempt_failed(kind);
        }
        self.error.get_or_insert(kind);
        if kind.blame() == Blame::Upstream {
            self.leave(true);
        }
    }

    pub(super) fn route_name(&self) -> &str {
        self.taken_route().map_or("", |route| &route.name)
    }

    /// How long the route lets an answer's head take.
    pub(super) fn response_header_timeout(&self) -> Option<Duration> {
        self.taken_route()?.response_header_timeout
    }

    fn taken_route(&self) -> Option<&Route> {
        let table = self.current.listener.routes.as_ref();
        table?.routes().get(self.route_index as usize)
    }

    pub(super) fn cluster_name(&self) -> &str {
        self.cluster.as_ref().map_or("", |run| &run.cluster.name)
    }

    /// Where the answer comes from.
    pub(super) fn details(&self) -> &'static str {
        self.error
            .map_or_else(|| self.source.as_str(), ErrorKind::code)
    }

    /// The endpoint's address.
    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.as_ref().map_or("", |run| &run.endpoint.text)
    }

    /// What the route and its hooks change in an answer with this status and these fields.
    pub(super) fn field_edits(&self, status: u16, fields: &[Field<'_>]) -> Option<FieldEdits> {
        let answering = self.answering.as_ref();
        let made = answering.map(|it| it.of_answer(status, fields, self));
        let Some(run) = self
            .hooks
            .as_ref()
            .filter(|run| !run.answer_edits.is_empty())
        else {
            return made;
        };
        let mut made = made.unwrap_or_default();
        hooks::edit(&run.answer_edits, &mut made);
        Some(made)
    }

    /// Counts and logs the end.
    pub(super) fn finish(&mut self, conn: &Downstream) {
        self.settle_call();
        if self.hooked {
            hooks::about_end(conn, self);
        }
        let now = clock::now();
        let took = clock::micros_between(self.begun, now);
        let listener = &conn.listener.stats;
        listener.requests_active.sub(1);
        listener.responses.record(self.status);
        listener.rx_bytes_total.add(self.received);
        listener.tx_bytes_total.add(self.sent);
        if let Some(kind) = self.error {
            listener.local_replies.record(kind);
        }
        if let Some(route) = &self.route {
            route.responses.record(self.status);
            route.latency.record(took);
        }
        if let Some(run) = &self.cluster {
            self.finish_cluster(conn, run, took, now);
        }
        if self.current.listener.access_log.is_some() {
            self.write_log(conn, took);
        }
    }

    fn finish_cluster(&self, conn: &Downstream, run: &Rc<ClusterRun>, took: u64, now: Instant) {
        // No endpoint is slow for what we held back.
        let took = took.saturating_sub(self.delayed_micros());
        let stats = &run.stats;
        stats.requests_active.sub(1);
        stats.responses.record(self.status);
        stats.latency.record(took);
        if let Some(status) = self.grpc_status {
            stats.grpc.record(status);
        }
        stats.tx_bytes_total.add(self.received);
        stats.rx_bytes_total.add(self.sent);
        if let Some(kind) = self.error {
            stats.local_replies.record(kind);
        }
        let Some(endpoint) = &self.endpoint else {
            return;
        };
        endpoint.stats.latency.record(took);
        let failed = self
            .error
            .is_some_and(|kind| kind.blame() == Blame::Upstream);
        if self.status >= 500 {
            endpoint.stats.responses_5xx_total.increment();
        }
        if run.goes_by_latency() && (self.answered.is_some() || failed) {
            run.observe(endpoint, took, conn.worker().micros(now));
        }
    }
}
