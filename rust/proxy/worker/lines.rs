//! What this worker's hooks say to the operator.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Worker;
use crate::runtime::clock;

/// Lines of one worker within [`SPAN`]: a hook that says something of each request fills no log.
const LINES_MAX: u32 = 20;
/// See [`LINES_MAX`].
const SPAN: Duration = Duration::from_secs(1);

/// Takes a level and a line.
#[derive(Clone)]
pub struct Operator(pub Arc<dyn Fn(&'static str, String) + Send + Sync>);

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Operator")
    }
}

/// The lines since a time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lines {
    since: Option<Instant>,
    count: u32,
}

impl Worker {
    /// Says a line to the operator; what is too much is left out, and that is said.
    pub fn say(&self, level: &'static str, line: String) {
        let Some(operator) = &self.operator else {
            return;
        };
        let now = clock::now();
        let mut lines = self.lines.get();
        if lines.since.is_none_or(|since| now >= since + SPAN) {
            lines = Lines {
                since: Some(now),
                count: 0,
            };
        }
        lines.count = lines.count.saturating_add(1);
        self.lines.set(lines);
        if lines.count <= LINES_MAX {
            operator.0(level, line);
        } else if lines.count == LINES_MAX + 1 {
            operator.0("warning", "hooks say more than is shown".to_owned());
        }
    }
}
