//! Hooks about a request that has ended.

use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

use super::question;
use super::run::{Data, Run, Uses};
use super::seen::Seen;
use crate::abi::Phase;
use crate::policy::hook::{Hook, Kind};
use crate::proxy::connection::Downstream;
use crate::proxy::http::record::Record;
use crate::remote::desk::Question;
use crate::runtime::clock;

/// Tells the hooks that want to know that a request has ended. Nobody waits for what they say.
pub(in crate::proxy::http) fn about_end(conn: &Downstream, record: &mut Record) {
    let wants = |uses: Uses<'_>| uses.phases.has(Phase::Log);
    if !record.uses(&record.current).is_some_and(wants) {
        return;
    }
    let current = Rc::clone(&record.current);
    let mut run = record.hooks.take();
    let Some(uses) = record.uses(&current) else {
        return;
    };
    let worker = conn.worker();
    for (_, one) in uses.in_phase(Phase::Log) {
        let stats = &worker.hooks.of(worker, &one.hook).stats;
        stats.calls_total.increment();
        match &one.hook.kind {
            Kind::Native(instance) => {
                let mut seen = Seen {
                    conn: Some(conn),
                    names: record.names(),
                    status: record.status,
                    ..Seen::new(Phase::Log, &one.hook, &mut run)
                };
                let _ = instance.call(Phase::Log, &mut seen);
            }
            Kind::Python(_) => {
                let question = Question {
                    hook: Arc::clone(&one.hook),
                    phase: Phase::Log,
                    deadline: clock::now() + one.hook.timeout,
                    facts: Box::new(question::facts_later(conn, record, run.as_deref())),
                    status: record.status,
                    headers: Vec::new(),
                    body: None,
                    metadata: run
                        .as_ref()
                        .map_or_else(Vec::new, |run| run.metadata.pairs().to_vec()),
                };
                if worker.desk.ask(question).is_err() {
                    stats.overflow_total.increment();
                }
            }
        }
    }
    if let Some(run) = &mut run {
        run.data = Data::default();
    }
}

impl Drop for Run {
    /// A request that ends without being logged, because its worker does, leaves nothing behind:
    /// filters that keep something with it are told its end here.
    fn drop(&mut self) {
        for (hook, data) in self.data.take() {
            tell(&hook, data);
        }
    }
}

fn tell(hook: &Arc<Hook>, data: *mut c_void) {
    let Kind::Native(instance) = &hook.kind else {
        return;
    };
    if !instance.phases().has(Phase::Log) {
        return;
    }
    let mut run = Some(Box::new(Run::default()));
    if let Some(run) = &mut run {
        run.data.set(hook, data);
    }
    let _ = instance.call(Phase::Log, &mut Seen::new(Phase::Log, hook, &mut run));
    // It has been told.
    if let Some(run) = &mut run {
        run.data = Data::default();
    }
}
