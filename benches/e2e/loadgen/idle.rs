//! Holds connections: idle after one answer each, or with an answer that is read slowly.

use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::http::{Exchange, Template};
use crate::run::Job;
use crate::stream::Stream;
use crate::tally::Failure;

/// So many connections are being opened at once: below a listener's usual backlog.
const OPENING: usize = 128;
/// A slow reader takes this many bytes a turn.
const SIP: usize = 4096;

/// Opens all connections, sends one request on each, tells that they are open, and waits for the
/// end of standard input; then counts those that the proxy has closed.
pub(crate) async fn hold(job: &Rc<Job>) -> Value {
    let template = job.template();
    let held = Rc::new(std::cell::RefCell::new(Vec::new()));
    let gate = Rc::new(Semaphore::new(OPENING));
    let exchange = Rc::new(tokio::sync::Mutex::new(Exchange::new(
        template,
        &job.options,
        0,
    )));
    let tasks = LocalSet::new();
    for _ in 0..job.options.connections {
        let (job, held, gate) = (Rc::clone(job), Rc::clone(&held), Rc::clone(&gate));
        let exchange = Rc::clone(&exchange);
        tasks.spawn_local(async move {
            let _turn = gate.acquire().await;
            match open(&job, job.template(), &exchange).await {
                Ok(stream) => held.borrow_mut().push(stream),
                Err(failure) => job.tally.borrow_mut().failed(&failure),
            }
        });
    }
    tasks.await;
    announce("ready");
    wait_for_end();
    let open = held.borrow().iter().filter(|stream| alive(stream)).count();
    let mut report = job.tally.borrow().report(Duration::ZERO, Duration::ZERO);
    if let Some(object) = report.as_object_mut() {
        object.insert("held".to_owned(), json!(held.borrow().len()));
        object.insert("still_open".to_owned(), json!(open));
    }
    report
}

async fn open(
    job: &Job,
    template: &Template,
    exchange: &tokio::sync::Mutex<Exchange>,
) -> Result<Stream, Failure> {
    let mut stream = job.dialer.dial().await?;
    job.tally.borrow_mut().opened += 1;
    if job.options.requests != Some(0) {
        let answer = exchange.lock().await.run(template, &mut stream).await?;
        job.tally
            .borrow_mut()
            .answered(Duration::ZERO, answer.bytes);
    }
    Ok(stream)
}

/// Sends one request a connection and reads its answer at the asked rate until the time is over.
pub(crate) async fn sip(job: &Rc<Job>) -> Value {
    let total = Rc::new(Cell::new(0u64));
    let tasks = LocalSet::new();
    for index in 0..job.options.connections {
        let (job, total) = (Rc::clone(job), Rc::clone(&total));
        tasks.spawn_local(async move {
            if let Err(failure) = sip_one(&job, index, &total).await {
                job.tally.borrow_mut().failed(&failure);
            }
        });
    }
    announce("ready");
    tasks.await;
    let mut report = job
        .tally
        .borrow()
        .report(job.options.duration, Duration::ZERO);
    if let Some(object) = report.as_object_mut() {
        object.insert("bytes".to_owned(), json!(total.get()));
    }
    report
}

async fn sip_one(job: &Job, index: usize, total: &Cell<u64>) -> Result<(), Failure> {
    let exchange = Exchange::new(job.template(), &job.options, index);
    let mut stream = job.dialer.dial().await?;
    job.tally.borrow_mut().opened += 1;
    exchange.send_only(&mut stream).await?;
    let rate = job.options.read_rate.max(1);
    let pause = Duration::from_nanos(SIP as u64 * 1_000_000_000 / rate);
    let mut ticks = tokio::time::interval(pause);
    let mut buffer = [0; SIP];
    while crate::pace::now() < job.end() {
        ticks.tick().await;
        match stream.recv(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => total.set(total.get() + count as u64),
            Err(error) => return Err(Failure::new(crate::tally::Kind::Reset, error)),
        }
    }
    Ok(())
}

/// Prints a line that the harness waits for.
pub(crate) fn announce(word: &str) {
    let mut out = std::io::stdout().lock();
    // A harness that has gone reads nothing; the run still ends as it should.
    let _ = writeln!(out, "{word}").and_then(|()| out.flush());
}

fn wait_for_end() {
    let mut discarded = String::new();
    // Every outcome means the same: nobody waits any longer.
    let _ = std::io::Read::read_to_string(&mut std::io::stdin(), &mut discarded);
}

fn alive(stream: &Stream) -> bool {
    let mut fds = [PollFd::new(stream.socket(), PollFlags::IN)];
    let now = rustix::time::Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    poll(&mut fds, Some(&now)) == Ok(0)
}
