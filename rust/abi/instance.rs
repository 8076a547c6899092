//! A filter with its configuration and its state.
#![expect(unsafe_code, reason = "calls a filter's functions")]

use std::ffi::{c_int, c_void};
use std::sync::{Mutex, PoisonError};

use super::call::{Call, Pause};
use super::counters::Counters;
use super::host::HOST;
use super::registry::{self, Filter};
use super::table::{
    ANSWERED, CONTINUE, Callback, Create, Destroy, EDITS_REQUEST_BODY, EDITS_RESPONSE_BODY, McStr,
    PAUSE,
};
use super::{Fault, Phase, Phases, Subject, Verdict, waiting};

/// The longest configuration of a hook: a thousand keys of a kilobyte.
const MAX_CONFIG: usize = 1024 * 1024;
/// What is read of a filter's words on why it refuses one.
const MAX_ERROR: usize = 1_024;

/// Held while a filter creates something: authors need no lock for that.
static CREATING: Mutex<()> = Mutex::new(());

/// A filter that was created with a configuration; called by all workers.
#[derive(Debug)]
pub struct Instance {
    /// By phase.
    callbacks: [Option<Callback>; Phase::ALL.len()],
    state: *mut c_void,
    phases: Phases,
    flags: u32,
    counters: Counters,
    /// Only where the state was created.
    destroy: Option<Destroy>,
}

// SAFETY: state and functions may be used by all threads at the same time: the header demands it of
// a filter's author.
unsafe impl Send for Instance {}
// SAFETY: the same.
unsafe impl Sync for Instance {}

impl Instance {
    /// Creates the filter that stands in the registry under `key`.
    ///
    /// # Errors
    /// There is none, or it refuses `config`; in words for the user.
    pub fn create(key: &str, config: &str) -> Result<Self, String> {
        let filter = registry::find(key).ok_or_else(|| format!("there is no filter {key:?}"))?;
        Self::of(&filter, config)
    }

    pub(super) fn of(filter: &Filter, config: &str) -> Result<Self, String> {
        let name = &filter.name;
        if config.len() > MAX_CONFIG {
            return Err(format!(
                "the config of filter {name:?} has {} bytes; at most {MAX_CONFIG} are possible",
                config.len()
            ));
        }
        let table = &filter.table.0;
        let (state, counters) = match table.create {
            Some(create) => created(create, name, config)?,
            None if config.is_empty() => (table.state, Counters::default()),
            None => return Err(format!("filter {name:?} takes no config")),
        };
        let callbacks = Phase::ALL.map(|phase| match phase {
            Phase::Connection => table.on_connection,
            Phase::Request => table.on_request,
            Phase::RequestBody => table.on_request_body,
            Phase::Upstream => table.on_upstream,
            Phase::Response => table.on_response,
            Phase::ResponseBody => table.on_response_body,
            Phase::Log => table.on_log,
        });
        let present = Phase::ALL.into_iter().zip(&callbacks);
        let phases = present
            .filter(|(_, callback)| callback.is_some())
            .fold(Phases::NONE, |phases, (phase, _)| phases.with(phase));
        Ok(Self {
            callbacks,
            state,
            phases,
            flags: table.flags,
            counters,
            destroy: table.destroy.filter(|_| table.create.is_some()),
        })
    }

    /// The phases in which it wants to be called.
    pub fn phases(&self) -> Phases {
        self.phases
    }

    /// Whether it may change the pieces of requests' (`RequestBody`) or answers' bodies
    /// (`ResponseBody`), whose length is then unknown before.
    pub fn edits(&self, body: Phase) -> bool {
        let flag = match body {
            Phase::RequestBody => EDITS_REQUEST_BODY,
            Phase::ResponseBody => EDITS_RESPONSE_BODY,
            _ => 0,
        };
        self.flags & flag != 0 && self.phases.has(body)
    }

    /// What it counts: the counters that it defined when it was created.
    pub fn counters(&self) -> Vec<(String, u64)> {
        self.counters.values()
    }

    /// Calls it.
    pub fn call(&self, phase: Phase, subject: &mut dyn Subject) -> Verdict {
        let Some(Some(callback)) = self.callbacks.get(phase as usize) else {
            return Verdict::Continue;
        };
        let mut call = Call {
            subject,
            counters: &self.counters,
            phase,
            answered: false,
            pause: Pause::Unasked,
        };
        // SAFETY: the filter's author promises that the function can be called like this; the table
        // of the engine is static, `call` lives until it returns, and nothing else refers to it.
        let code = unsafe { callback(&raw const HOST, (&raw mut call).cast(), self.state) };
        verdict(code, call)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the state is what the same filter's `create` made, and nobody has it now.
            unsafe { destroy(self.state) };
        }
    }
}

/// What a filter's code means, after what it did meanwhile.
#[inline]
fn verdict(code: c_int, call: Call<'_>) -> Verdict {
    let unkept = match call.pause {
        Pause::Asked(_, receiver) if code == PAUSE && !call.answered => {
            return Verdict::Paused(receiver);
        }
        Pause::Asked(token, _) => {
            waiting::forget(token);
            Fault::Code(code)
        }
        Pause::Refused => Fault::PauseRefused,
        Pause::Unasked => Fault::NoPause,
    };
    match code {
        _ if call.phase == Phase::Log => Verdict::Continue,
        CONTINUE if !call.answered => Verdict::Continue,
        ANSWERED if call.answered => Verdict::Answered,
        ANSWERED => Verdict::Fault(Fault::NoAnswer),
        PAUSE => Verdict::Fault(unkept),
        400..=599 => Verdict::Status(u16::try_from(code).unwrap_or(500)),
        // Also CONTINUE after `respond`: who prepares a refusal and goes on has made a mistake.
        _ => Verdict::Fault(Fault::Code(code)),
    }
}

/// Creates the state; gives it with the counters that were defined meanwhile.
fn created(create: Create, name: &str, config: &str) -> Result<(*mut c_void, Counters), String> {
    let _one = CREATING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut state = std::ptr::null_mut();
    let mut error = McStr::EMPTY;
    let text = McStr::of(config.as_bytes());
    // SAFETY: the filter's author promises that the function can be called like this, and both
    // places can be written.
    let make = || unsafe { create(&raw const HOST, text, &raw mut state, &raw mut error) };
    let (code, counters) = Counters::defined_in(make);
    if code == 0 {
        return Ok((state, counters));
    }
    error.len = error.len.min(MAX_ERROR);
    // SAFETY: the header demands that the text is there until the filter is called again.
    let why = unsafe { super::call::bytes(error, MAX_ERROR) }.unwrap_or_default();
    let why = String::from_utf8_lossy(why);
    let why = why.trim();
    if why.is_empty() {
        return Err(format!("filter {name:?} refuses its config (code {code})"));
    }
    Err(format!("filter {name:?} refuses its config: {why}"))
}

#[cfg(test)]
#[path = "instance_tests.rs"]
mod tests;
