//! Worker threads: each one a single-threaded runtime of its own.

use std::io;
use std::thread::{Builder, JoinHandle};

use tokio::runtime::{self, LocalOptions};

use super::cores;

/// Polls of ready tasks between two looks at the sockets; tokio's default of 61 lets a busy worker
/// answer old connections late.
const EVENT_INTERVAL: u32 = 31;

/// Starts a thread that runs `main` on a single-threaded runtime and ends with it.
///
/// # Errors
/// When the thread or its runtime can't be made.
pub fn spawn<M, F>(name: String, pin: Option<usize>, main: M) -> io::Result<JoinHandle<()>>
where
    M: FnOnce() -> F + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    let (started, outcome) = std::sync::mpsc::sync_channel(1);
    let thread = Builder::new().name(name).spawn(move || {
        if let Some(core) = pin {
            // A worker that can't be pinned works all the same.
            let _ = cores::pin(core);
        }
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(EVENT_INTERVAL)
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => {
                let _ = started.send(Ok(()));
                runtime.block_on(main());
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    })?;
    match outcome.recv() {
        Ok(Ok(())) => Ok(thread),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other(
            "the thread ended before its runtime started",
        )),
    }
}
