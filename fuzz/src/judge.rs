//! Whether both sides of the proxy saw the same.

use crate::answer::{self, Told};
use crate::client::Got;
use crate::exchange::carries_trailers;
use crate::http1::{self, Framing, Read};
use crate::message::{self, Fields, Request, Response};
use crate::upstream::Seen;

/// A name that only answers of the proxy's own have.
const LOCAL: &[u8] = b"x-meshcore-error";

/// The upstream saw some of what the client sent, each once, and nothing else. On a connection of
/// HTTP/1 it is `ordered`; streams may overtake each other.
///
/// # Panics
/// When it didn't, and where the first had to come through and hasn't.
pub fn requests(sent: &[Request], seen: &[Seen], ordered: bool, first_must: bool) {
    let mut left: Vec<&Request> = sent.iter().collect();
    for (index, one) in seen.iter().enumerate() {
        let place = left.iter().position(|sent| is_same(sent, one));
        let Some(place) = place else {
            panic!("{index}: {seen:#?}\nof {sent:#?}");
        };
        let first = if ordered { 0 } else { place };
        left.drain(first..=place);
    }
    let first = seen.iter().zip(sent).next();
    let came = first.is_some_and(|(seen, sent)| is_same(sent, seen));
    assert!(came || !first_must, "of {sent:#?}\n{seen:#?}");
}

fn is_same(sent: &Request, seen: &Seen) -> bool {
    let mut sent = sent.clone();
    let mut got = seen.request.clone();
    if seen.tunnel {
        // Nothing follows it before the upstream has agreed.
        sent.body.clear();
        got.body.clear();
    }
    let trailers = carried(
        seen.carries_trailers && !seen.tunnel,
        &sent.trailers,
        &got.trailers,
    );
    got.trailers.clear();
    sent.trailers.clear();
    sent == got && trailers
}

/// Where there is room for trailers they pass; elsewhere they are lost.
fn carried(room: bool, sent: &Fields, got: &Fields) -> bool {
    got == sent || !room && got.is_empty()
}

/// What a client of HTTP/1 read are answers to its requests, one for each and in their order: those
/// that the upstream gave, or the proxy's own.
///
/// # Panics
/// When they aren't.
pub fn http1_answers(received: &[u8], sent: &[Request], seen: &[Seen], first_must: bool) {
    let mut rest = received;
    let mut seen = seen.iter().peekable();
    for index in 0.. {
        // None where the proxy refused it.
        let given = seen.next_if(|seen| sent.get(index).is_some_and(|sent| is_same(sent, seen)));
        let method = sent
            .get(index)
            .map_or(&b"GET"[..], |request| &request.method);
        let Some(message) = final_answer(&mut rest, method, received) else {
            assert!(
                index > 0 || !first_must,
                "unanswered: {}",
                received.escape_ascii()
            );
            return;
        };
        if !message::values(&message.lines, "x-meshcore-error").is_empty() {
            assert!(
                index > 0 || !first_must,
                "refused: {}",
                received.escape_ascii()
            );
            if message::elements(&message.lines, "connection").contains(&b"close".to_vec()) {
                return;
            }
            continue;
        }
        let given = given.expect("an answer that nobody gave");
        if given.tunnel && message.status == 101 || given.request.method == b"CONNECT" {
            return;
        }
        one_http1(&message, given, index == 0 && first_must);
    }
}

/// The next final response at the front, or nothing where there are only parts of one.
fn final_answer(rest: &mut &[u8], method: &[u8], all: &[u8]) -> Option<http1::Message> {
    loop {
        match http1::response(rest, method, true) {
            Read::Partial => return None,
            Read::Broken => panic!("no answer: {}", all.escape_ascii()),
            Read::Whole(message) => {
                http1::check_strict(rest, &message);
                *rest = &rest[message.length..];
                // A switch is final.
                if message.status >= 200 || message.status == 101 {
                    return Some(message);
                }
            }
        }
    }
}

fn one_http1(message: &http1::Message, given: &Seen, must: bool) {
    let mut got = answer::of_http1(message);
    message::take_via(&mut got.fields);
    let room = carries_trailers(message.framing);
    let cut = message.framing == Framing::UntilClose;
    same(&got, (&given.told, must), room, !cut);
}

/// What a client of HTTP/2 read is what the upstream answered.
///
/// # Panics
/// When it isn't.
pub fn http2_answers(got: [Option<Got>; 2], sent: &[Request; 2], seen: &[Seen], must: [bool; 2]) {
    let mut seen = seen.iter().peekable();
    for ((got, sent), must) in got.into_iter().zip(sent).zip(must) {
        let given = seen.next_if(|seen| is_same(sent, seen));
        let Some(mut got) = got else {
            assert!(!must, "unanswered");
            continue;
        };
        if got.response.fields.contains_key(LOCAL) {
            assert!(!must, "refused: {got:?}");
            continue;
        }
        let given = given.expect("an answer that nobody gave");
        message::take_via(&mut got.response.fields);
        assert!(got.whole || !must, "cut: {got:?}");
        same(&got.response, (&given.told, must), true, got.whole);
        assert!(!must || got.interims == given.told.interims, "{got:?}");
    }
}

/// `whole`: no end was left open, so that what is there is all.
fn same(got: &Response, (told, must): (&Told, bool), room: bool, whole: bool) {
    let sent = &told.response;
    assert!(told.sound || !must, "the upstream's fault: {told:#?}");
    let same = got.status == sent.status && got.fields == sent.fields;
    assert!(same, "{got:#?}\nof {told:#?}");
    let begun = sent.body.starts_with(&got.body);
    // A broken answer is cut where that shows, and a body that has no place is left out.
    let all = got.body == sent.body || !whole && !must || !told.sound;
    assert!(begun && all, "{got:#?}\nof {told:#?}");
    let trailers = carried(room, &sent.trailers, &got.trailers) || !whole || !told.sound;
    assert!(trailers, "{got:#?}\nof {told:#?}");
}
