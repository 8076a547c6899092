//! What went wrong with a request, in Envoy's letters.

use std::borrow::Cow;

use super::Record;
use crate::error::ErrorKind;

impl Record {
    /// No further attempt is made, for a reason that Envoy has a flag for.
    pub(in crate::proxy::http) fn given_up(&mut self, flag: &'static str) {
        self.gave_up = Some(flag);
    }

    /// Envoy's letters for what went wrong.
    pub(in crate::proxy::http) fn flags(&self) -> Cow<'static, str> {
        let held = self.held.as_ref().map(|_| "DI");
        let mut flags = [held, self.error.map(ErrorKind::flag), self.gave_up]
            .into_iter()
            .flatten();
        let first = flags.next().unwrap_or_default();
        flags.fold(Cow::Borrowed(first), |all, flag| {
            Cow::Owned(format!("{all},{flag}"))
        })
    }
}
