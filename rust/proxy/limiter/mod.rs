//! Services that count requests for several proxies, as one worker sees them: who is asked what,
//! and when nobody answers.

mod link;
mod redis;
mod rls;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::worker::Worker;
use crate::error::ErrorKind;
use crate::policy::rate_limit::Verdict;
use crate::pool::ClusterRun;
use crate::route::{LimitService, Question, RouteLimit};
use crate::runtime::clock;
use crate::telemetry::LimitServiceStats;

/// A service that nobody asked for so long is let go, with its connection.
const IDLE_MAX: Duration = Duration::from_mins(1);

/// The services of a worker.
#[derive(Debug, Default)]
pub struct Services(RefCell<HashMap<Arc<str>, Rc<ServiceRun>>>);

/// A service as one worker sees it.
#[derive(Debug)]
struct ServiceRun {
    stats: Arc<LimitServiceStats>,
    redis: redis::Buckets,
    used: Cell<Instant>,
}

/// What a limit of a request's route has to ask.
#[derive(Debug)]
pub struct Ask {
    /// The limit.
    pub limit: Arc<RouteLimit>,
    /// What has a bucket of its own.
    pub subject: Vec<u8>,
    /// Where the service is; none where that is no cluster any more.
    pub cluster: Option<Rc<ClusterRun>>,
}

/// What was decided on a request.
#[derive(Debug, Default)]
pub struct Decided {
    /// It is refused.
    pub refused: bool,
    /// What is known of the limit.
    pub told: Option<Verdict>,
    /// Fields that the answer gets.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// What a refusal says.
    pub body: Vec<u8>,
}

impl Services {
    fn get(&self, worker: &Worker, name: &Arc<str>) -> Rc<ServiceRun> {
        let mut known = self.0.borrow_mut();
        let fresh = || {
            Rc::new(ServiceRun {
                stats: worker.registry.limit_service(worker.index, name),
                redis: redis::Buckets::default(),
                used: Cell::new(clock::now()),
            })
        };
        let run = known.entry(Arc::clone(name)).or_insert_with(fresh);
        run.used.set(clock::now());
        Rc::clone(run)
    }

    /// Lets go of those that nobody asks any more.
    pub fn sweep(&self, now: Instant) {
        self.0.borrow_mut().retain(|_, run| {
            let used = now.saturating_duration_since(run.used.get()) < IDLE_MAX;
            if !used {
                run.redis.leave();
            }
            used
        });
    }
}

/// Decides on a request that has waited since `since`; `None` where nobody did in time.
pub async fn decide(worker: &Rc<Worker>, ask: &Ask, since: Instant) -> Option<Decided> {
    let service = ask.limit.service.as_ref()?;
    let run = worker.limiters.get(worker, &service.name);
    let deadline = since + service.timeout;
    let asked = question(worker, &run, ask, service);
    let answer = tokio::time::timeout_at(deadline.into(), asked).await;
    let stats = &run.stats;
    match answer {
        Ok(Ok(decided)) => {
            let counter = if decided.refused {
                &stats.refused_total
            } else {
                &stats.passed_total
            };
            counter.increment();
            Some(decided)
        }
        Ok(Err(_)) => {
            stats.errors_total.increment();
            None
        }
        Err(_) => {
            stats.timeouts_total.increment();
            None
        }
    }
}

/// Counts what becomes of a request that nobody decided on.
pub fn fell_back(worker: &Worker, service: &LimitService) {
    use crate::wire::route::OnError;
    let run = worker.limiters.get(worker, &service.name);
    let counter = match service.on_error {
        OnError::Open => &run.stats.fallback_open_total,
        OnError::Closed => &run.stats.fallback_closed_total,
        OnError::Local => &run.stats.fallback_local_total,
    };
    counter.increment();
}

async fn question(
    worker: &Rc<Worker>,
    run: &Rc<ServiceRun>,
    ask: &Ask,
    service: &LimitService,
) -> Result<Decided, ErrorKind> {
    let cluster = ask.cluster.as_ref().ok_or(ErrorKind::NoEndpoint)?;
    match &service.question {
        Question::Redis { key, rate, login } => {
            let key = crate::remote::redis::bucket::key(key, &ask.subject);
            let server = link::Server {
                cluster,
                patience: service.timeout,
                login: login.as_ref(),
            };
            redis::take(worker, run, server, (key, rate)).await
        }
        Question::Grpc { domain } => {
            run.stats.questions_total.increment();
            rls::ask(worker, cluster, (domain, service.timeout), ask).await
        }
    }
}
