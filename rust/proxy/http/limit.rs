//! Limits of a route: each request takes from their buckets, and answers tell what is left.

use super::admit::Refusal;
use super::record::Record;
use super::reply::{Reply, whole_seconds};
use super::request::Request;
use crate::policy::rate_limit::{Key, RateLimit, Verdict};
use crate::route::{HeaderEdit, Route};
use crate::runtime::clock;

impl Request<'_> {
    /// Refuses what is too much. The limits are asked in their order: what a later one refuses, the
    /// earlier ones have counted.
    pub(super) fn limit(&self, route: &Route, record: &mut Record) -> Result<(), Refusal> {
        if route.limits.is_empty() {
            return Ok(());
        }
        let now = clock::nanos(clock::now());
        let mut told: Option<Verdict> = None;
        for limit in &route.limits {
            let verdict = self.take(limit, now);
            let tells = limit.response_headers;
            if let Some(wait) = verdict.wait {
                record.limited();
                tell(tells.then_some(verdict), record);
                return Err(self.refuse(Reply::limited(limit.status, wait)));
            }
            if tells && told.is_none_or(|told| verdict.remaining < told.remaining) {
                told = Some(verdict);
            }
        }
        tell(told, record);
        Ok(())
    }

    /// Requests that lack what the key names share a bucket.
    fn take(&self, limit: &RateLimit, now: u64) -> Verdict {
        let view = self.view();
        let subject = match limit.key() {
            Key::Route => b"",
            Key::SourceAddress => self.conn.peer_ip().as_bytes(),
            Key::Identity => view.identity.unwrap_or_default().as_bytes(),
            Key::Header(name) => view.value(name).unwrap_or_default(),
        };
        limit.decide(subject, now)
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
