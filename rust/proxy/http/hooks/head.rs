//! Hooks about a request's head: each in its turn, until one answers or has to be waited for.

use std::rc::Rc;
use std::time::Instant;

use super::call::{Came, call, failed, take_over};
use super::names::Names;
use super::question;
use super::run::{Run, Uses};
use super::seen::Seen;
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

    /// Notes what functions are told when the head is gone.
    pub(in crate::proxy::http) fn note_facts(&self, route: &'a Route, record: &mut Record) {
        if record.sees_more() && self.uses(route).is_some_and(Uses::asks_later) {
            let facts = Box::new(question::facts(self, route));
            record.hooks.get_or_insert_default().facts = Some(facts);
        }
    }

    /// Goes on as it began, after it waited. Apart, since most requests don't wait.
    #[cold]
    pub(in crate::proxy::http) fn resume(&mut self, record: &mut Record) {
        let run = record.hooks.as_ref();
        if let Some((pools, id)) = run.and_then(|run| run.began.as_ref()) {
            self.pools = Rc::clone(pools);
            self.id = *id;
        }
        if let (Some(log), Some(id)) = (&mut record.log, &self.id) {
            log.request_id = id.as_bytes().to_vec();
        }
    }

    /// Asks the hooks about the head.
    pub(in crate::proxy::http) fn hook(
        &self,
        route: &'a Route,
        record: &mut Record,
    ) -> Result<(), Stop> {
        match self.uses(route) {
            Some(uses) => self.hook_all(uses, route, record),
            None => Ok(()),
        }
    }

    /// Apart, since most requests don't come here.
    #[inline(never)]
    fn hook_all(&self, uses: Uses<'a>, route: &'a Route, record: &mut Record) -> Result<(), Stop> {
        let mut at = record.hooks.as_ref().map_or(0, |run| run.at);
        let Some(first) = uses.get(at) else {
            return Ok(());
        };
        let mut seen = self.seen(Phase::Request, first, (route, ""), &mut record.hooks);
        while let Some(one) = uses.get(at) {
            if one.hook.phases().has(Phase::Request) {
                let came = self.ask_hook(one, route, &mut seen);
                came.map_err(|reply| self.refuse(reply))?;
            }
            if let Some(run) = seen.run.as_mut().filter(|run| run.wait.is_some()) {
                // It counts what it waited for itself.
                run.at = at;
                // What it began with is what it ends with: slots of its routes are this view's.
                run.began
                    .get_or_insert_with(|| (Rc::clone(&self.pools), self.id));
                record.held.get_or_insert_default();
                return Err(Stop::Parked(self.facts, self.head.framing));
            }
            at += 1;
        }
        if let Some(run) = seen.run {
            run.at = at;
        }
        Ok(())
    }

    /// What filters see of its head. It is made once for all of them.
    fn seen<'s>(
        &'s self,
        phase: Phase,
        first: &'s Use,
        (route, cluster): (&'s Route, &'s str),
        run: &'s mut Option<Box<Run>>,
    ) -> Seen<'s> {
        Seen {
            conn: Some(self.conn),
            request: Some(self),
            fields: self.head.fields,
            hidden: self.hidden(),
            names: Names {
                listener: &self.current.listener.name,
                route: &route.name,
                cluster,
                endpoint: "",
            },
            ..Seen::new(phase, &first.hook, run)
        }
    }

    fn ask_hook<'s>(
        &'s self,
        one: &'s Use,
        route: &Route,
        seen: &mut Seen<'s>,
    ) -> Result<(), Reply> {
        let worker = self.conn.worker();
        let seat = worker.hooks.of(worker, &one.hook);
        seat.stats.calls_total.increment();
        match &one.hook.kind {
            Kind::Native(instance) => self.call_filter((one, instance), &seat, seen),
            Kind::Python(python) => {
                let run = seen.run.get_or_insert_default();
                self.ask_python((one, python), route, &seat, run)
            }
        }
    }

    /// Calls a filter in a phase of the head.
    fn call_filter<'s>(
        &'s self,
        (one, instance): (&'s Use, &Instance),
        seat: &Seat,
        seen: &mut Seen<'s>,
    ) -> Result<(), Reply> {
        let stats = &seat.stats;
        let rerouted = |seen: &Seen<'_>| seen.run.as_ref().is_some_and(|it| it.cluster.is_some());
        let before = rerouted(seen);
        seen.hook = &one.hook;
        match call(self.conn.worker(), instance, seen) {
            Came::On if !before && rerouted(seen) => stats.rerouted_total.increment(),
            Came::On => stats.continued_total.increment(),
            Came::Answer(reply) => {
                stats.answered_total.increment();
                return Err(reply);
            }
            Came::Later(later) => {
                let deadline = clock::now() + one.hook.timeout;
                let pause = Pause { later, deadline };
                let wait = Wait::of_filter(one.clone(), pause);
                seen.run.get_or_insert_default().wait = Some(Box::new(wait));
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
            let found = seat.remembered(cache, (&text, now), epoch);
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

    /// Whether filters want to know the cluster before an endpoint of it is picked.
    pub(in crate::proxy::http) fn hooks_upstream(&self, route: &'a Route) -> bool {
        self.uses(route)
            .is_some_and(|uses| uses.phases.has(Phase::Upstream))
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
        let worker = self.conn.worker();
        let run = &mut record.hooks;
        for (_, one) in uses.in_phase(Phase::Upstream) {
            if let Kind::Native(instance) = &one.hook.kind {
                let seat = worker.hooks.of(worker, &one.hook);
                let mut seen = self.seen(Phase::Upstream, one, (route, cluster), run);
                let called = self.call_filter((one, instance), &seat, &mut seen);
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
