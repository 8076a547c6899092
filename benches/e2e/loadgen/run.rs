//! The loops: connections that ask, wait for the answer, and ask again.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::chunks;
use crate::http::{Exchange, Template};
use crate::http2::{self, Ask};
use crate::options::{Mode, Options};
use crate::pace::{Budget, Schedule, Watchdog, now};
use crate::stream::{Dialer, Stream};
use crate::tally::{Failure, Kind, Tally};
use crate::tcp;

/// A refused connection isn't tried again sooner, so that a proxy that is away isn't hammered.
const REFUSED_PAUSE: Duration = Duration::from_millis(10);

/// What all connections of a run share.
pub(crate) struct Job {
    pub(crate) options: Options,
    pub(crate) dialer: Dialer,
    pub(crate) tally: RefCell<Tally>,
    template: Template,
    budget: Budget,
    measure_from: Instant,
}

impl Job {
    pub(crate) fn new(options: Options, dialer: Dialer, start: Instant) -> Result<Self, String> {
        let measure_from = start + options.warmup;
        let forever = options.requests.is_some();
        let day = Duration::from_hours(24);
        Ok(Self {
            template: Template::new(&options)?,
            budget: Budget {
                left: options.requests.unwrap_or(u64::MAX).into(),
                start,
                end: measure_from + if forever { day } else { options.duration },
            },
            tally: RefCell::new(Tally::new()),
            measure_from,
            dialer,
            options,
        })
    }

    /// Runs every connection to its end; the time that was measured.
    pub(crate) async fn run(self: &Rc<Self>) -> Result<Duration, String> {
        let tasks = LocalSet::new();
        let http2 = matches!(self.options.mode, Mode::Http2 | Mode::Chunks);
        let ask = http2
            .then(|| Ask::new(&self.options))
            .transpose()?
            .map(Rc::new);
        for index in 0..self.options.connections {
            let job = Rc::clone(self);
            match (self.options.mode, ask.clone()) {
                (Mode::Http2, Some(ask)) => tasks.spawn_local(http2::connection(job, ask)),
                (Mode::Chunks, Some(ask)) => tasks.spawn_local(chunks::connection(job, ask)),
                _ => tasks.spawn_local(connection(job, index)),
            };
        }
        tasks.await;
        Ok(now().saturating_duration_since(self.measure_from))
    }

    /// The instant at which the next request of a closed loop begins; none when all are out.
    pub(crate) fn next(&self) -> Option<Instant> {
        let begun = now();
        (begun < self.budget.end && self.budget.take()).then_some(begun)
    }

    /// Gives back a turn of [`Self::next`] whose request was not sent.
    pub(crate) fn unsent(&self) {
        self.budget.put_back();
    }

    /// Whether another request may begin.
    pub(crate) fn has_more(&self) -> bool {
        now() < self.budget.end && self.budget.left.get() > 0
    }

    pub(crate) fn measured_from(&self) -> Instant {
        self.measure_from
    }

    /// Counts a chunk of so many bytes that came so late.
    pub(crate) fn late_by(&self, lateness: Duration, bytes: u64) {
        self.tally.borrow_mut().answered(lateness, bytes);
    }

    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    pub(crate) fn end(&self) -> Instant {
        self.budget.end
    }

    pub(crate) fn record(&self, begun: Instant, result: Result<u64, Failure>) {
        match result {
            Err(failure) => self.tally.borrow_mut().failed(&failure),
            Ok(_) if begun < self.measure_from => {}
            Ok(bytes) => {
                let latency = now().saturating_duration_since(begun);
                self.tally.borrow_mut().answered(latency, bytes);
            }
        }
    }
}

/// One connection's tools, and the connection while it lives.
struct Caller {
    job: Rc<Job>,
    stream: Option<Stream>,
    used: bool,
    exchange: Exchange,
    watchdog: Watchdog,
}

async fn connection(job: Rc<Job>, index: usize) {
    let mut caller = Caller {
        exchange: Exchange::new(&job.template, &job.options, index),
        watchdog: Watchdog::new(job.options.timeout),
        stream: None,
        used: false,
        job: Rc::clone(&job),
    };
    let connections = job.options.connections;
    let schedule = job
        .options
        .rate
        .map(|rate| Schedule::new(rate, index, connections, job.budget.start))
        .transpose();
    match schedule {
        Err(error) => job.record(now(), Err(Failure::new(Kind::Unsent, error))),
        Ok(None) => caller.closed_loop().await,
        Ok(Some(schedule)) => caller.open_loop(schedule).await,
    }
    if let Some(stream) = caller.stream.take() {
        stream.close().await;
    }
}

impl Caller {
    async fn closed_loop(&mut self) {
        loop {
            // A kept connection is opened before the clock starts; a fresh one is part of its request.
            let ready = if self.job.options.fresh {
                Ok(())
            } else {
                self.ready(now()).await
            };
            let Some(begun) = self.job.next() else {
                return;
            };
            let result = match ready {
                Ok(()) => self.one(begun).await,
                Err(failure) => Err(failure),
            };
            let refused = matches!(&result, Err(failure) if failure.kind == Kind::Connect);
            self.job.record(begun, result);
            if refused {
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }

    async fn open_loop(&mut self, mut schedule: Schedule) {
        let last_chance = self.job.budget.end + self.job.options.timeout;
        loop {
            let intended = match schedule.wait().await {
                Ok(intended) if intended < self.job.budget.end && self.job.budget.take() => {
                    intended
                }
                Ok(_) => return,
                Err(error) => {
                    return self
                        .job
                        .record(now(), Err(Failure::new(Kind::Unsent, error)));
                }
            };
            let result = if now() > last_chance {
                Err(Failure::new(Kind::Unsent, "its turn never came"))
            } else {
                self.one(intended).await
            };
            self.job.record(intended, result);
        }
    }

    /// One request, with its connection where there is none.
    async fn one(&mut self, begun: Instant) -> Result<u64, Failure> {
        self.ready(begun).await?;
        let Some(mut stream) = self.stream.take() else {
            return Err(Failure::new(Kind::Connect, "no connection"));
        };
        let job = Rc::clone(&self.job);
        // An open loop may be late; the time-out counts from the sending.
        let sent = if job.options.rate.is_some() {
            now()
        } else {
            begun
        };
        let used = std::mem::replace(&mut self.used, true);
        let exchange = &mut self.exchange;
        let result = match job.options.mode {
            Mode::Tcp => {
                self.watchdog
                    .guard(sent, tcp::pull(exchange, &mut stream, job.options.size))
                    .await
            }
            _ => {
                self.watchdog
                    .guard(sent, exchange.run(&job.template, &mut stream))
                    .await
            }
        };
        let answer = match result {
            None => return Err(Failure::new(Kind::Timeout, "no whole answer in time")),
            Some(Err(failure)) if failure.kind == Kind::Stale && !used => {
                return Err(Failure::new(Kind::Eof, failure.detail));
            }
            Some(result) => result?,
        };
        if let Some(range) = answer.backend
            && begun >= job.measure_from
        {
            job.tally
                .borrow_mut()
                .answered_by(self.exchange.named(range));
        }
        if answer.reusable && !job.options.fresh {
            self.stream = Some(stream);
        } else {
            stream.close().await;
        }
        Ok(answer.bytes)
    }

    async fn ready(&mut self, begun: Instant) -> Result<(), Failure> {
        if self.stream.is_some() {
            return Ok(());
        }
        let begun = if self.job.options.rate.is_some() {
            now()
        } else {
            begun
        };
        let late = || Failure::new(Kind::Connect, "not connected in time");
        let stream = self
            .watchdog
            .guard(begun, self.job.dialer.dial())
            .await
            .ok_or_else(late)??;
        self.stream = Some(stream);
        self.used = false;
        self.job.tally.borrow_mut().opened += 1;
        Ok(())
    }
}
