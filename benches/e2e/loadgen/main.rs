//! A load generator for HTTP/1.1, HTTP/2, TCP and TLS: one thread, few system calls, no repeated requests.
//!
//! It uses nothing of the proxy's own code, so that it judges from outside. `loadgen --help` tells
//! its flags.

mod body;
mod chunks;
mod flags;
mod head;
mod histogram;
mod http;
mod http2;
mod idle;
mod options;
mod pace;
mod pattern;
mod run;
mod stream;
mod tally;
mod tcp;
mod trickle;
mod trust;

use std::cell::Cell;
use std::io::Write as _;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use options::{Mode, Options};
use run::Job;
use stream::Dialer;
use trickle::Cuts;

fn main() -> ExitCode {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => return refuse(&problem),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&error.to_string()),
    };
    match runtime.block_on(measure(options)) {
        Err(problem) => refuse(&problem),
        Ok(report) => {
            idle::announce(&report.to_string());
            ExitCode::from(u8::from(report["failures"] != 0))
        }
    }
}

async fn measure(options: Options) -> Result<Value, String> {
    raise_file_limit();
    let tls = options.tls.as_ref().map(trust::client).transpose()?;
    let dialer = Dialer {
        target: options.target,
        sources: options.sources,
        turn: Cell::new(0),
        cuts: options.trickle.map(Cuts::new),
        tls,
    };
    let (mode, warmup) = (options.mode, options.warmup);
    let job = Rc::new(Job::new(options, dialer, pace::now())?);
    match mode {
        Mode::Idle => return Ok(idle::hold(&job).await),
        Mode::Slow => return Ok(idle::sip(&job).await),
        Mode::Http | Mode::Http2 | Mode::Chunks | Mode::Tcp => {}
    }
    let before = Rc::new(Cell::new(cpu_time()));
    let told = async {
        if !warmup.is_zero() {
            tokio::time::sleep(warmup).await;
            idle::announce("measuring");
            before.set(cpu_time());
        }
    };
    let (elapsed, ()) = tokio::join!(job.run(), told);
    let elapsed = elapsed?;
    let report = job
        .tally
        .borrow()
        .report(elapsed, cpu_time().saturating_sub(before.get()));
    Ok(report)
}

fn refuse(problem: &str) -> ExitCode {
    let mut err = std::io::stderr().lock();
    // With standard error closed the exit code still tells.
    let _ = writeln!(err, "{problem}");
    ExitCode::from(2)
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Ten thousand held connections need more files than a shell usually grants.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it's refused, the connections that don't fit are counted as failures.
    let _ = setrlimit(Resource::Nofile, limit);
}
