//! What hooks have come to, of one request.

use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;

use super::settle::Wait;
use crate::abi::{Phase, Phases, Refused};
use crate::policy::hook::{FieldEdit, Hook, Hooks, Kind, Use};
use crate::pool::View;
use crate::protocol::http1::Framing;
use crate::proxy::http::reply::Reply;
use crate::proxy::http::rewrite::RequestId;
use crate::remote::desk::{Facts, Pair};
use crate::route::Route;
use crate::snapshot::Listener;

/// Bytes of names and values that hooks may note of one request.
const METADATA_BYTES: usize = 16 * 1024;

/// The hooks that a request meets: its listener's, then its route's.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy::http) struct Uses<'a> {
    first: &'a [Use],
    then: &'a [Use],
    pub(in crate::proxy::http) phases: Phases,
}

impl<'a> Uses<'a> {
    /// Those of a listener and a route; none for most requests.
    #[inline]
    pub(in crate::proxy::http) fn of(
        listener: &'a Listener,
        route: Option<&'a Route>,
    ) -> Option<Self> {
        let first = listener.hooks.as_deref();
        let then = route.and_then(|route| route.hooks.as_deref());
        if first.is_none() && then.is_none() {
            return None;
        }
        let both = [first, then].into_iter().flatten();
        Some(Self {
            first: first.map_or(&[], |hooks| &hooks.uses),
            then: then.map_or(&[], |hooks| &hooks.uses),
            phases: both.fold(Phases::NONE, |all, hooks| all.union(hooks.phases)),
        })
    }

    pub(super) fn get(&self, index: usize) -> Option<&'a Use> {
        match self.first.get(index) {
            Some(found) => Some(found),
            None => self.then.get(index.checked_sub(self.first.len())?),
        }
    }

    /// Whether functions are asked when the request's head is gone.
    pub(super) fn asks_later(self) -> bool {
        let later = [Phase::Response, Phase::Log];
        later.into_iter().any(|phase| {
            let mut uses = self.in_phase(phase);
            self.phases.has(phase) && uses.any(|(_, one)| matches!(one.hook.kind, Kind::Python(_)))
        })
    }

    /// What of a request beyond its head they want to see.
    #[inline]
    pub(in crate::proxy::http) fn asked(self) -> Asked {
        let head = Phases::NONE.with(Phase::Connection).with(Phase::Request);
        if self.phases.without(head).is_empty() {
            return Asked::default();
        }
        let edits = |phase| {
            self.in_phase(phase).any(|(_, one)| match &one.hook.kind {
                Kind::Native(instance) => instance.edits(phase),
                Kind::Python(_) => false,
            })
        };
        let later = [Phase::RequestBody, Phase::Response, Phase::ResponseBody];
        Asked {
            bodies_or_answer: later.into_iter().any(|phase| self.phases.has(phase)),
            edits_request: self.phases.has(Phase::RequestBody) && edits(Phase::RequestBody),
            edits_answer: self.phases.has(Phase::ResponseBody) && edits(Phase::ResponseBody),
        }
    }

    /// Those that are called in `phase`, with their positions.
    pub(in crate::proxy::http) fn in_phase(
        self,
        phase: Phase,
    ) -> impl Iterator<Item = (usize, &'a Use)> {
        let all = self.first.iter().chain(self.then);
        let wanted = move |one: &(usize, &Use)| one.1.hook.phases().has(phase);
        all.enumerate().filter(wanted)
    }
}

/// Whether hooks want to see more of a request than its head.
pub(in crate::proxy::http) fn see_more(hooks: Option<&Hooks>) -> bool {
    let head = Phases::NONE.with(Phase::Connection).with(Phase::Request);
    hooks.is_some_and(|hooks| !hooks.phases.without(head).is_empty())
}

/// What hooks want of a request beyond its head.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::proxy::http) struct Asked {
    /// To see a body or the answer.
    pub(in crate::proxy::http) bodies_or_answer: bool,
    /// To change the request's body.
    pub(in crate::proxy::http) edits_request: bool,
    /// To change the answer's.
    pub(in crate::proxy::http) edits_answer: bool,
}

impl Asked {
    /// How a request's body goes on that came framed like this.
    pub(in crate::proxy::http) fn frames(self, came: Framing) -> Framing {
        if self.edits_request && !came.is_empty() {
            Framing::Chunked
        } else {
            came
        }
    }
}

/// What hooks have done with a request until now.
#[derive(Debug, Default)]
pub(in crate::proxy::http) struct Run {
    /// The next hook to be asked about the request's head.
    pub(super) at: usize,
    /// The next one to be asked about the answer's.
    pub(super) answer_at: usize,
    /// Changes of the request's fields.
    pub(in crate::proxy::http) edits: Vec<FieldEdit>,
    /// Changes of the upstream's answer's.
    pub(in crate::proxy::http) answer_edits: Vec<FieldEdit>,
    /// In place of the request's.
    pub(in crate::proxy::http) method: Option<Box<str>>,
    /// In place of the request's.
    pub(in crate::proxy::http) path: Option<Box<str>>,
    /// In place of the route's.
    pub(in crate::proxy::http) cluster: Option<Box<str>>,
    /// What functions are told when the request's head is gone; only where one is asked then.
    pub(super) facts: Option<Box<Facts>>,
    pub(super) metadata: Metadata,
    pub(super) data: Data,
    /// The clusters, and the id that we gave it, of a request that waited.
    pub(super) began: Option<(Rc<View>, Option<RequestId>)>,
    /// What has to come before the request goes on.
    pub(super) wait: Option<Box<Wait>>,
    /// The upstream's answer was looked at before a hook had to be waited for.
    pub(in crate::proxy::http) judged: bool,
    /// In place of the upstream's answer.
    pub(in crate::proxy::http) instead: Option<Reply>,
    /// It waited for a hook: what stands before the hooks was done.
    pub(in crate::proxy::http) resumed: bool,
}

impl Run {
    /// The hook that it waited for has been heard.
    pub(super) fn passed(&mut self, phase: Phase) {
        if phase == Phase::Response {
            self.answer_at += 1;
            self.judged = true;
        } else {
            self.at += 1;
            self.resumed = true;
        }
    }

    /// How much of the request's body the hook that it waits for wants to see; 0 is none.
    pub(in crate::proxy::http) fn wants_body(&self) -> usize {
        self.wait.as_ref().map_or(0, |wait| wait.wants_body())
    }

    /// Gives the hook that it waits for the request's body.
    pub(in crate::proxy::http) fn give_body(&mut self, body: Vec<u8>) {
        if let Some(wait) = &mut self.wait {
            wait.give_body(body);
        }
    }
}

/// What hooks tell those that come after them.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pairs: Vec<Pair>,
    bytes: usize,
}

impl Metadata {
    pub(super) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let found = self.pairs.iter().find(|(name, _)| **name == *key);
        found.map(|(_, value)| &**value)
    }

    /// Notes something, in place of what stood under that key.
    pub(super) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Refused> {
        let old = self.pairs.iter_mut().find(|(name, _)| **name == *key);
        let before = old.as_ref().map_or(0, |(_, value)| value.len());
        let more = value.len() + if old.is_some() { 0 } else { key.len() };
        let bytes = (self.bytes - before).saturating_add(more);
        if bytes > METADATA_BYTES {
            return Err(Refused::Full);
        }
        self.bytes = bytes;
        match old {
            Some((_, old)) => *old = value.into(),
            None => self.pairs.push((key.into(), value.into())),
        }
        Ok(())
    }

    pub(super) fn pairs(&self) -> &[Pair] {
        &self.pairs
    }
}

/// The pointers that filters keep with a request.
#[derive(Debug, Default)]
pub(super) struct Data(SmallVec<[(Arc<Hook>, usize); 2]>);

impl Data {
    pub(super) fn get(&self, hook: &Arc<Hook>) -> *mut c_void {
        let found = self.0.iter().find(|(of, _)| Arc::ptr_eq(of, hook));
        std::ptr::with_exposed_provenance_mut(found.map_or(0, |(_, data)| *data))
    }

    /// The hooks that keep something, and what.
    pub(super) fn take(&mut self) -> SmallVec<[(Arc<Hook>, *mut c_void); 2]> {
        let held = self.0.drain(..).filter(|(_, data)| *data != 0);
        held.map(|(hook, data)| (hook, std::ptr::with_exposed_provenance_mut(data)))
            .collect()
    }

    pub(super) fn set(&mut self, hook: &Arc<Hook>, data: *mut c_void) {
        let data = data.expose_provenance();
        match self.0.iter_mut().find(|(of, _)| Arc::ptr_eq(of, hook)) {
            Some((_, old)) => *old = data,
            None => self.0.push((Arc::clone(hook), data)),
        }
    }
}
