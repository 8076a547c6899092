//! One access log: a bounded buffer that workers append to and a thread that writes it out.
//!
//! `write` takes a lock, yet never waits for a disk or a reader: under the lock workers copy one
//! line and the writer thread exchanges two vectors, so it is held for well under a microsecond.
//! When the buffer is full, the line is dropped and counted.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::output::Output;
use crate::telemetry::LogStats;

/// What waits to be written, per log: about a quarter of a second at 40,000 lines a second of 400
/// bytes. As much again may be under way in the writer thread.
const BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// The writer thread is woken at once when this much waits: few, large writes.
const FLUSH_BYTES: usize = 64 * 1024;

/// A line stands in the file after this time at the latest; short enough for `tail -f`.
const FLUSH_INTERVAL: Duration = Duration::from_millis(100);

/// What a closing sink may still spend on writing what it has.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// An access log that all workers share.
#[derive(Debug)]
pub struct LogSink {
    shared: Arc<Shared>,
    writer: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Tells the writer thread that there is work.
    work: Condvar,
    /// Tells who closes the sink that the writer thread has ended.
    ended: Condvar,
    stats: Arc<LogStats>,
}

#[derive(Debug, Default)]
struct State {
    buffer: Vec<u8>,
    reopen: bool,
    closing: bool,
    ended: bool,
}

impl LogSink {
    /// Opens `path`: a file to append to, a named pipe with a reader, `/dev/stdout` or
    /// `/dev/stderr`.
    pub fn open(path: &str, stats: Arc<LogStats>) -> io::Result<Self> {
        Self::start(Output::open(path)?, stats)
    }

    /// Writes to an open file, pipe or socket.
    pub fn over(fd: OwnedFd, stats: Arc<LogStats>) -> io::Result<Self> {
        Self::start(Output::over(fd), stats)
    }

    fn start(output: Output, stats: Arc<LogStats>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
            stats,
        });
        let writer = std::thread::Builder::new()
            .name("meshcore-log".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || run(&shared, output)
            })?;
        Ok(Self {
            shared,
            writer: Some(writer),
        })
    }

    /// Appends one line, which ends with a newline; false if the buffer was full and it is lost.
    pub fn write(&self, line: &[u8]) -> bool {
        let mut state = self.shared.lock();
        let before = state.buffer.len();
        let after = before + line.len();
        if after > BUFFER_BYTES {
            self.shared.stats.dropped_total.increment();
            return false;
        }
        state.buffer.extend_from_slice(line);
        self.shared.stats.lines_total.increment();
        drop(state);
        // Only at the two edges: a wake-up costs a system call.
        if before == 0 || (before < FLUSH_BYTES && after >= FLUSH_BYTES) {
            self.shared.work.notify_one();
        }
        true
    }

    /// Has the path opened again before the next write, after the file was moved away.
    pub fn reopen(&self) {
        self.shared.lock().reopen = true;
        self.shared.work.notify_one();
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.work.notify_one();
        let waited = self
            .shared
            .ended
            .wait_timeout_while(state, CLOSE_WAIT, |state| !state.ended);
        let ended = waited.unwrap_or_else(PoisonError::into_inner).0.ended;
        // A thread inside a write to a stopped terminal is left behind: it ends with that write.
        if ended && let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for enough lines, for some lines and the interval, for `reopen` or for the end;
    /// returns whether it is the end.
    fn collect(&self, lines: &mut Vec<u8>, output: &mut Output) -> bool {
        let urgent = |state: &State| state.reopen || state.closing;
        let waited = self.work.wait_while(self.lock(), |state| {
            state.buffer.is_empty() && !urgent(state)
        });
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .work
            .wait_timeout_while(state, FLUSH_INTERVAL, |state| {
                state.buffer.len() < FLUSH_BYTES && !urgent(state)
            });
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        std::mem::swap(&mut state.buffer, lines);
        let reopen = std::mem::take(&mut state.reopen);
        let closing = state.closing;
        drop(state);
        if reopen && output.reopen().is_err() {
            // The old file goes on: lines in the wrong file are better than none.
            let _state = self.lock();
            self.stats.errors_total.increment();
        }
        closing
    }
}

/// The writer thread.
fn run(shared: &Shared, mut output: Output) {
    let mut lines = Vec::new();
    loop {
        let closing = shared.collect(&mut lines, &mut output);
        let give_up = || shared.lock().closing;
        if let Err(lost) = output.write_all(&lines, give_up) {
            let _state = shared.lock();
            shared.stats.errors_total.increment();
            shared.stats.dropped_total.add(lost);
        }
        lines.clear();
        // A burst's memory goes back.
        lines.shrink_to(FLUSH_BYTES);
        if closing {
            break;
        }
    }
    shared.lock().ended = true;
    shared.ended.notify_all();
}

#[cfg(test)]
#[path = "sink_tests.rs"]
mod tests;
