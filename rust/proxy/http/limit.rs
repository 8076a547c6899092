//! Limits of a route: each request takes from their buckets, and answers tell what is left.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admit::Refusal;
use super::record::Record;
use super::reply::{Reply, whole_seconds};
use super::request::Request;
use crate::error::ErrorKind;
use crate::policy::rate_limit::{Key, Verdict};
use crate::proxy::limiter::{self, Ask, Decided};
use crate::proxy::worker::Worker;
use crate::route::{HeaderEdit, LimitService, Route, RouteLimit};
use crate::runtime::clock;
use crate::wire::route::OnError;

impl Request<'_> {
    /// Refuses what is too much. The limits of this proxy are asked in their order: what a later one
    /// refuses, the earlier ones have counted. Whom else to ask is noted.
    pub(super) fn limit(&self, route: &Route, record: &mut Record) -> Result<(), Refusal> {
        if route.limits.is_empty() {
            return Ok(());
        }
        let now = clock::nanos(clock::now());
        let mut told = None;
        for limit in &route.limits {
            if let Some(service) = &limit.service {
                let ask = self.ask(limit, service);
                record.held.get_or_insert_default().asks.push(ask);
                continue;
            }
            let verdict = limit.limit.decide(self.subject(limit), now);
            judge(limit, verdict, &mut told, record).map_err(|reply| self.refuse(reply))?;
        }
        match &mut record.held {
            // Others may have less left.
            Some(held) if !held.asks.is_empty() => held.told = told,
            _ => tell(told, record),
        }
        Ok(())
    }

    fn ask(&self, limit: &Arc<RouteLimit>, service: &LimitService) -> Ask {
        Ask {
            limit: Arc::clone(limit),
            subject: self.subject(limit).to_vec(),
            cluster: self
                .conn
                .worker()
                .cluster(&self.pools, service.cluster)
                .cloned(),
        }
    }

    /// Requests that lack what the key names share a bucket.
    fn subject(&self, limit: &RouteLimit) -> &[u8] {
        let view = self.view();
        match limit.limit.key() {
            Key::Route => b"",
            Key::SourceAddress => self.conn.peer_ip().as_bytes(),
            Key::Identity => view.identity.unwrap_or_default().as_bytes(),
            Key::Header(name) => view.value(name).unwrap_or_default(),
        }
    }
}

/// Goes by a verdict: what is refused is answered, what passes remembers the least that is left.
fn judge(
    limit: &RouteLimit,
    verdict: Option<Verdict>,
    told: &mut Option<Verdict>,
    record: &mut Record,
) -> Result<(), Reply> {
    let Some(verdict) = verdict else {
        return Ok(());
    };
    let tells = limit.limit.response_headers;
    if let Some(wait) = verdict.wait {
        record.limited();
        tell(tells.then_some(verdict), record);
        return Err(Reply::limited(limit.limit.status, wait));
    }
    if tells && told.is_none_or(|told| verdict.remaining < told.remaining) {
        *told = Some(verdict);
    }
    Ok(())
}

/// Asks those who count for several proxies, all within the time that began at `since`.
pub(super) async fn ask(
    worker: &Rc<Worker>,
    record: &mut Record,
    since: Instant,
) -> Result<(), Reply> {
    let Some(held) = &mut record.held else {
        return Ok(());
    };
    let (asks, mut told) = (std::mem::take(&mut held.asks), held.told);
    for ask in &asks {
        match limiter::decide(worker, ask, since).await {
            Some(decided) => go_by(ask, decided, &mut told, record)?,
            None => fall_back(worker, ask, &mut told, record)?,
        }
    }
    tell(told, record);
    Ok(())
}

fn go_by(
    ask: &Ask,
    decided: Decided,
    told: &mut Option<Verdict>,
    record: &mut Record,
) -> Result<(), Reply> {
    if !decided.fields.is_empty() {
        let fields = decided.fields.iter().filter_map(|(name, value)| {
            let name = std::str::from_utf8(name).ok()?;
            Some(HeaderEdit::add(name, value))
        });
        record.answering.get_or_insert_default().set(fields);
    }
    let refused = decided.refused;
    let judged = judge(&ask.limit, decided.told, told, record);
    match judged {
        Err(reply) => Err(reply.saying(decided.body)),
        Ok(()) if refused => {
            record.limited();
            Err(Reply::limited(ask.limit.limit.status, Duration::ZERO).saying(decided.body))
        }
        Ok(()) => Ok(()),
    }
}

/// Nobody has decided.
fn fall_back(
    worker: &Worker,
    ask: &Ask,
    told: &mut Option<Verdict>,
    record: &mut Record,
) -> Result<(), Reply> {
    let Some(service) = &ask.limit.service else {
        return Ok(());
    };
    limiter::fell_back(worker, service);
    match service.on_error {
        OnError::Open => Ok(()),
        OnError::Closed => Err(ErrorKind::RateLimitUnavailable.into()),
        OnError::Local => {
            let now = clock::nanos(clock::now());
            let verdict = ask.limit.limit.decide(&ask.subject, now);
            judge(&ask.limit, verdict, told, record)
        }
    }
}

/// Notes what the answer tells, whoever gives it.
fn tell(verdict: Option<Verdict>, record: &mut Record) {
    let Some(verdict) = verdict else {
        return;
    };
    let fields = [
        ("x-ratelimit-limit", u64::from(verdict.limit)),
        ("x-ratelimit-remaining", verdict.remaining),
        ("x-ratelimit-reset", whole_seconds(verdict.reset)),
    ];
    let field = |(name, number)| {
        let mut digits = itoa::Buffer::new();
        HeaderEdit::set(name, digits.format::<u64>(number).as_bytes())
    };
    let answering = record.answering.get_or_insert_default();
    answering.set(fields.into_iter().map(field));
}
