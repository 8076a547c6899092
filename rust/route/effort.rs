//! What a route does for an answer beyond asking one endpoint once.

use std::sync::Arc;
use std::time::Duration;

use super::Noted;
use super::condition::TextMatch;
use super::rules::Rules;
use crate::policy::retry::RetryPolicy;
use crate::protocol::head::{Field, values};
use crate::wire::Problems;
use crate::wire::route;

/// Retries of one request; more would be a loop.
const ATTEMPTS_MAX: u32 = 100;

/// Body bytes kept for another attempt: what a request may cost while it lasts.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// What is done beyond asking once.
#[derive(Debug)]
pub struct Effort {
    /// What is tried again.
    pub policy: RetryPolicy,
    /// How often, beside the first attempt.
    pub attempts: u32,
    /// How long one may take until it is answered.
    pub per_try_timeout: Option<Duration>,
    /// Endpoints that the request hasn't tried come first.
    pub other_hosts: bool,
    /// Body bytes that are kept.
    pub body_bytes: usize,
    marks: Box<[(Box<str>, TextMatch)]>,
}

impl Effort {
    /// Compiles what the route at `at` does; none where it asks once.
    pub(super) fn compile(
        route: &route::Route,
        at: &str,
        rules: &mut Rules<'_>,
    ) -> Result<Option<Arc<Self>>, Noted> {
        let Some(retries) = &route.retries else {
            return Ok(None);
        };
        let at = format!("{at}.retries");
        let headers = format!("{at}.retriable_headers");
        let marks = rules.fields(&retries.retriable_headers, &headers);
        check(retries, &at, rules.problems)?;
        let timeout = retries.per_try_timeout_ms;
        Ok(Some(Arc::new(Self {
            policy: RetryPolicy::new(retries),
            attempts: retries.attempts,
            per_try_timeout: (timeout > 0).then(|| Duration::from_millis(timeout)),
            other_hosts: retries.other_hosts,
            body_bytes: usize::try_from(retries.body_bytes).unwrap_or(usize::MAX),
            marks: marks.ok_or(Noted)?,
        })))
    }

    /// Whether an answer has one of the fields that call for another.
    pub fn marks(&self, fields: &[Field<'_>]) -> bool {
        let mut marks = self.marks.iter();
        marks.any(|(name, condition)| condition.holds(values(fields, name)))
    }
}

fn check(retries: &route::Retries, at: &str, problems: &mut Problems) -> Result<(), Noted> {
    let mut sound = Ok(());
    let mut add = |code, key: &str, message: String, hint| {
        problems.add(code, format!("{at}.{key}"), message, hint);
        sound = Err(Noted);
    };
    if retries.attempts > ATTEMPTS_MAX {
        let message = format!("{} retries of one request are a loop", retries.attempts);
        add("attempts_invalid", "attempts", message, "write 100 at most");
    }
    if retries.body_bytes > BODY_BYTES_MAX {
        let message = format!("{} bytes are too many to keep", retries.body_bytes);
        let hint = "write 64MiB at most: each request may keep so much";
        add("body_bytes_invalid", "body_bytes", message, hint);
    }
    for (index, status) in retries.retriable_status_codes.iter().enumerate() {
        if !(200..600).contains(status) {
            let key = format!("retriable_status_codes[{index}]");
            let message = format!("{status} is no status of an answer");
            add("status_invalid", &key, message, "write 200 to 599");
        }
    }
    if retries.back_off.base_ms == 0 {
        let message = "retries without a wait come back all at once".to_owned();
        add(
            "back_off_invalid",
            "back_off.base",
            message,
            "for example 25ms",
        );
    }
    sound
}
