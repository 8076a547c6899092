//! One question of one endpoint, asked for as long as both stand in the configuration.

use std::rc::Rc;
use std::time::Duration;

use super::Around;
use super::line::Line;
use super::subject::{Subject, Target};
use crate::policy::health_check::{Rhythm, Thresholds, Verdict};
use crate::runtime::clock;
use crate::wire::HealthCheck;

/// A timeout that is noticed later than this share of itself, one in so many, proves nothing: this
/// thread was busy, or the machine asleep, and the answer may have been there.
const LATE_SHARE: u32 = 4;

/// Why an endpoint failed a check, in words.
pub(super) type Failure = String;

/// Asks question `index` until its task is aborted.
pub(super) async fn run(subject: Rc<Subject>, around: Rc<Around>, index: usize) {
    let mut verdict = Verdict::default();
    let mut line = Line::default();
    let first = rhythm_of(&subject.target(), index).map(|rhythm| rhythm.first_us(around.draw()));
    sleep(first.unwrap_or_default()).await;
    loop {
        let target = subject.target();
        let Some(check) = target.cluster.wire.health_checks.get(index) else {
            return;
        };
        if let Some(result) = judged(&around, &target, check, &mut line).await {
            subject.stats.attempts_total.increment();
            if result.is_err() {
                subject.stats.failures_total.increment();
            }
            verdict.note(result.is_ok(), thresholds(check));
            if subject.note(index, verdict.fails()) {
                announce(&around, &target, result);
            }
        }
        sleep(rhythm(check).next_us(verdict.fails(), around.draw())).await;
    }
}

/// The result of one check; `None` where nothing can be said.
async fn judged(
    around: &Around,
    target: &Target,
    check: &HealthCheck,
    line: &mut Line,
) -> Option<Result<(), Failure>> {
    let _permit = around.permits.acquire().await.ok()?;
    let timeout = Duration::from_millis(check.timeout_ms);
    let deadline = clock::now() + timeout;
    let asked = line.ask(around, target, check);
    let answered = tokio::time::timeout_at(deadline.into(), asked).await;
    if answered.is_err() || !check.reuse_connection {
        line.close();
    }
    if let Ok(result) = answered {
        return Some(result);
    }
    let late = clock::now().saturating_duration_since(deadline);
    (late <= timeout / LATE_SHARE).then(|| Err(format!("no answer within {timeout:?}")))
}

fn announce(around: &Around, target: &Target, result: Result<(), Failure>) {
    let (cluster, endpoint) = (&target.cluster.name, &target.endpoint.text);
    match result {
        Ok(()) => {
            let line = format!("endpoint {endpoint} of cluster {cluster:?} is healthy again");
            (around.tell)("info", line);
        }
        Err(why) => {
            let line = format!(
                "endpoint {endpoint} of cluster {cluster:?} fails its health check: {why}; \
                 requests go elsewhere until it passes"
            );
            (around.tell)("warning", line);
        }
    }
}

fn rhythm_of(target: &Target, index: usize) -> Option<Rhythm> {
    target.cluster.wire.health_checks.get(index).map(rhythm)
}

fn rhythm(check: &HealthCheck) -> Rhythm {
    let failing = check.unhealthy_interval_ms.unwrap_or(check.interval_ms);
    Rhythm {
        interval_us: check.interval_ms.saturating_mul(1_000),
        failing_interval_us: failing.saturating_mul(1_000),
        jitter_percent: check.jitter,
    }
}

fn thresholds(check: &HealthCheck) -> Thresholds {
    Thresholds {
        unhealthy: check.unhealthy_threshold,
        healthy: check.healthy_threshold,
    }
}

async fn sleep(us: u64) {
    tokio::time::sleep(Duration::from_micros(us)).await;
}
