//! What stands behind the `req` of a callback, and the border that each function of the engine's
//! table crosses: pointers become values here, and a panic becomes a code.
#![expect(
    unsafe_code,
    reason = "a filter gives and gets raw pointers: that is what a C ABI is"
)]

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::counters::Counters;
use super::table::{
    McStr, REFUSED_FAILED, REFUSED_FULL, REFUSED_INVALID, REFUSED_PHASE, REFUSED_UNKNOWN,
};
use super::{Phase, Refused, Subject, waiting};

/// The longest name, value or line that is taken: more than any head may hold, and short enough to
/// be copied without a thought.
pub(super) const MAX_TEXT: usize = 64 * 1024;
/// The longest piece of a body, or body of an answer, that is taken.
pub(super) const MAX_BODY: usize = 16 * 1024 * 1024;
/// Bytes of a copy that need no allocation: nearly every name and value.
const INLINE: usize = 256;

/// A copy of what a filter gave.
pub(super) type Copied = SmallVec<[u8; INLINE]>;

/// One call of a filter.
pub(super) struct Call<'a> {
    /// What it sees.
    pub(super) subject: &'a mut dyn Subject,
    /// What it counts.
    pub(super) counters: &'a Counters,
    /// Which of its callbacks it is.
    pub(super) phase: Phase,
    /// It has prepared an answer.
    pub(super) answered: bool,
    /// Whether it has asked to wait.
    pub(super) pause: Pause,
}

/// Whether a call has asked to wait.
pub(super) enum Pause {
    /// It hasn't.
    Unasked,
    /// It has, and may not.
    Refused,
    /// It has this token, whose code will come here.
    Asked(usize, oneshot::Receiver<i32>),
}

impl Call<'_> {
    /// A token for a call that will say that it pauses.
    pub(super) fn ask_to_wait(&mut self) -> Result<usize, Refused> {
        if matches!(self.pause, Pause::Asked(..)) {
            return Err(Refused::Phase);
        }
        self.pause = Pause::Refused;
        if self.phase != Phase::Request {
            // Elsewhere bytes of the message are on their way, or there is none.
            return Err(Refused::Phase);
        }
        let (token, code) = waiting::ask()?;
        self.pause = Pause::Asked(token, code);
        Ok(token)
    }
}

/// Runs `act`, in which a panic is ours alone.
pub(super) fn guarded(act: impl FnOnce() -> Result<c_int, c_int>) -> c_int {
    let done = catch_unwind(AssertUnwindSafe(act));
    done.unwrap_or(Err(REFUSED_FAILED))
        .unwrap_or_else(|code| code)
}

/// Runs `act` with the call behind `req`.
///
/// # Safety
/// `req` is null, or what the callback that runs on this thread was given.
pub(super) unsafe fn with_call(
    req: *mut c_void,
    act: impl FnOnce(&mut Call<'_>) -> Result<c_int, c_int>,
) -> c_int {
    guarded(|| {
        // SAFETY: not null is a `Call` that `Instance::call` has on its stack, as the caller
        // promises; nothing else refers to it while the filter runs, which is before that returns.
        let call = unsafe { req.cast::<Call<'_>>().as_mut() };
        act(call.ok_or(REFUSED_INVALID)?)
    })
}

/// The bytes of a view from a filter, which lives at least as long as the call of ours.
///
/// # Safety
/// It is what the header says: `len` bytes at `ptr`, or none.
pub(super) unsafe fn bytes<'a>(view: McStr, most: usize) -> Result<&'a [u8], c_int> {
    if view.len == 0 {
        return Ok(&[]);
    }
    if view.ptr.is_null() {
        return Err(REFUSED_INVALID);
    }
    if view.len > most {
        return Err(REFUSED_FULL);
    }
    // SAFETY: not null, `len` bytes by the caller's promise, which are far fewer than `isize::MAX`.
    Ok(unsafe { std::slice::from_raw_parts(view.ptr, view.len) })
}

/// The same, copied: a view may show what the change that it is meant for moves.
///
/// # Safety
/// As for [`bytes`].
pub(super) unsafe fn copied(view: McStr, most: usize) -> Result<Copied, c_int> {
    // SAFETY: the caller's promise is the same.
    unsafe { bytes(view, most) }.map(Copied::from_slice)
}

/// Shows a filter what was found.
///
/// # Safety
/// `out` is null or may be written.
pub(super) unsafe fn give(out: *mut McStr, found: Option<&[u8]>) -> Result<c_int, c_int> {
    if out.is_null() {
        return Err(REFUSED_INVALID);
    }
    // SAFETY: not null, and the caller's promise.
    unsafe { out.write(found.map_or(McStr::EMPTY, McStr::of)) };
    Ok(c_int::from(found.is_some()))
}

/// What a filter is told of a change.
pub(super) fn done(change: Result<(), Refused>) -> Result<c_int, c_int> {
    change.map(|()| 0).map_err(refusal)
}

/// A refusal's code.
pub(super) fn refusal(refused: Refused) -> c_int {
    match refused {
        Refused::Phase => REFUSED_PHASE,
        Refused::Invalid => REFUSED_INVALID,
        Refused::Full => REFUSED_FULL,
        Refused::Unknown => REFUSED_UNKNOWN,
    }
}

/// Gives what `find` finds under a name.
///
/// # Safety
/// The contract of the header: `req` is the callback's own, `name` readable, `out` writable or null.
pub(super) unsafe fn named(
    req: *mut c_void,
    name: McStr,
    out: *mut McStr,
    find: impl for<'c> FnOnce(&'c Call<'_>, &[u8]) -> Option<&'c [u8]>,
) -> c_int {
    // SAFETY: the three promises of the caller, one for each.
    unsafe { with_call(req, |call| give(out, find(call, bytes(name, MAX_TEXT)?))) }
}

/// Changes what takes one value. It is copied first, since filters like to hand one field's view in
/// as another's value.
///
/// # Safety
/// As for [`named`].
pub(super) unsafe fn change(
    req: *mut c_void,
    (value, most): (McStr, usize),
    act: impl FnOnce(&mut Call<'_>, Copied) -> Result<(), Refused>,
) -> c_int {
    // SAFETY: the promises of the caller.
    unsafe { with_call(req, |call| done(act(call, copied(value, most)?))) }
}

/// Changes what takes a name and a value, which are copied first.
///
/// # Safety
/// As for [`named`].
pub(super) unsafe fn change_named(
    req: *mut c_void,
    (name, value): (McStr, McStr),
    act: impl FnOnce(&mut Call<'_>, Copied, Copied) -> Result<(), Refused>,
) -> c_int {
    // SAFETY: the promises of the caller.
    let act = |call: &mut Call<'_>| unsafe {
        let (name, value) = (copied(name, MAX_TEXT)?, copied(value, MAX_TEXT)?);
        done(act(call, name, value))
    };
    // SAFETY: the promise of the caller.
    unsafe { with_call(req, act) }
}
