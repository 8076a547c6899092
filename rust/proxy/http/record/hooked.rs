//! What hooks have to do with a request's record.

use super::Record;
use crate::abi::Phase;
use crate::policy::hook::Use;
use crate::proxy::http::hooks::{Names, Uses};
use crate::proxy::http::reply::Reply;
use crate::proxy::listener::Current;

impl Record {
    /// Whether it waited for a hook: what stands before the hooks was done.
    pub(in crate::proxy::http) fn is_resumed(&self) -> bool {
        self.hooks.as_ref().is_some_and(|run| run.resumed)
    }

    /// Whether hooks want to see more of it than its head.
    pub(in crate::proxy::http) fn sees_more(&self) -> bool {
        self.hooked
    }

    /// Whether the upstream's answer was looked at before a hook had to be waited for.
    pub(in crate::proxy::http) fn is_judged(&self) -> bool {
        self.hooks.as_ref().is_some_and(|run| run.judged)
    }

    /// The hooks of its listener and route.
    pub(in crate::proxy::http) fn uses<'a>(&self, current: &'a Current) -> Option<Uses<'a>> {
        if !self.hooked {
            return None;
        }
        let table = current.listener.routes.as_ref();
        let route = table.and_then(|it| it.routes().get(self.route_index as usize));
        Uses::of(&current.listener, route)
    }

    /// Those of them that are called in `phase`.
    pub(in crate::proxy::http) fn uses_in(&self, phase: Phase) -> Vec<Use> {
        let uses = self.uses(&self.current);
        let found = uses.into_iter().flat_map(|uses| uses.in_phase(phase));
        found.map(|(_, one)| one.clone()).collect()
    }

    /// What things are called, as far as it is known.
    pub(in crate::proxy::http) fn names(&self) -> Names<'_> {
        Names {
            listener: &self.current.listener.name,
            route: self.route_name(),
            cluster: self.cluster_name(),
            endpoint: self.endpoint(),
        }
    }

    /// What a hook answers in place of the upstream.
    pub(in crate::proxy::http) fn take_instead(&mut self) -> Option<Reply> {
        self.hooks.as_mut()?.instead.take()
    }
}
