//! The course of a request: what was tried, and whether it is tried again.

use std::rc::Rc;
use std::time::Duration;

use super::exchange::Exchange;
use super::mirror;
use super::replay::Replay;
use crate::balance::Random;
use crate::error::{Error, ErrorKind};
use crate::policy::retry::{Answered, Outcome, Seen};
use crate::policy::retry_budget::Spent;
use crate::pool::Tried;
use crate::protocol::grpc;
use crate::protocol::head::values;
use crate::protocol::http1::ResponseHead;
use crate::proxy::budget;
use crate::proxy::http::record::GaveUp;
use crate::proxy::worker::Worker;
use crate::route::Effort;

/// How often a request is sent again without its route's word, because its connection took no more
/// or refused it. Each time is proved harmless; more would only say that the endpoint refuses
/// everything.
const RESENDS_MAX: u32 = 2;

/// One request's course.
pub(crate) struct Course<'a, 's> {
    exchange: &'a Exchange<'a>,
    worker: &'a Rc<Worker>,
    /// The client's body.
    pub(crate) body: Replay<'a, 's>,
    /// Endpoints that were tried.
    pub(crate) tried: Tried,
    /// A pooled connection will do: none has failed.
    pub(crate) reuse: bool,
    resends: u32,
    retries: u32,
    /// The attempt that follows has it.
    spent: Option<Spent>,
}

impl<'a, 's> Course<'a, 's> {
    /// At its beginning.
    pub(crate) fn new(
        exchange: &'a Exchange<'a>,
        worker: &'a Rc<Worker>,
        body: Replay<'a, 's>,
    ) -> Self {
        Self {
            exchange,
            worker,
            body,
            tried: exchange.untried(),
            reuse: true,
            resends: 0,
            retries: 0,
            spent: None,
        }
    }

    /// Sends the copies of the request as soon as all of it is there.
    pub(crate) fn mirror(&self) {
        let Some(copies) = &self.exchange.plan.copies else {
            return;
        };
        if self.body.is_too_long() {
            mirror::give_up(&copies.take());
        } else if self.body.has_ended() {
            let copies = copies.take();
            if !copies.is_empty()
                && let Some(body) = self.body.copied()
            {
                mirror::send(self.worker, copies, &body);
            }
        }
    }

    fn effort(&self) -> Option<&'a Effort> {
        self.exchange.plan.effort.as_deref()
    }

    /// Looks at an answer before the client has anything of it. How long to wait where it is to be
    /// dropped for another attempt.
    pub(crate) fn judge(&mut self, head: &ResponseHead<'_, '_>) -> Option<Duration> {
        let effort = self.effort()?;
        let status = values(head.fields, "grpc-status").next();
        let status = status.filter(|_| self.exchange.plan.facts.grpc);
        let answered = Answered {
            status: head.status,
            grpc_status: status.and_then(grpc::parse_status),
            rate_limited: values(head.fields, "x-envoy-ratelimited").next().is_some(),
            marked: effort.marks(head.fields),
        };
        let wait = self.again(Outcome::Answered(answered), false);
        if wait.is_none() && self.retries > 0 && !self.wants(Outcome::Answered(answered), false) {
            let stats = &self.exchange.plan.cluster.stats;
            stats.retry_success_total.increment();
        }
        wait
    }

    /// Looks at an attempt that failed; `unseen` where nothing of it can have reached anybody. How
    /// long to wait before another.
    pub(crate) fn after(&mut self, error: &Error, unseen: bool) -> Option<Duration> {
        let outcome = match error.kind {
            ErrorKind::UpstreamConnect
            | ErrorKind::UpstreamConnectTimeout
            | ErrorKind::UpstreamTls => Outcome::Unconnected,
            ErrorKind::UpstreamReset | ErrorKind::UpstreamProtocol => Outcome::Reset,
            ErrorKind::PerTryTimeout => Outcome::TimedOut,
            _ => return None,
        };
        if self.exchange.activity.started.get() {
            return None;
        }
        self.reuse &= outcome == Outcome::TimedOut;
        let again = self.again(outcome, unseen);
        if again.is_some() && !unseen {
            self.exchange.record.borrow_mut().attempt_failed(error.kind);
        }
        again
    }

    fn wants(&self, outcome: Outcome, unseen: bool) -> bool {
        let seen = Seen {
            unseen,
            repeatable: self.exchange.plan.repeatable,
        };
        let effort = self.effort();
        effort.is_some_and(|effort| effort.policy.wants(outcome, seen))
    }

    fn again(&mut self, outcome: Outcome, unseen: bool) -> Option<Duration> {
        let harmless = unseen && outcome == Outcome::Reset && self.resends < RESENDS_MAX;
        if !harmless && !self.wants(outcome, unseen) {
            return None;
        }
        let stats = &self.exchange.plan.cluster.stats;
        if !self.body.can_begin_again() {
            if self.body.is_too_long() {
                stats.retry_body_too_large_total.increment();
            }
            return None;
        }
        if harmless {
            self.resends += 1;
            stats.resends_total.increment();
            self.forget_tried();
            return Some(Duration::ZERO);
        }
        let wait = self.next_wait()?;
        self.spent = None;
        let Some(spent) = budget::spend(self.worker, &self.exchange.plan.cluster) else {
            self.exchange.record.borrow_mut().given_up(GaveUp::Overflow);
            return None;
        };
        self.spent = Some(spent);
        self.retries += 1;
        stats.retries_total.increment();
        self.forget_tried();
        Some(wait)
    }

    /// The wait before the next retry; none where there are no more, or no time for one.
    fn next_wait(&self) -> Option<Duration> {
        let effort = self.effort()?;
        if self.retries >= effort.attempts {
            if effort.attempts > 0 {
                let stats = &self.exchange.plan.cluster.stats;
                stats.retry_limit_exceeded_total.increment();
                self.exchange
                    .record
                    .borrow_mut()
                    .given_up(GaveUp::Exhausted);
            }
            return None;
        }
        let random = self.worker.with_random(Random::next_u64);
        let wait = effort.policy.wait(self.retries + 1, random);
        let left = self.exchange.activity.time_left();
        left.is_none_or(|left| wait < left).then_some(wait)
    }

    /// Another attempt may go where one has failed, unless the route wants others first.
    fn forget_tried(&mut self) {
        if !self.effort().is_some_and(|effort| effort.other_hosts) {
            self.tried = self.exchange.untried();
        }
    }
}
