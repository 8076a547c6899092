//! The access logs of one engine, by path.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::LogSink;
use crate::telemetry::Registry;

/// Opens each path once, however many listeners log to it.
///
/// It keeps every sink alive, so that a worker never is the last to drop one and waits for a disk;
/// `close_unused` is for the service thread.
#[derive(Debug)]
pub struct LogSinks {
    registry: Arc<Registry>,
    open: Mutex<BTreeMap<String, Arc<LogSink>>>,
}

impl LogSinks {
    /// Nothing open yet; what is lost is counted in `registry`.
    pub fn new(registry: Arc<Registry>) -> Self {
        Self {
            registry,
            open: Mutex::default(),
        }
    }

    /// The sink of `path`, opened if it isn't yet.
    pub fn open(&self, path: &str) -> io::Result<Arc<LogSink>> {
        let mut open = self.lock();
        if let Some(sink) = open.get(path) {
            return Ok(Arc::clone(sink));
        }
        let sink = Arc::new(LogSink::open(path, self.registry.log(path))?);
        open.insert(path.to_owned(), Arc::clone(&sink));
        Ok(sink)
    }

    /// Has every path opened again, after the files were moved away.
    pub fn reopen(&self) {
        self.lock().values().for_each(|sink| sink.reopen());
    }

    /// Closes what no snapshot uses any more; waits for the disk.
    pub fn close_unused(&self) {
        let mut unused = Vec::new();
        self.lock().retain(|_, sink| {
            let used = Arc::strong_count(sink) > 1;
            if !used {
                unused.push(Arc::clone(sink));
            }
            used
        });
        // Here, outside the lock, the sinks end.
        drop(unused);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arc<LogSink>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
