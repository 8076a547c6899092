//! Compiles hooks. One that stays as it was keeps its object, and with that a filter's state.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::Staged;
use super::compile::Compiler;
use crate::abi::{Instance, Phase, Phases};
use crate::policy::hook::{Cache, Found, Hook, Hooks, Kind, Part, Python};
use crate::runtime::slot::Slot;
use crate::wire::hook::{HookCache, PythonPhase};
use crate::wire::listener::Protocol;
use crate::wire::{self, Problems};

/// Longer than this no request waits for a hook.
const TIMEOUT_MAX_MS: u64 = 60_000;
/// Verdicts that a worker remembers of one hook: each takes some hundred bytes.
const ENTRIES_MAX: u32 = 1_000_000;
/// Calls at once, and questions that wait: each holds a request and a task.
const CALLS_MAX: u32 = 1_000_000;
/// What a worker holds of one request's body before a function is asked.
const BODY_BYTES_MAX: u64 = 16 << 20;

/// Parts of a cache's key that stand for themselves.
const PARTS: [(&str, Part); 9] = [
    ("identity", Part::Identity),
    ("method", Part::Method),
    ("path", Part::Path),
    ("query", Part::Query),
    ("authority", Part::Authority),
    ("source.ip", Part::SourceIp),
    ("route", Part::Route),
    ("listener", Part::Listener),
    ("sni", Part::Sni),
];

impl Compiler {
    /// Compiles the hooks of a delta, before what uses them.
    pub(super) fn stage_hooks(&self, hooks: Vec<wire::Hook>, staged: &mut Staged) {
        for wire in hooks {
            let before = self.hooks.get(&wire.name);
            if let Some(before) = before.filter(|before| *before.wire == wire) {
                staged.hooks.insert(wire.name.clone(), Arc::clone(before));
                continue;
            }
            let mut problems = Problems::new(wire::Kind::Hook, &wire.name);
            let name = wire.name.clone();
            match compile(wire, before.map(|before| &**before), &mut problems) {
                Some(hook) if problems.is_empty() => {
                    staged.hooks.insert(name, Arc::new(hook));
                }
                _ => {
                    staged.broken_hooks.insert(name);
                }
            }
            staged.problems.extend(problems.into_vec());
        }
    }

    /// A hook as it will be.
    pub(super) fn hook_of(&self, name: &str, staged: &Staged) -> Found {
        if staged.broken_hooks.contains(name) {
            return Found::Broken;
        }
        if let Some(hook) = staged.hooks.get(name) {
            return Found::Hook(Arc::clone(hook));
        }
        let stays = |_: &&Arc<Hook>| !staged.removes(wire::Kind::Hook, name);
        let hook = self.hooks.get(name).filter(stays);
        hook.map_or(Found::Unknown, |hook| Found::Hook(Arc::clone(hook)))
    }

    /// The hooks in force that a delta gives another object.
    pub(super) fn replaced_hooks(&self, staged: &Staged) -> HashSet<String> {
        let new = staged.hooks.iter();
        let replaced = new.filter(|(name, new)| {
            let old = self.hooks.get(*name);
            old.is_some_and(|old| !Arc::ptr_eq(old, new))
        });
        replaced.map(|(name, _)| name.clone()).collect()
    }
}

/// The hooks of a listener.
pub(super) fn of_listener(
    wire: &wire::Listener,
    find: &dyn Fn(&str) -> Found,
    problems: &mut Problems,
) -> Option<Arc<Hooks>> {
    let hooks = Hooks::compile(&wire.hooks, "hooks", find, problems)?;
    let only_connections = Phases::NONE.with(Phase::Connection);
    if matches!(wire.protocol, Protocol::Tcp | Protocol::TlsPassthrough)
        && hooks.phases != only_connections
    {
        let message = "bytes have no requests that a hook could be asked about";
        let hint = "name hooks of phase: connection alone, or use protocol: http";
        problems.add("hook_phase_unfit", "hooks", message, hint);
    }
    Some(hooks)
}

fn compile(wire: wire::Hook, before: Option<&Hook>, problems: &mut Problems) -> Option<Hook> {
    within(
        wire.timeout_ms,
        (1, TIMEOUT_MAX_MS),
        ("timeout_invalid", "timeout"),
        problems,
    );
    let kind = match (&wire.native, &wire.python) {
        (Some(native), None) => native_kind(native, problems),
        (None, Some(python)) => Some(python_kind(python, before, problems)),
        _ => {
            let message = "a hook is one of native and python";
            let hint = "write for example python: policies:check";
            problems.add("hook_kind_invalid", "", message, hint);
            None
        }
    };
    Some(Hook {
        name: Arc::from(wire.name.as_str()),
        timeout: Duration::from_millis(wire.timeout_ms),
        kind: kind?,
        wire: Arc::new(wire),
        slot: Slot::default(),
    })
}

fn native_kind(native: &wire::hook::Native, problems: &mut Problems) -> Option<Kind> {
    match Instance::create(&native.filter, &native.config) {
        Ok(instance) => Some(Kind::Native(Box::new(instance))),
        Err(why) => {
            let hint = "the filter's own documentation says what its config may be";
            problems.add("filter_unusable", "native", why, hint);
            None
        }
    }
}

fn python_kind(
    python: &wire::hook::Python,
    before: Option<&Hook>,
    problems: &mut Problems,
) -> Kind {
    let mut bound = |path: &str, value: u64, low: u64, high: u64| {
        within(value, (low, high), ("limit_invalid", path), problems);
    };
    bound(
        "python.concurrency",
        python.concurrency.into(),
        1,
        CALLS_MAX.into(),
    );
    bound(
        "python.max_pending",
        python.max_pending.into(),
        0,
        CALLS_MAX.into(),
    );
    bound("python.body_bytes", python.body_bytes, 0, BODY_BYTES_MAX);
    let of_requests = python.phase == PythonPhase::Request;
    if !of_requests && python.body_bytes > 0 {
        phase_unfit("python.body_bytes", "the body of a request", problems);
    }
    if !of_requests && python.cache.is_some() {
        phase_unfit("python.cache", "a cache", problems);
    }
    let headers = (0..).zip(&python.headers).filter_map(|(index, name)| {
        let index: usize = index;
        field(name, &format!("python.headers[{index}]"), problems)
    });
    let headers = headers.collect();
    Kind::Python(Box::new(Python {
        phase: match python.phase {
            PythonPhase::Connection => Phase::Connection,
            PythonPhase::Request => Phase::Request,
            PythonPhase::Response => Phase::Response,
            PythonPhase::Log => Phase::Log,
        },
        headers,
        body_bytes: usize::try_from(python.body_bytes).unwrap_or(usize::MAX),
        cache: python.cache.as_ref().map(|cache| remember(cache, problems)),
        asked: match before.map(|before| &before.kind) {
            // Calls of the old form are still on their way, and count.
            Some(Kind::Python(old)) => Arc::clone(&old.asked),
            _ => Arc::default(),
        },
        room_for: python.concurrency.saturating_add(python.max_pending),
    }))
}

fn remember(cache: &HookCache, problems: &mut Problems) -> Cache {
    if cache.ttl_ms == 0 {
        let hint = "write a duration above 0s, or remove the cache";
        let message = "a verdict that holds no time is not remembered";
        problems.add("timeout_zero", "python.cache.ttl", message, hint);
    }
    within(
        cache.entries.into(),
        (1, ENTRIES_MAX.into()),
        ("limit_invalid", "python.cache.entries"),
        problems,
    );
    if cache.key.is_empty() {
        let message = "one verdict would hold for every request";
        let hint = "name what it depends on: [header.authorization]";
        problems.add("cache_key_invalid", "python.cache.key", message, hint);
    }
    let mut key = Vec::with_capacity(cache.key.len());
    for (index, text) in cache.key.iter().enumerate() {
        key.extend(part(text, &format!("python.cache.key[{index}]"), problems));
    }
    Cache {
        key: key.into(),
        ttl: Duration::from_millis(cache.ttl_ms),
        entries: cache.entries as usize,
    }
}

fn part(text: &str, at: &str, problems: &mut Problems) -> Option<Part> {
    if let Some(name) = text.strip_prefix("header.") {
        return field(name, at, problems).map(Part::Header);
    }
    let found = PARTS.into_iter().find(|(name, _)| *name == text);
    if found.is_none() {
        let known: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        let message = format!("no verdict can depend on {text:?}");
        let hint = format!("write header.NAME, {}", known.join(", "));
        problems.add("cache_key_invalid", at, message, hint);
    }
    found.map(|(_, part)| part)
}

/// A field's name in lower case.
fn field(name: &str, at: &str, problems: &mut Problems) -> Option<Box<str>> {
    let parsed = HeaderName::from_bytes(name.as_bytes());
    if parsed.is_err() {
        let message = format!("{name:?} is no name of a header field");
        problems.add("header_invalid", at, message, "for example authorization");
    }
    parsed.ok().map(|name| name.as_str().into())
}

fn phase_unfit(at: &str, what: &str, problems: &mut Problems) {
    let message = format!("{what} belongs to phase: request");
    problems.add("hook_phase_unfit", at, message, "remove it");
}

fn within(
    value: u64,
    (low, high): (u64, u64),
    (code, path): (&'static str, &str),
    problems: &mut Problems,
) {
    if !(low..=high).contains(&value) {
        let message = format!("{value} is out of range");
        problems.add(code, path, message, format!("write {low} to {high}"));
    }
}
