//! What hooks say of a connection that was accepted.

use std::sync::Arc;

use super::facts::facts_of;
use crate::abi::Phase;
use crate::policy::hook::{Kind, Use, Verdict};
use crate::proxy::connection::Downstream;
use crate::proxy::http::call_about_connection;
use crate::remote::desk::{Question, Reply};
use crate::runtime::clock;

/// Whether the hooks of its listener let the connection be served. All of them are asked.
pub async fn admits(conn: &Downstream) -> bool {
    let current = conn.listener.current();
    let Some(hooks) = &current.listener.hooks else {
        return true;
    };
    for one in &hooks.uses {
        if one.hook.phases().has(Phase::Connection) && !passes(conn, one).await {
            return false;
        }
    }
    true
}

/// A verdict other than to go on ends the connection: there is nobody to answer yet.
async fn passes(conn: &Downstream, one: &Use) -> bool {
    let worker = conn.worker();
    let stats = &worker.hooks.of(worker, &one.hook).stats;
    stats.calls_total.increment();
    let decided = match &one.hook.kind {
        Kind::Native(instance) => call_about_connection(conn, one, instance),
        Kind::Python(_) => asked(conn, one).await,
    };
    match decided {
        Some(true) => stats.continued_total.increment(),
        Some(false) => stats.answered_total.increment(),
        None if one.allow => {
            stats.allowed_on_error_total.increment();
            return true;
        }
        None => stats.denied_on_error_total.increment(),
    }
    decided == Some(true)
}

/// What a function says; none where it doesn't.
async fn asked(conn: &Downstream, one: &Use) -> Option<bool> {
    let worker = conn.worker();
    let stats = &worker.hooks.of(worker, &one.hook).stats;
    let deadline = clock::now() + one.hook.timeout;
    let question = Question {
        hook: Arc::clone(&one.hook),
        phase: Phase::Connection,
        deadline,
        facts: Box::new(facts_of(conn)),
        status: 0,
        headers: Vec::new(),
        body: None,
        metadata: Vec::new(),
    };
    let Ok(asked) = worker.desk.ask(question) else {
        stats.overflow_total.increment();
        return None;
    };
    match tokio::time::timeout_at(deadline.into(), asked).await {
        Ok(Reply::Decided(decision, _)) => Some(decision.verdict == Verdict::Continue),
        Ok(Reply::Failed(_)) => {
            stats.failures_total.increment();
            None
        }
        Err(_) => {
            stats.timeouts_total.increment();
            None
        }
    }
}
