//! How Python's functions are asked: questions go out as they are, answers are checked on their way in.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::Bytes;

use super::Engine;
use crate::policy::hook::{Decision, FieldEdit, Verdict};
use crate::protocol::editable;
use crate::protocol::http1::names::{is_value_byte, trim_blanks};
use crate::remote::desk::{Failure, Reply};
use crate::runtime::clock;

pub use crate::remote::desk::Taken;

/// An answer as a function's caller gives it.
#[derive(Debug)]
pub struct Answer<'a> {
    /// `continue`, `answer` or `route`; or why there is no verdict: `raised`, `timeout`, `nonsense`
    /// or `gone`.
    pub kind: &'a str,
    /// Of an `answer`.
    pub status: u16,
    /// The cluster of a `route`.
    pub target: String,
    /// (`set`, `add` or `remove`; name; value), in their order.
    pub edits: Vec<(String, String, Vec<u8>)>,
    /// Of an `answer`.
    pub body: Vec<u8>,
    /// Whether the verdict may be remembered.
    pub keep: bool,
}

impl Engine {
    /// Begins to answer: what is asked from now on waits for that. The descriptor is readable while
    /// questions wait.
    pub fn hook_fd(&self) -> Option<BorrowedFd<'_>> {
        self.seen.desk.attend()
    }

    /// Takes up to `limit` questions.
    pub fn take_questions(&self, limit: usize) -> Vec<Taken> {
        self.seen.desk.take(limit)
    }

    /// Answers a question; one that isn't open any more is ignored.
    ///
    /// # Errors
    /// The answer makes no sense: it is not given, and the text says why.
    pub fn answer_question(&self, ident: u64, answer: Answer<'_>) -> Result<(), String> {
        self.seen.desk.answer(ident, reply(answer)?);
        Ok(())
    }

    /// Functions of the hook were loaded anew, or could not be: then the old ones run on.
    pub fn hook_reloaded(&self, name: &str, ok: bool) {
        // The only writer of these two, whatever the worker counts beside them.
        let stats = self.seen.registry.hook(0, name);
        if ok {
            self.seen.desk.reloaded();
            stats.reloads_total.increment();
        } else {
            stats.reload_failures_total.increment();
        }
    }
}

/// How long somebody waits for an answer from now on, in microseconds.
pub fn left_us(taken: &Taken) -> u64 {
    clock::micros_between(clock::now(), taken.question.deadline)
}

fn reply(answer: Answer<'_>) -> Result<Reply, String> {
    let failed = |why| Ok(Reply::Failed(why));
    let verdict = match answer.kind {
        "continue" => Verdict::Continue,
        "answer" if (200..600).contains(&answer.status) => Verdict::Answer {
            status: answer.status,
            body: Bytes::from(answer.body),
        },
        "answer" => return Err(format!("{} is no status of 200 to 599", answer.status)),
        "route" if answer.target.is_empty() => return Err("no cluster has an empty name".into()),
        "route" => Verdict::RouteTo(answer.target.into()),
        "raised" => return failed(Failure::Raised),
        "timeout" => return failed(Failure::Timeout),
        "nonsense" => return failed(Failure::Nonsense),
        "gone" => return failed(Failure::Gone),
        other => return Err(format!("{other:?} is no kind of answer")),
    };
    let edits = answer.edits.into_iter().map(edit);
    let decision = Decision {
        edits: edits.collect::<Result<_, _>>()?,
        verdict,
    };
    Ok(Reply::Decided(Arc::new(decision), answer.keep))
}

fn edit((what, name, value): (String, String, Vec<u8>)) -> Result<FieldEdit, String> {
    let Some(name) = editable::name(name.as_bytes()) else {
        return Err(format!("{name:?} is no field that a hook may change"));
    };
    if what == "remove" {
        return Ok(FieldEdit::Remove(name));
    }
    if !value.iter().all(|byte| is_value_byte(*byte)) {
        return Err(format!("the value of {name:?} has a control character"));
    }
    let value = match trim_blanks(&value) {
        trimmed if trimmed.len() == value.len() => value,
        trimmed => trimmed.to_vec(),
    };
    match &*what {
        "set" => Ok(FieldEdit::Set(name, value)),
        "add" => Ok(FieldEdit::Add(name, value)),
        other => Err(format!("{other:?} is no change of a field")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: &str) -> Answer<'_> {
        Answer {
            kind,
            status: 0,
            target: String::new(),
            edits: Vec::new(),
            body: Vec::new(),
            keep: true,
        }
    }

    fn with(what: &str, name: &str, value: &[u8]) -> Result<Reply, String> {
        let edits = vec![(what.to_owned(), name.to_owned(), value.to_owned())];
        reply(Answer {
            edits,
            ..answer("continue")
        })
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for status in [0, 101, 199, 600] {
            let answer = Answer {
                status,
                ..answer("answer")
            };
            assert!(reply(answer).is_err(), "{status}");
        }
        assert!(reply(answer("route")).is_err());
        assert!(reply(answer("perhaps")).is_err());
        for (name, value) in [
            ("x", &b"a\r\nb"[..]),
            ("x", b"a\0b"),
            ("", b""),
            ("x y", b""),
            ("Transfer-Encoding", b"chunked"),
            ("Content-Length", b"1"),
            ("Host", b"elsewhere"),
        ] {
            assert!(with("set", name, value).is_err(), "{name}: {value:?}");
        }
        assert!(with("swap", "x", b"y").is_err());
    }

    #[test]
    fn names_are_in_lower_case_and_values_without_blanks_around_them() {
        let Ok(Reply::Decided(decision, true)) = with("add", "X-Plan", b" gold\t") else {
            panic!("it is a verdict");
        };
        let edit = FieldEdit::Add("x-plan".into(), b"gold".to_vec());
        assert_eq!(decision.edits, [edit]);
    }
}
