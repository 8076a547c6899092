//! Hooks about a request's head: each in its turn, until one answers or has to be waited for.

use std::time::Instant;

use super::call::{Came, call, failed, take_over};
use super::question;
use super::run::{Run, Uses};
use super::seen::{Names, Seen};
use super::settle::{Key, Pause, Wait};
use crate::abi::{Instance, Phase};
use crate::error::ErrorKind;
use crate::policy::hook::{Kind, Python, Use};
use crate::proxy::hooks::Seat;
use crate::proxy::http::admit::{Refusal, Stop};
use crate::proxy::http::record::Record;
use crate::proxy::http::reply::Reply;
use crate::proxy::http::request::Request;
use crate::route::Route;
use crate::runtime::clock;

impl<'a> Request<'a> {
    /// The hooks of its listener and route.
    pub(in crate::proxy::http) fn uses(&self, route: &'a Route) -> Option<Uses<'a>> {
        Uses::of(&self.current.listener, Some(route))
    }

    /// Asks the hooks about the head.
    pub(in crate::proxy::http) fn hook(
        &self,
        route: &'a Route,
        record: &mut Record,
    ) -> Result<(), Stop> {
        let Some(uses) = self.uses(route) else {
            return Ok(());
        };
        let mut run = record.hooks.take().unwrap_or_default();
        let came = self.ask_all(uses, route, &mut run);
        let waits = run.wait.is_some();
        record.hooks = Some(run);
        if waits {
            record.held.get_or_insert_default();
            return Err(Stop::Parked(self.facts, self.head.framing));
        }
        came.map_err(|reply| self.refuse(reply).into())
    }

    fn ask_all(&self, uses: Uses<'a>, route: &'a Route, run: &mut Run) -> Result<(), Reply> {
        while let Some(one) = uses.get(run.at).filter(|_| run.wait.is_none()) {
            if one.hook.phases().has(Phase::Request) {
                self.ask_hook(one, route, run)?;
            }
            // It counts what it waited for itself.
            run.at += usize::from(run.wait.is_none());
        }
        Ok(())
    }

    fn ask_hook(&self, one: &'a Use, route: &'a Route, run: &mut Run) -> Result<(), Reply> {
        let worker = self.conn.worker();
        let seat = worker.hooks.of(worker, &one.hook);
        seat.stats.calls_total.increment();
        match &one.hook.kind {
            Kind::Native(instance) => {
                self.call_filter(Phase::Request, (one, instance), route, (run, ""))
            }
            Kind::Python(python) => self.ask_python((one, python), route, &seat, run),
        }
    }

    /// Calls a filter in a phase of the head.
    fn call_filter(
        &self,
        phase: Phase,
        (one, instance): (&'a Use, &Instance),
        route: &'a Route,
        (run, cluster): (&mut Run, &str),
    ) -> Result<(), Reply> {
        let (worker, view) = (self.conn.worker(), self.conn.view());
        let stats = &worker.hooks.of(worker, &one.hook).stats;
        let before = run.cluster.is_some();
        let mut seen = Seen {
            conn: Some(self.conn),
            request: Some(self),
            fields: self.head.fields,
            hidden: self.view().hidden,
            names: Names {
                listener: &self.current.listener.name,
                route: &route.name,
                cluster,
                endpoint: "",
            },
            clusters: Some(&view.snapshot),
            ..Seen::new(phase, &one.hook, run)
        };
        match call(worker, instance, &mut seen) {
            Came::On if run.cluster.is_some() && !before => stats.rerouted_total.increment(),
            Came::On => stats.continued_total.increment(),
            Came::Answer(reply) => {
                stats.answered_total.increment();
                return Err(reply);
            }
            Came::Later(later) => {
                let deadline = clock::now() + one.hook.timeout;
                let pause = Pause { later, deadline };
                run.wait = Some(Box::new(Wait::of_filter(one.clone(), pause)));
            }
            Came::Failed => {
                stats.failures_total.increment();
                return failed(stats, one, ErrorKind::HookFailed).map_or(Ok(()), Err);
            }
        }
        Ok(())
    }

    fn ask_python(
        &self,
        (one, python): (&Use, &Python),
        route: &Route,
        seat: &Seat,
        run: &mut Run,
    ) -> Result<(), Reply> {
        let epoch = self.conn.worker().desk.epoch();
        let now = clock::now();
        let mut key = None;
        if let Some(cache) = &python.cache {
            let mut text = self.conn.worker().take_scratch();
            question::key(self, route, &cache.key, &mut text);
            let found = seat.remembered(&one.hook, (&text, now), epoch);
            if let Some(decision) = found {
                self.conn.worker().give_scratch(text);
                seat.stats.cache_hits_total.increment();
                let came = take_over(run, &seat.stats, &decision, Phase::Request);
                return came.map_or(Ok(()), Err);
            }
            key = Some((Box::from(&*text), epoch));
            self.conn.worker().give_scratch(text);
        }
        run.wait = Some(Box::new(self.question(
            (one, python),
            route,
            run,
            (key, now),
        )));
        Ok(())
    }

    fn question(
        &self,
        (one, python): (&Use, &Python),
        route: &Route,
        run: &Run,
        (key, now): (Option<Key>, Instant),
    ) -> Wait {
        let mut asked = question::of_request(self, route, &one.hook, python);
        asked.metadata = run.metadata.pairs().to_vec();
        asked.deadline = now + one.hook.timeout;
        let wants = if self.head.framing.is_empty() {
            asked.body = (python.body_bytes > 0).then(Vec::new);
            0
        } else {
            python.body_bytes
        };
        Wait::of_function(one.clone(), asked, (key, wants))
    }

    /// Asks the filters that want to know the cluster before an endpoint of it is picked. They may name
    /// another.
    pub(in crate::proxy::http) fn hook_upstream(
        &self,
        route: &'a Route,
        cluster: &str,
        record: &mut Record,
    ) -> Result<(), Refusal> {
        let uses = self.uses(route);
        let Some(uses) = uses.filter(|uses| uses.phases.has(Phase::Upstream)) else {
            return Ok(());
        };
        let run = record.hooks.get_or_insert_default();
        for (_, one) in uses.in_phase(Phase::Upstream) {
            if let Kind::Native(instance) = &one.hook.kind {
                let called =
                    self.call_filter(Phase::Upstream, (one, instance), route, (run, cluster));
                called.map_err(|reply| self.refuse(reply))?;
            }
        }
        Ok(())
    }

    /// The id that we gave it, or that it came with.
    pub(super) fn request_id(&self) -> Option<&[u8]> {
        match &self.id {
            Some(id) => Some(id.as_bytes()),
            None => self.head.value(self.head.known.request_id),
        }
    }
}

/// The name under which a hook's cluster was chosen.
pub(in crate::proxy::http) fn chosen(record: &Record) -> Option<&str> {
    record.hooks.as_ref()?.cluster.as_deref()
}
