//! How much the whole process has to do, and what of it is refused.
//!
//! One thread measures and sets the stage; a request reads it, which is one relaxed load.

use std::sync::atomic::{AtomicU8, Ordering};

use super::priority::Priority;
use crate::wire::overload::OverloadStages;

/// A stage ends when the fullest has fallen by so many percent of its bound: what goes to and fro
/// around one would otherwise refuse and admit by turns.
const HYSTERESIS: u64 = 5;

/// What is refused; each stage does what those before it do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Nothing.
    #[default]
    Calm,
    /// Connections without a request are closed.
    CloseIdle,
    /// Requests of low priority.
    RefuseLow,
    /// All requests but those of high priority, and TCP connections.
    RefuseDefault,
    /// Everything new.
    RefuseAll,
}

impl Stage {
    const ALL: [Self; 5] = [
        Self::Calm,
        Self::CloseIdle,
        Self::RefuseLow,
        Self::RefuseDefault,
        Self::RefuseAll,
    ];

    /// The stage at so many percent, after this one.
    #[must_use]
    pub fn next(self, stages: &OverloadStages, percent: u64) -> Self {
        let from = |stage| match stage {
            Self::Calm => 0,
            Self::CloseIdle => stages.close_idle,
            Self::RefuseLow => stages.refuse_low,
            Self::RefuseDefault => stages.refuse_default,
            Self::RefuseAll => stages.refuse_all,
        };
        let holds = |stage: &Self| {
            let from = u64::from(from(*stage));
            let slack = if *stage <= self { HYSTERESIS } else { 0 };
            percent >= from.saturating_sub(slack)
        };
        Self::ALL.into_iter().rfind(holds).unwrap_or_default()
    }

    /// Whether requests of this priority are refused.
    pub fn refuses(self, priority: Priority) -> bool {
        let from = match priority {
            Priority::Low => Self::RefuseLow,
            Priority::Default => Self::RefuseDefault,
            Priority::High => Self::RefuseAll,
        };
        self >= from
    }

    /// As notices have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calm => "refuses nothing",
            Self::CloseIdle => "closes idle connections",
            Self::RefuseLow => "refuses requests of low priority",
            Self::RefuseDefault => "refuses all requests but those of high priority",
            Self::RefuseAll => "refuses everything new",
        }
    }
}

/// The stage of a process, for all its threads.
#[derive(Debug, Default)]
pub struct Overload(AtomicU8);

impl Overload {
    /// The stage now.
    #[inline]
    pub fn stage(&self) -> Stage {
        let index = usize::from(self.0.load(Ordering::Relaxed));
        Stage::ALL.get(index).copied().unwrap_or_default()
    }

    /// Replaces it.
    pub fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(percents: &[u64]) -> Vec<Stage> {
        let stages = OverloadStages::default();
        let mut now = Stage::Calm;
        let mut step = |percent: &u64| {
            now = now.next(&stages, *percent);
            now
        };
        percents.iter().map(&mut step).collect()
    }

    #[test]
    fn stages_begin_at_once_and_end_late() {
        use Stage::{Calm, CloseIdle, RefuseAll, RefuseDefault, RefuseLow};
        assert_eq!(
            walk(&[79, 80, 90, 95, 100, 300]),
            [
                Calm,
                CloseIdle,
                RefuseLow,
                RefuseDefault,
                RefuseAll,
                RefuseAll
            ]
        );
        assert_eq!(
            walk(&[97, 91, 90, 89, 85, 84, 76, 75, 74]),
            [
                RefuseDefault,
                RefuseDefault,
                RefuseDefault,
                RefuseLow,
                RefuseLow,
                CloseIdle,
                CloseIdle,
                CloseIdle,
                Calm,
            ]
        );
        assert_eq!(walk(&[100, 0]), [RefuseAll, Calm]);
    }

    #[test]
    fn what_goes_to_and_fro_stays() {
        let seen = walk(&[91, 89, 91, 88, 91, 86]);
        assert_eq!(seen, [Stage::RefuseLow; 6]);
    }

    #[test]
    fn the_low_are_refused_first() {
        let refused = |stage: Stage| {
            [Priority::Low, Priority::Default, Priority::High].map(|level| stage.refuses(level))
        };
        assert_eq!(refused(Stage::CloseIdle), [false; 3]);
        assert_eq!(refused(Stage::RefuseLow), [true, false, false]);
        assert_eq!(refused(Stage::RefuseDefault), [true, true, false]);
        assert_eq!(refused(Stage::RefuseAll), [true; 3]);
    }

    #[test]
    fn the_stage_is_what_was_set() {
        let overload = Overload::default();
        for stage in Stage::ALL {
            overload.set(stage);
            assert_eq!(overload.stage(), stage);
        }
    }
}
