//! What went wrong with a request, in Envoy's letters.

use std::borrow::Cow;

use super::Record;
use crate::error::ErrorKind;

/// Why no further attempt was made.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy::http) enum GaveUp {
    /// There were as many as the route wants.
    Exhausted,
    /// Too many requests are retries.
    Overflow,
}

impl GaveUp {
    const fn flag(self) -> &'static str {
        match self {
            Self::Exhausted => "URX",
            Self::Overflow => "UO",
        }
    }
}

impl Record {
    /// No further attempt is made.
    pub(in crate::proxy::http) fn given_up(&mut self, why: GaveUp) {
        self.gave_up = Some(why);
    }

    /// Envoy's letters for what went wrong.
    pub(in crate::proxy::http) fn flags(&self) -> Cow<'static, str> {
        let gave_up = self.gave_up.map(GaveUp::flag);
        let delay = self.held.as_ref().and_then(|held| held.delay);
        let held = delay.map(|_| "DI");
        let mut flags = [held, self.error.map(ErrorKind::flag), gave_up]
            .into_iter()
            .flatten();
        let first = flags.next().unwrap_or_default();
        flags.fold(Cow::Borrowed(first), |all, flag| {
            Cow::Owned(format!("{all},{flag}"))
        })
    }
}
