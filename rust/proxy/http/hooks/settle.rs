//! Waiting for a hook that says later what becomes of a request.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::call::{failed, take_over};
use super::run::Run;
use crate::abi::Phase;
use crate::error::ErrorKind;
use crate::policy::hook::{Decision, Kind, Use};
use crate::proxy::hooks::{Asker, Seat, Turn};
use crate::proxy::http::reply::Reply;
use crate::proxy::worker::Worker;
use crate::remote::desk::{Failure, Question, Reply as Answer};
use crate::runtime::clock;

/// What a verdict is remembered under, and which loading of functions it is of.
pub(super) type Key = (Box<[u8]>, u64);

/// A hook that a request waits for.
#[derive(Debug)]
pub(super) struct Wait {
    one: Use,
    what: What,
}

#[derive(Debug)]
enum What {
    /// A filter that paused.
    Filter(Pause),
    /// A function that is to be asked.
    Function {
        question: Question,
        key: Option<Key>,
        /// Bytes of the request's body that it is told; 0 is none of it.
        wants_body: usize,
    },
}

/// A pause of a filter.
#[derive(Debug)]
pub(super) struct Pause {
    pub(super) later: oneshot::Receiver<i32>,
    pub(super) deadline: Instant,
}

impl What {
    fn phase(&self) -> Phase {
        match self {
            Self::Filter(_) => Phase::Request,
            Self::Function { question, .. } => question.phase,
        }
    }
}

impl Wait {
    pub(super) fn of_filter(one: Use, pause: Pause) -> Self {
        let what = What::Filter(pause);
        Self { one, what }
    }

    pub(super) fn of_function(
        one: Use,
        question: Question,
        (key, wants_body): (Option<Key>, usize),
    ) -> Self {
        let what = What::Function {
            question,
            key,
            wants_body,
        };
        Self { one, what }
    }

    pub(super) fn wants_body(&self) -> usize {
        match self.what {
            What::Function { wants_body, .. } => wants_body,
            What::Filter(_) => 0,
        }
    }

    /// The time for the answer begins when all of the question is there.
    pub(super) fn give_body(&mut self, body: Vec<u8>) {
        if let What::Function {
            question,
            wants_body,
            ..
        } = &mut self.what
        {
            question.body = Some(body);
            question.deadline = clock::now() + self.one.hook.timeout;
            *wants_body = 0;
        }
    }
}

/// Why there is no verdict.
enum Lack {
    Failed,
    TimedOut,
    Full,
    Gone,
}

/// Waits for the hook that holds a request back.
///
/// # Errors
/// What the request is answered.
pub(in crate::proxy::http) async fn settle(worker: &Worker, run: &mut Run) -> Result<(), Reply> {
    let Some(wait) = run.wait.take() else {
        return Ok(());
    };
    let Wait { one, what } = *wait;
    let phase = what.phase();
    let seat = worker.hooks.of(worker, &one.hook);
    let came = match what {
        What::Filter(pause) => paused(pause, &seat).await,
        What::Function { question, key, .. } => asked(worker, (question, key), &seat, run).await,
    };
    run.passed(phase);
    let lack = match came {
        Ok(None) => return Ok(()),
        Ok(Some(reply)) => return Err(reply),
        Err(lack) => lack,
    };
    let stats = &seat.stats;
    let (counter, kind) = match lack {
        Lack::Failed => (&stats.failures_total, ErrorKind::HookFailed),
        Lack::TimedOut => (&stats.timeouts_total, ErrorKind::HookUnavailable),
        Lack::Full => (&stats.overflow_total, ErrorKind::HookUnavailable),
        Lack::Gone => (&stats.failures_total, ErrorKind::HookUnavailable),
    };
    counter.increment();
    failed(stats, &one, kind).map_or(Ok(()), Err)
}

/// The body is longer than the hook that a request waits for may see.
///
/// # Errors
/// What the request is answered.
pub(in crate::proxy::http) fn too_long(worker: &Worker, run: &mut Run) -> Result<(), Reply> {
    let Some(wait) = run.wait.take() else {
        return Ok(());
    };
    run.passed(Phase::Request);
    let stats = &worker.hooks.of(worker, &wait.one.hook).stats;
    stats.failures_total.increment();
    failed(stats, &wait.one, ErrorKind::BodyTooLarge).map_or(Ok(()), Err)
}

async fn paused(pause: Pause, seat: &Seat) -> Result<Option<Reply>, Lack> {
    match timeout_at(pause.deadline.into(), pause.later).await {
        Ok(Ok(0)) => {
            seat.stats.continued_total.increment();
            Ok(None)
        }
        Ok(Ok(code)) => {
            let status = u16::try_from(code).ok();
            let status = status.filter(|status| (400..=599).contains(status));
            let status = status.ok_or(Lack::Failed)?;
            seat.stats.answered_total.increment();
            Ok(Some(Reply::hook(status, &[], Vec::new())))
        }
        Ok(Err(_)) => Err(Lack::Failed),
        Err(_) => Err(Lack::TimedOut),
    }
}

async fn asked(
    worker: &Worker,
    (question, key): (Question, Option<Key>),
    seat: &Seat,
    run: &mut Run,
) -> Result<Option<Reply>, Lack> {
    let (hook, deadline, phase) = (question.hook.clone(), question.deadline, question.phase);
    let turn = match &key {
        Some((key, _)) => share(worker, (key, &question), seat).await?,
        None => Shared::Asks(None),
    };
    let asker = match turn {
        Shared::Knows(decision) => return Ok(take_over(run, &seat.stats, &decision, phase)),
        Shared::Asks(asker) => asker,
    };
    let asked = worker.desk.ask(question).map_err(|_| Lack::Full)?;
    let answer = timeout_at(deadline.into(), asked).await;
    // Dropped at the end of this, when the answer is remembered.
    asker.iter().for_each(Asker::answered);
    match answer.map_err(|_| Lack::TimedOut)? {
        Answer::Decided(decision, keep) => {
            if let (Some((key, epoch)), Kind::Python(python)) = (key.filter(|_| keep), &hook.kind)
                && let Some(cache) = &python.cache
            {
                seat.remember(cache, key, &decision, (clock::now(), epoch));
            }
            Ok(take_over(run, &seat.stats, &decision, phase))
        }
        Answer::Failed(Failure::Raised | Failure::Nonsense) => Err(Lack::Failed),
        Answer::Failed(Failure::Timeout) => Err(Lack::TimedOut),
        Answer::Failed(Failure::Gone) => Err(Lack::Gone),
    }
}

/// What became of a question that others may have asked just now.
enum Shared<'s> {
    /// They have an answer.
    Knows(Arc<Decision>),
    /// It has to be asked; what comes after it waits meanwhile.
    Asks(Option<Asker<'s>>),
}

/// Waits for an equal question under way, so that however many come at once, one is asked. If its
/// answer isn't remembered, each asks for itself.
async fn share<'s>(
    worker: &Worker,
    (key, question): (&[u8], &Question),
    seat: &'s Seat,
) -> Result<Shared<'s>, Lack> {
    let answered = async {
        loop {
            match seat.turn(key) {
                Turn::Ours(asker) => break Some(asker),
                Turn::Theirs(ending) if ending.wait().await => break None,
                Turn::Theirs(_) => {}
            }
        }
    };
    let asker = timeout_at(question.deadline.into(), answered).await;
    let asker = asker.map_err(|_| Lack::TimedOut)?;
    if let (None, Kind::Python(python)) = (&asker, &question.hook.kind)
        && let Some(cache) = &python.cache
        && let Some(decision) = seat.remembered(cache, (key, clock::now()), worker.desk.epoch())
    {
        seat.stats.cache_hits_total.increment();
        return Ok(Shared::Knows(decision));
    }
    Ok(Shared::Asks(asker))
}
