//! Taking from a bucket in a Redis, for as many requests at once as come.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use super::link::{Link, Server};
use super::{Decided, ServiceRun};
use crate::error::ErrorKind;
use crate::policy::rate_limit::{Answer, Lease, Rate, Step, Verdict};
use crate::proxy::worker::Worker;
use crate::remote::redis::bucket::{self, Take};
use crate::runtime::clock;

/// Buckets of a service that a worker knows something of. Who brings more keys at once has each
/// request ask for itself.
const KNOWN_MAX: usize = 4_096;

/// A Redis, and what the worker knows of its buckets.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    link: Rc<Link>,
    known: RefCell<HashMap<Box<[u8]>, Rc<Bucket>>>,
}

#[derive(Debug, Default)]
struct Bucket {
    lease: RefCell<Lease>,
    answers: Notify,
}

impl Buckets {
    /// No more is asked.
    pub(super) fn leave(&self) {
        self.link.leave();
    }

    fn get(&self, key: &[u8]) -> Rc<Bucket> {
        let mut known = self.known.borrow_mut();
        if let Some(bucket) = known.get(key) {
            return Rc::clone(bucket);
        }
        let fresh = Rc::new(Bucket::default());
        if known.len() >= KNOWN_MAX {
            let now = nanos();
            known.retain(|_, bucket| !bucket.lease.borrow().is_idle(now));
        }
        if known.len() < KNOWN_MAX {
            known.insert(key.into(), Rc::clone(&fresh));
        }
        fresh
    }
}

/// A question under way; dropping it without an answer lets the next one ask.
struct Asking<'a> {
    bucket: &'a Bucket,
    answered: Cell<bool>,
}

impl<'a> Asking<'a> {
    fn begin(bucket: &'a Bucket) -> Self {
        bucket.lease.borrow_mut().asked();
        Self {
            bucket,
            answered: Cell::new(false),
        }
    }

    fn answered(&self, answer: Answer, per: u64) -> Step {
        self.answered.set(true);
        let mut lease = self.bucket.lease.borrow_mut();
        lease.answered(answer, nanos(), per)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.answered.get() {
            self.bucket.lease.borrow_mut().unanswered();
        }
        self.bucket.answers.notify_waiters();
    }
}

/// Takes one request from the bucket `key`.
pub(super) async fn take(
    worker: &Rc<Worker>,
    run: &Rc<ServiceRun>,
    server: Server<'_>,
    (key, rate): (Vec<u8>, &Rate),
) -> Result<Decided, ErrorKind> {
    let bucket = run.redis.get(&key);
    bucket.lease.borrow_mut().arrive(nanos(), rate.per);
    loop {
        let step = bucket.lease.borrow_mut().step(nanos());
        let step = match step {
            Step::Waits => {
                bucket.answers.notified().await;
                continue;
            }
            Step::Asks(wanted) => {
                let asking = Asking::begin(&bucket);
                run.stats.questions_total.increment();
                let link = run.redis.link.obtain(worker, server);
                let key = &key[..];
                let answer = ask(link, Take { key, rate, wanted }).await?;
                asking.answered(answer, rate.per)
            }
            Step::Passes { .. } | Step::Refused { .. } => step,
        };
        if let Some(decided) = decided(step, rate) {
            return Ok(decided);
        }
    }
}

async fn ask(
    link: impl Future<Output = Result<Rc<crate::remote::redis::Connection>, ErrorKind>>,
    take: Take<'_>,
) -> Result<Answer, ErrorKind> {
    let connection = link.await?;
    let lost = ErrorKind::UpstreamReset;
    let send = |whole| connection.send(|out| take.write(out, whole));
    let mut reply = send(false).map_err(|_| lost)?.await.map_err(|_| lost)?;
    if bucket::is_unknown(&reply) {
        reply = send(true).map_err(|_| lost)?.await.map_err(|_| lost)?;
    }
    bucket::answer(&reply).map_err(|_| ErrorKind::UpstreamProtocol)
}

fn decided(step: Step, rate: &Rate) -> Option<Decided> {
    let (wait, remaining, reset) = match step {
        Step::Passes { remaining, reset } => (None, remaining, reset),
        Step::Refused { wait, reset } => (Some(Duration::from_nanos(wait)), 0, reset),
        Step::Asks(_) | Step::Waits => return None,
    };
    let verdict = Verdict {
        wait,
        limit: rate.requests,
        remaining,
        reset: Duration::from_nanos(reset),
    };
    Some(Decided {
        refused: wait.is_some(),
        told: Some(verdict),
        ..Decided::default()
    })
}

fn nanos() -> u64 {
    clock::nanos(clock::now())
}
