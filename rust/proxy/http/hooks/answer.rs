//! Hooks about an upstream's head.

use std::rc::Rc;
use std::sync::Arc;

use super::call::{Came, call, failed};
use super::question;
use super::run::{Run, Uses};
use super::seen::Seen;
use super::settle::Wait;
use crate::abi::Phase;
use crate::error::ErrorKind;
use crate::policy::hook::{Kind, Use};
use crate::protocol::head::FieldSet;
use crate::protocol::http1::ResponseHead;
use crate::proxy::connection::Downstream;
use crate::proxy::http::record::Record;
use crate::proxy::http::reply::Reply;
use crate::remote::desk::Question;
use crate::runtime::clock;

/// What hooks came to about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy::http) enum Answered {
    /// It goes on to the client.
    On,
    /// The client gets another one, which stands in [`Run::instead`].
    Instead,
    /// A function has to be asked first.
    Waits,
}

/// Asks the hooks about an upstream's head, from where they were left.
pub(in crate::proxy::http) fn about_answer(
    conn: &Downstream,
    record: &mut Record,
    head: &ResponseHead<'_, '_>,
) -> Answered {
    let current = Rc::clone(&record.current);
    let mut run = record.hooks.take();
    let came = record.uses(&current).map_or(Answered::On, |uses| {
        ask_all(conn, (record, uses), head, &mut run)
    });
    record.hooks = run;
    came
}

fn ask_all(
    conn: &Downstream,
    (record, uses): (&Record, Uses<'_>),
    head: &ResponseHead<'_, '_>,
    run: &mut Option<Box<Run>>,
) -> Answered {
    let mut at = run.as_ref().map_or(0, |run| run.answer_at);
    while let Some(one) = uses.get(at) {
        if one.hook.phases().has(Phase::Response)
            && let Err(reply) = ask(conn, (record, one), head, run)
        {
            run.get_or_insert_default().instead = Some(reply);
            return Answered::Instead;
        }
        if let Some(run) = run.as_mut().filter(|run| run.wait.is_some()) {
            run.answer_at = at;
            return Answered::Waits;
        }
        at += 1;
    }
    Answered::On
}

fn ask(
    conn: &Downstream,
    (record, one): (&Record, &Use),
    head: &ResponseHead<'_, '_>,
    run: &mut Option<Box<Run>>,
) -> Result<(), Reply> {
    let worker = conn.worker();
    let stats = &worker.hooks.of(worker, &one.hook).stats;
    stats.calls_total.increment();
    let instance = match &one.hook.kind {
        Kind::Native(instance) => instance,
        Kind::Python(python) => {
            let question = Question {
                hook: Arc::clone(&one.hook),
                phase: Phase::Response,
                deadline: clock::now() + one.hook.timeout,
                facts: Box::new(question::facts_later(conn, record, run.as_deref())),
                status: head.status,
                headers: question::wanted(python, head.fields, FieldSet::EMPTY),
                body: None,
                metadata: run
                    .as_ref()
                    .map_or_else(Vec::new, |run| run.metadata.pairs().to_vec()),
            };
            let wait = Wait::of_function(one.clone(), question, (None, 0));
            run.get_or_insert_default().wait = Some(Box::new(wait));
            return Ok(());
        }
    };
    let mut seen = Seen {
        conn: Some(conn),
        fields: head.fields,
        names: record.names(),
        status: head.status,
        ..Seen::new(Phase::Response, &one.hook, run)
    };
    match call(worker, instance, &mut seen) {
        Came::On => {
            stats.continued_total.increment();
            Ok(())
        }
        Came::Answer(reply) => {
            stats.answered_total.increment();
            Err(reply)
        }
        Came::Later(_) | Came::Failed => {
            stats.failures_total.increment();
            failed(stats, one, ErrorKind::HookFailed).map_or(Ok(()), Err)
        }
    }
}
