//! Questions and answers, and what becomes of them when a side is slow or gone.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

use super::{Desk, Facts, Failure, Question, Reply};
use crate::abi::Phase;
use crate::policy::hook::{Decision, Hook, Kind, Python, Verdict};
use crate::runtime::clock;
use crate::runtime::slot::Slot;
use crate::wire;

const ROOM: u32 = 4;

fn hook() -> Arc<Hook> {
    let wire = serde_json::json!({"name": "check", "timeout_ms": 100});
    Arc::new(Hook {
        name: "check".into(),
        wire: Arc::new(serde_json::from_value::<wire::Hook>(wire).unwrap()),
        timeout: Duration::from_millis(100),
        kind: Kind::Python(Box::new(Python {
            phase: Phase::Request,
            headers: Box::default(),
            body_bytes: 0,
            cache: None,
            asked: Arc::default(),
            room_for: ROOM,
        })),
        slot: Slot::default(),
    })
}

fn question(hook: &Arc<Hook>, phase: Phase) -> Question {
    Question {
        hook: Arc::clone(hook),
        phase,
        deadline: clock::now() + hook.timeout,
        facts: Box::<Facts>::default(),
        status: 0,
        headers: Vec::new(),
        body: None,
        metadata: Vec::new(),
    }
}

fn asked_of(hook: &Hook) -> u32 {
    match &hook.kind {
        Kind::Python(python) => python.asked.load(Ordering::Relaxed),
        Kind::Native(_) => 0,
    }
}

fn go_on() -> Reply {
    let decision = Decision {
        edits: Vec::new(),
        verdict: Verdict::Continue,
    };
    Reply::Decided(Arc::new(decision), true)
}

fn attended() -> Arc<Desk> {
    let desk = Desk::new().unwrap();
    assert!(desk.attend().is_some());
    desk
}

/// Whether the descriptor is readable.
fn announced(desk: &Desk) -> bool {
    rustix::io::read(desk.attend().unwrap(), &mut [0_u8; 8]).is_ok()
}

#[tokio::test]
async fn a_question_is_answered_and_its_place_is_free_again() {
    let (desk, hook) = (attended(), hook());
    let asked = desk.ask(question(&hook, Phase::Request)).unwrap();
    let taken = desk.take(9);
    assert_eq!((taken.len(), asked_of(&hook)), (1, 1));
    desk.answer(taken[0].ident, go_on());
    assert!(matches!(asked.await, Reply::Decided(_, true)));
    assert_eq!(asked_of(&hook), 0);
}

#[test]
fn what_is_left_is_announced_again() {
    let (desk, hook) = (attended(), hook());
    let _asked = [0; 3].map(|_| desk.ask(question(&hook, Phase::Request)).unwrap());
    assert_eq!(desk.take(2).len(), 2);
    assert!(announced(&desk));
    assert_eq!(desk.take(2).len(), 1);
    assert!(!announced(&desk));
}

/// Waits for the descriptor.
fn announced_within(desk: &Desk, seconds: i64) -> bool {
    let fd = desk.attend().unwrap();
    let mut wanted = [PollFd::new(&fd, PollFlags::IN)];
    let patience = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    poll(&mut wanted, Some(&patience)).unwrap() == 1
}

/// One thread asks while another takes: each question is announced, or taken with an earlier one.
#[test]
fn no_wake_up_is_lost() {
    const QUESTIONS: usize = 2_000;
    let (desk, hook) = (attended(), hook());
    let (answered, wait) = mpsc::channel();
    let reader = std::thread::spawn({
        let desk = Arc::clone(&desk);
        move || {
            let mut left = QUESTIONS;
            while left > 0 {
                assert!(announced_within(&desk, 10), "{left} left");
                let taken = desk.take(3);
                left -= taken.len();
                let done = taken.iter().map(|one| desk.answer(one.ident, go_on()));
                answered.send(done.count()).unwrap();
            }
        }
    });
    let mut open = VecDeque::new();
    for _ in 0..QUESTIONS {
        while open.len() == ROOM as usize {
            open.drain(..wait.recv().unwrap());
        }
        open.push_back(desk.ask(question(&hook, Phase::Request)).unwrap());
    }
    reader.join().unwrap();
}

#[test]
fn a_question_that_nobody_waits_for_is_taken_back_at_once() {
    let (desk, hook) = (attended(), hook());
    drop(desk.ask(question(&hook, Phase::Request)).unwrap());
    assert_eq!((Arc::strong_count(&hook), asked_of(&hook)), (1, 0));
    assert!(desk.take(9).is_empty());
}

#[test]
fn a_question_in_python_s_hands_keeps_its_place_until_it_is_answered() {
    let (desk, hook) = (attended(), hook());
    let asked = desk.ask(question(&hook, Phase::Request)).unwrap();
    let taken = desk.take(9);
    drop(asked);
    assert_eq!(asked_of(&hook), 1);
    desk.answer(taken[0].ident, go_on());
    assert_eq!(asked_of(&hook), 0);
}

#[test]
fn a_log_question_stays_though_nobody_waits_for_its_answer() {
    let (desk, hook) = (attended(), hook());
    drop(desk.ask(question(&hook, Phase::Log)).unwrap());
    assert_eq!(desk.take(9).len(), 1);
}

#[test]
fn more_than_there_is_room_for_is_refused() {
    let (desk, hook) = (attended(), hook());
    let asked = [0; ROOM as usize].map(|_| desk.ask(question(&hook, Phase::Request)).unwrap());
    assert!(desk.ask(question(&hook, Phase::Request)).is_err());
    assert_eq!(asked_of(&hook), ROOM);
    drop(asked);
    assert!(desk.ask(question(&hook, Phase::Request)).is_ok());
}

#[tokio::test]
async fn late_and_repeated_answers_are_ignored() {
    let (desk, hook) = (attended(), hook());
    let asked = desk.ask(question(&hook, Phase::Request)).unwrap();
    let ident = desk.take(9)[0].ident;
    desk.answer(ident, go_on());
    desk.answer(ident, Reply::Failed(Failure::Raised));
    desk.answer(ident + 1, go_on());
    assert!(matches!(asked.await, Reply::Decided(..)));
}

#[tokio::test]
async fn nobody_waits_for_an_owner_that_is_gone_or_never_came() {
    let hook = hook();
    for desk in [Arc::<Desk>::default(), Desk::new().unwrap()] {
        let asked = desk.ask(question(&hook, Phase::Request)).unwrap();
        assert!(matches!(asked.await, Reply::Failed(Failure::Gone)));
    }
    let desk = attended();
    let asked = [0; 2].map(|_| desk.ask(question(&hook, Phase::Request)).unwrap());
    desk.take(1);
    desk.close();
    for one in asked {
        assert!(matches!(one.await, Reply::Failed(Failure::Gone)));
    }
    let asked = desk.ask(question(&hook, Phase::Request)).unwrap();
    assert!(matches!(asked.await, Reply::Failed(Failure::Gone)));
    assert_eq!(asked_of(&hook), 0);
}

#[test]
fn a_reload_begins_another_epoch() {
    let desk = Desk::default();
    let before = desk.epoch();
    desk.reloaded();
    assert_ne!(desk.epoch(), before);
}
