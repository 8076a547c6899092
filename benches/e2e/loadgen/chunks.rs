//! HTTP/2 answers that go on: many streams, a chunk on each every so often, and how late each chunk is.
//!
//! What is recorded is the time from one chunk of a stream to the next, less the time that the backend
//! leaves between them, so that the histogram's width of a percent is one of the lateness.

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::task::spawn_local;
use tokio::time::timeout_at;

use crate::http2::{Ask, broken, finish, give_back, late, open};
use crate::pace::now;
use crate::run::Job;
use crate::tally::{Failure, Kind};

/// A stream that got fewer of the chunks that were due has been held up or lost some.
const LEAST_SHARE: f64 = 0.9;

/// One connection's streams, read until the time is over and then reset.
pub(crate) async fn connection(job: Rc<Job>, ask: Rc<Ask>) {
    let Some((sender, driver)) = open(&job).await else {
        return;
    };
    let streams: Vec<_> = (0..job.options.streams)
        .map(|_| spawn_local(stream(Rc::clone(&job), Rc::clone(&ask), sender.clone())))
        .collect();
    finish(sender, streams, driver).await;
}

async fn stream(job: Rc<Job>, ask: Rc<Ask>, mut sender: SendRequest<Bytes>) {
    let mut gaps = Gaps::default();
    let reading = read(&job, &ask, &mut sender, &mut gaps);
    match timeout_at(job.end().into(), reading).await {
        Ok(Err(failure)) => job.record(now(), Err(failure)),
        Ok(Ok(())) => job.record(now(), Err(Failure::new(Kind::Eof, "the stream ended"))),
        Err(_) if gaps.last.is_none() => job.record(now(), Err(late())),
        Err(_) => {
            // A gap lies between two chunks, so that there is one less of them.
            let due = job.options.duration.as_secs_f64() / job.options.period.as_secs_f64() - 1.0;
            if f64::from(gaps.measured) < due * LEAST_SHARE {
                let few = format!("{} chunks of {due:.0}", gaps.measured);
                job.record(now(), Err(Failure::new(Kind::Body, few)));
            }
        }
    }
}

/// Reads chunks for as long as they come.
async fn read(
    job: &Job,
    ask: &Ask,
    sender: &mut SendRequest<Bytes>,
    gaps: &mut Gaps,
) -> Result<(), Failure> {
    let mut stream = ask.begin(sender).await?;
    while let Some(piece) = stream.data().await {
        let piece = piece.map_err(broken)?;
        give_back(&mut stream, piece.len())?;
        gaps.take(piece.len() as u64, job, now());
    }
    Ok(())
}

/// Where a stream stands between its chunks.
#[derive(Default)]
struct Gaps {
    /// Bytes of the chunk that isn't whole yet.
    part: u64,
    last: Option<Instant>,
    measured: u32,
}

impl Gaps {
    /// Takes bytes that came at `at`; each whole chunk among them is one.
    fn take(&mut self, bytes: u64, job: &Job, at: Instant) {
        let size = job.options.size.max(1);
        self.part += bytes;
        while self.part >= size {
            self.part -= size;
            if let Some(last) = self.last.replace(at)
                && last >= job.measured_from()
            {
                self.measured += 1;
                job.late_by(lateness(at, last, job.options.period), size);
            }
        }
    }
}

fn lateness(at: Instant, last: Instant, period: Duration) -> Duration {
    at.saturating_duration_since(last).saturating_sub(period)
}
