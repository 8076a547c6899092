//! A limit of a route, and who counts for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{ClusterSlot, Noted};
use crate::policy::rate_limit::{Rate, RateLimit};
use crate::wire::Problems;
use crate::wire::route::{self, OnError};

/// The longest that a request may wait for a service; more would be no limit but an outage.
const TIMEOUT_MAX_MS: u64 = 10_000;

/// A limit of a route.
#[derive(Debug)]
pub struct RouteLimit {
    /// What it is, and what this proxy lets pass.
    pub limit: RateLimit,
    /// Who counts for several proxies.
    pub service: Option<LimitService>,
}

/// Who counts for several proxies.
#[derive(Debug)]
pub struct LimitService {
    /// Stands in metrics; workers find their connection by it.
    pub name: Arc<str>,
    /// Where it is.
    pub cluster: ClusterSlot,
    /// The longest that a request waits for it.
    pub timeout: Duration,
    /// What becomes of a request that it doesn't answer for.
    pub on_error: OnError,
    /// What it is asked.
    pub question: Question,
}

/// What a service is asked.
#[derive(Debug)]
pub enum Question {
    /// A Redis, for requests of a bucket.
    Redis {
        /// What the bucket's key begins with.
        key: Box<str>,
        /// How it is filled.
        rate: Rate,
        /// Who we are there.
        login: Option<Arc<Login>>,
    },
    /// A rate limit service.
    Grpc {
        /// Whose rules it goes by.
        domain: Box<str>,
    },
}

/// Who we are at a Redis.
#[derive(Debug)]
pub struct Login {
    /// Left out where it knows no users.
    pub username: Option<Box<str>>,
    /// The file of the password.
    pub password_file: PathBuf,
}

type Resolve<'r> = &'r mut dyn FnMut(&str) -> Option<ClusterSlot>;

impl RouteLimit {
    /// Compiles the limits of the route at `at`.
    pub(super) fn compile_all(
        wire: &[route::RateLimit],
        at: &str,
        resolve: Resolve<'_>,
        problems: &mut Problems,
    ) -> Result<Box<[Arc<Self>]>, Noted> {
        let at = format!("{at}.rate_limits");
        let mut services = Vec::with_capacity(wire.len());
        for (index, limit) in wire.iter().enumerate() {
            services.push(service(limit, &format!("{at}[{index}]"), resolve, problems));
        }
        let limits = RateLimit::compile_all(wire, &at, problems).ok_or(Noted)?;
        let pairs = limits.into_iter().zip(services);
        let compiled = pairs.map(|(limit, service)| {
            let service = service?;
            Ok(Arc::new(Self { limit, service }))
        });
        compiled.collect()
    }

    /// Goes on with what the limit of this name in `before` has counted.
    pub(super) fn inherit(&mut self, before: &[Arc<Self>]) {
        let mut known = before.iter().map(|old| &old.limit);
        if let Some(old) = known.find(|old| old.name == self.limit.name) {
            self.limit.inherit(old);
        }
    }
}

fn service(
    limit: &route::RateLimit,
    at: &str,
    resolve: Resolve<'_>,
    problems: &mut Problems,
) -> Result<Option<LimitService>, Noted> {
    let Some(service) = &limit.service else {
        if limit.local.is_none() {
            let message = "the limit has neither a rate of this proxy nor a service";
            let hint = "write local: {requests: 100}, or service: <name>";
            problems.add("rate_missing", at, message, hint);
            return Err(Noted);
        }
        return Ok(None);
    };
    let question = question(limit, service, at, problems);
    if service.on_error == OnError::Local && limit.local.is_none() {
        let message = format!(
            "`{}` falls back on the local rate, and there is none",
            service.name
        );
        let hint = "write local: {requests: 100}";
        problems.add("rate_missing", format!("{at}.local"), message, hint);
    }
    if !(1..=TIMEOUT_MAX_MS).contains(&service.timeout_ms) {
        let message = format!(
            "{} ms are no time to wait for an answer",
            service.timeout_ms
        );
        let hint = "write 1ms to 10s";
        problems.add(
            "timeout_invalid",
            format!("{at}.service.timeout"),
            message,
            hint,
        );
    }
    let name = service.cluster().unwrap_or_default();
    let cluster = resolve(name);
    if cluster.is_none() {
        let message = format!("there is no cluster `{name}`");
        let hint = "name a cluster of the configuration";
        problems.add("cluster_unknown", format!("{at}.service"), message, hint);
    }
    if !problems.is_empty() {
        return Err(Noted);
    }
    Ok(Some(LimitService {
        name: service.name.as_str().into(),
        cluster: cluster.ok_or(Noted)?,
        timeout: Duration::from_millis(service.timeout_ms),
        on_error: service.on_error,
        question: question?,
    }))
}

fn question(
    limit: &route::RateLimit,
    service: &route::RateLimitService,
    at: &str,
    problems: &mut Problems,
) -> Result<Question, Noted> {
    match (&service.redis, &service.grpc, &limit.shared) {
        (Some(redis), None, Some(rate)) => {
            let rate = Rate::compile(rate, &format!("{at}.shared"), problems).ok_or(Noted)?;
            let key = format!("{}{}:", redis.key_prefix, limit.name).into();
            let file = redis.password_file.as_ref();
            let login = file.map(|file| {
                Arc::new(Login {
                    username: redis.username.as_deref().map(Box::from),
                    password_file: file.into(),
                })
            });
            Ok(Question::Redis { key, rate, login })
        }
        (None, Some(grpc), None) => Ok(Question::Grpc {
            domain: grpc.domain.as_str().into(),
        }),
        (Some(_), None, None) => {
            let message = format!("`{}` keeps buckets and has to know the rate", service.name);
            let hint = "write shared: {requests: 100}";
            problems.add("rate_missing", format!("{at}.shared"), message, hint);
            Err(Noted)
        }
        (None, Some(_), Some(_)) => {
            let message = format!("`{}` has rates of its own", service.name);
            let hint = "leave shared out";
            problems.add("rate_unused", format!("{at}.shared"), message, hint);
            Err(Noted)
        }
        _ => {
            let message = format!("`{}` is neither a Redis nor a gRPC service", service.name);
            let hint = "write redis: {cluster: <name>} or grpc: {cluster: <name>}";
            problems.add("one_of", format!("{at}.service"), message, hint);
            Err(Noted)
        }
    }
}
