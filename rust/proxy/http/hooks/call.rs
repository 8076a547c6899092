//! One call of a filter, and what is made of its verdict.

use super::names::Answer;
use super::run::Run;
use super::seen::Seen;
use crate::abi::{Fault, Instance, Phase, Verdict};
use crate::error::ErrorKind;
use crate::policy::hook::{self, FieldEdit, Use};
use crate::protocol::edits::FieldEdits;
use crate::proxy::connection::Downstream;
use crate::proxy::http::reply::Reply;
use crate::proxy::worker::Worker;
use crate::telemetry::HookStats;

/// What a hook came to.
#[derive(Debug)]
pub(super) enum Came {
    /// The request goes on.
    On,
    /// It is answered.
    Answer(Reply),
    /// The filter says later: its code.
    Later(tokio::sync::oneshot::Receiver<i32>),
    /// It failed.
    Failed,
}

/// Calls a filter.
pub(super) fn call(worker: &Worker, instance: &Instance, seen: &mut Seen<'_>) -> Came {
    let verdict = instance.call(seen.phase, seen);
    match verdict {
        Verdict::Continue if seen.answer.is_none() => Came::On,
        // It has answered and says that it hasn't.
        Verdict::Continue => fault(worker, seen, Fault::Code(0)),
        Verdict::Status(status) => Came::Answer(Reply::hook(status, &[], Vec::new())),
        Verdict::Answered => match seen.answer.take() {
            Some(Answer {
                status,
                fields,
                body,
            }) => Came::Answer(Reply::hook(status, &fields, body)),
            None => fault(worker, seen, Fault::NoAnswer),
        },
        Verdict::Paused(later) if seen.phase == Phase::Request => Came::Later(later),
        Verdict::Paused(_) => fault(worker, seen, Fault::PauseRefused),
        Verdict::Fault(what) => fault(worker, seen, what),
    }
}

/// It has broken the contract; what it prepared meanwhile isn't the next one's.
#[cold]
fn fault(worker: &Worker, seen: &mut Seen<'_>, what: Fault) -> Came {
    seen.answer = None;
    let phase = seen.phase.as_str();
    let text = match what {
        Fault::Code(code) => format!("returned {code}, which means nothing"),
        Fault::NoAnswer => "says that it has answered, and gave no answer".to_owned(),
        Fault::NoPause => "says that it pauses, and didn't ask for that".to_owned(),
        Fault::PauseRefused => "pauses where nothing can wait".to_owned(),
    };
    let line = format!("hook {}: its filter {text} ({phase})", seen.hook.name);
    worker.say("error", line);
    Came::Failed
}

/// What becomes of a request whose hook failed in this way: none where it goes on.
pub(super) fn failed(stats: &HookStats, one: &Use, kind: ErrorKind) -> Option<Reply> {
    if one.allow {
        stats.allowed_on_error_total.increment();
        return None;
    }
    stats.denied_on_error_total.increment();
    Some(kind.into())
}

/// Takes over what a function decided; what it answers is given back.
pub(super) fn take_over(
    run: &mut Run,
    stats: &HookStats,
    decision: &hook::Decision,
    phase: Phase,
) -> Option<Reply> {
    match &decision.verdict {
        hook::Verdict::Answer { status, body } => {
            stats.answered_total.increment();
            return Some(Reply::hook(*status, &decision.edits, body.clone()));
        }
        hook::Verdict::RouteTo(cluster) => {
            stats.rerouted_total.increment();
            run.cluster = Some(cluster.clone());
        }
        hook::Verdict::Continue => stats.continued_total.increment(),
    }
    let edits = if phase == Phase::Response {
        &mut run.answer_edits
    } else {
        &mut run.edits
    };
    edits.extend(decision.edits.iter().cloned());
    None
}

/// Makes changes of hooks, in their order.
pub(in crate::proxy::http) fn edit(edits: &[FieldEdit], fields: &mut FieldEdits) {
    for edit in edits {
        match edit {
            FieldEdit::Set(name, value) => fields.set(name, value.clone()),
            FieldEdit::Add(name, value) => fields.add(name, value.clone()),
            FieldEdit::Remove(name) => fields.remove(name),
        }
    }
}

/// Calls a filter about a connection; none where it failed.
pub(in crate::proxy) fn about_connection(
    conn: &Downstream,
    one: &Use,
    instance: &Instance,
) -> Option<bool> {
    let mut run = None;
    let current = conn.listener.current();
    let mut seen = Seen::new(Phase::Connection, &one.hook, &mut run);
    seen.conn = Some(conn);
    seen.names.listener = &current.listener.name;
    match call(conn.worker(), instance, &mut seen) {
        Came::On => Some(true),
        Came::Answer(_) => Some(false),
        Came::Later(_) | Came::Failed => {
            let stats = &conn.worker().hooks.of(conn.worker(), &one.hook).stats;
            stats.failures_total.increment();
            None
        }
    }
}
