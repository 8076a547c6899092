//! Requests that wait for a filter's word, by the token that the filter has.
//!
//! A token is a number, not an address: one that is used twice, or after its request has gone, is
//! known to nobody and does no harm. The lock is taken by requests that pause, and by no other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot::{self, Receiver, Sender};

use super::Refused;

/// The most requests of the process that wait at once; each is a few dozen bytes here.
const MAX_WAITING: usize = 65_536;
/// At least so many requests pause between two looks for those that have gone.
const SWEEP_EVERY: usize = 1_024;

static WAITING: Mutex<Waiting> = Mutex::new(Waiting::new());

struct Waiting {
    last: usize,
    sweep_in: usize,
    senders: BTreeMap<usize, Sender<i32>>,
}

impl Waiting {
    const fn new() -> Self {
        Self {
            last: 0,
            sweep_in: SWEEP_EVERY,
            senders: BTreeMap::new(),
        }
    }

    fn ask(&mut self) -> Result<(usize, Receiver<i32>), Refused> {
        self.sweep();
        if self.senders.len() >= MAX_WAITING {
            return Err(Refused::Full);
        }
        // Never 0: a filter's null is no token.
        self.last = self.last.wrapping_add(1).max(1);
        let (sender, receiver) = oneshot::channel();
        self.senders.insert(self.last, sender);
        Ok((self.last, receiver))
    }

    /// Lets go of requests that have gone at their time-outs, whose filter never resumed. Looking
    /// through an eighth as often as there are entries makes it a few steps a request.
    fn sweep(&mut self) {
        self.sweep_in = self.sweep_in.saturating_sub(1);
        if self.sweep_in == 0 {
            self.senders.retain(|_, sender| !sender.is_closed());
            self.sweep_in = SWEEP_EVERY.max(self.senders.len() / 8);
        }
    }
}

fn waiting() -> MutexGuard<'static, Waiting> {
    // Whoever panicked while holding it left a map that is whole.
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token, and where its code will come.
pub(super) fn ask() -> Result<(usize, Receiver<i32>), Refused> {
    waiting().ask()
}

/// Uses a token up. A code that means nothing is as if the filter had let go.
pub(super) fn resume(token: usize, code: i32) -> Result<(), Refused> {
    let sender = forget(token).ok_or(Refused::Unknown)?;
    if !matches!(code, 0 | 400..=599) {
        return Err(Refused::Invalid);
    }
    sender.send(code).map_err(|_| Refused::Unknown)
}

/// Uses a token up without a word.
pub(super) fn forget(token: usize) -> Option<Sender<i32>> {
    waiting().senders.remove(&token)
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
