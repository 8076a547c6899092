//! Measures what the process uses, and sets the stage that requests go by.

use std::sync::Arc;
use std::time::Duration;

use super::view::Seen;
use crate::policy::overload::Stage;
use crate::runtime::usage;
use crate::telemetry::Registry;
use crate::wire::Overload;

/// How often: well within the time in which a burst fills what is left above a stage, and rare
/// enough that nobody sees it in a profile.
const INTERVAL: Duration = Duration::from_millis(250);

/// What is measured, as metrics name it.
const MONITORS: [&str; 3] = ["memory", "open_files", "active_requests"];

/// Measures until the engine ends.
pub(super) async fn watch(seen: Arc<Seen>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    let mut configured = false;
    loop {
        ticks.tick().await;
        match seen.snapshot().overload.as_deref() {
            Some(overload) => {
                configured = true;
                measure(&seen, overload);
            }
            None if configured => {
                configured = false;
                enter(&seen, Stage::Calm);
                for monitor in MONITORS {
                    seen.registry.overload(monitor).pressure.set(0);
                }
            }
            None => {}
        }
    }
}

fn measure(seen: &Seen, overload: &Overload) {
    let percents = percents(overload, &seen.registry);
    let mut fullest = (MONITORS[0], 0);
    for (monitor, percent) in MONITORS.into_iter().zip(percents) {
        let shown = i64::try_from(percent).unwrap_or(i64::MAX);
        seen.registry.overload(monitor).pressure.set(shown);
        if percent > fullest.1 {
            fullest = (monitor, percent);
        }
    }
    let (monitor, percent) = fullest;
    let before = seen.overload.stage();
    let stage = before.next(&overload.stages, percent);
    if stage != before {
        enter(seen, stage);
        let level = if stage > before { "warning" } else { "info" };
        let text = format!("{monitor} at {percent} % of its bound: {}", stage.as_str());
        seen.tell(level, text);
    }
}

fn enter(seen: &Seen, stage: Stage) {
    seen.overload.set(stage);
    seen.registry.engine().overload_stage.set(stage as i64);
}

/// How full each is; what is off or unknown is empty.
fn percents(overload: &Overload, registry: &Registry) -> [u64; 3] {
    let part = |used: u64, bound: u64| used.saturating_mul(100).checked_div(bound).unwrap_or(0);
    let memory = match overload.max_memory {
        0 => 0,
        bound => part(usage::resident_bytes().unwrap_or(0), bound),
    };
    let files = match overload.max_open_files_percent {
        0 => 0,
        percent => usage::open_files().map_or(0, |(open, limit)| {
            part(open, limit.saturating_mul(percent.into()) / 100)
        }),
    };
    let requests = match overload.max_active_requests {
        0 => 0,
        bound => part(registry.requests_active(), bound.into()),
    };
    [memory, files, requests]
}
