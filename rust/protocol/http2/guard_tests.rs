//! Floods end after their count, honest peers never, and splits change nothing.

use super::*;
use crate::protocol::http2::frame::HEAD;
use crate::protocol::http2::frame::PADDED;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;
const UNKNOWN: u8 = 0xfa;

/// What no flood may reach.
const FLOOD: u32 = 10_000;

/// What honest peers do so often, they could do for ever: who loses one unit a round ends sooner.
const LONG: u32 = 20_000;
const _: () = assert!(LONG > BUDGET);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn data(bytes: usize) -> Vec<u8> {
    frame(kind::DATA, 0, 1, &vec![b'd'; bytes])
}

fn padded(bytes: usize, padding: u8) -> Vec<u8> {
    let payload = vec![0; 1 + bytes + usize::from(padding)];
    let mut bytes = frame(kind::DATA, PADDED, 1, &payload);
    bytes[HEAD] = padding;
    bytes
}

fn headers(stream: u32) -> Vec<u8> {
    frame(kind::HEADERS, END_HEADERS, stream, &[0x82; 12])
}

fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

fn ping() -> Vec<u8> {
    frame(kind::PING, 0, 0, &[7; 8])
}

/// After the preface, if there is one.
fn begun(role: Role) -> Guard {
    let mut guard = Guard::new(role);
    if role == Role::Server {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        assert_eq!(guard.received(preface), Ok(()));
    }
    assert_eq!(
        guard.received(&frame(kind::SETTINGS, 0, 0, &[0; 18])),
        Ok(())
    );
    guard.sent(60);
    guard
}

/// How many times the bytes pass, each time answered with so many.
fn ends_after(guard: &mut Guard, bytes: &[u8], answer: usize) -> (u32, Excess) {
    for count in 0..LONG {
        if let Err(excess) = guard.received(bytes) {
            return (count, excess);
        }
        guard.sent(answer);
    }
    panic!("never ends");
}

/// One round of an honest peer's, again and again: bytes received, then bytes sent.
fn goes_on(role: Role, round: &[Vec<u8>], sent: usize) {
    let mut guard = begun(role);
    let bytes = round.concat();
    for count in 0..LONG {
        assert_eq!(guard.received(&bytes), Ok(()), "round {count}");
        guard.sent(sent);
    }
}

/// A flood: its name, what comes again and again, bytes that it makes us send, how often it passes.
type Flood = (&'static str, Vec<u8>, usize, u32);

/// Each flood on a connection that has saved up all that it can.
fn floods_end(floods: &[Flood], wanted: Excess) {
    for role in [Role::Server, Role::Client] {
        for (name, bytes, answer, passed) in floods {
            let mut guard = begun(role);
            assert_eq!(guard.received(&headers(1)), Ok(()));
            guard.sent(usize::try_from(BUDGET).unwrap());
            let (count, excess) = ends_after(&mut guard, bytes, *answer);
            assert_eq!((count, excess), (*passed, wanted), "{name}");
            assert!(count < FLOOD / 2, "{name}");
        }
    }
}

#[test]
fn floods_of_control_frames_end() {
    let setting = [0, 4, 0, 0, 0, 9];
    let floods = [
        ("ping", ping(), 17, 2_045),
        ("settings", frame(kind::SETTINGS, 0, 0, &setting), 9, 2_046),
        ("no settings", frame(kind::SETTINGS, 0, 0, &[]), 9, 2_046),
        ("acknowledged", frame(kind::SETTINGS, 1, 0, &[]), 0, 896),
        ("priority", frame(PRIORITY, 0, 3, &[0; 5]), 0, 2_048),
        ("reset", frame(RST_STREAM, 0, 1, &[0; 4]), 0, 2_048),
        ("goaway", frame(GOAWAY, 0, 0, &[0; 8]), 0, 2_048),
        ("unknown", frame(UNKNOWN, 0xff, 9, &[0; 500]), 0, 2_048),
        ("connection's window", window_update(0, 1_000), 0, 2_048),
        ("stream's window", window_update(1, 0x7fff_ffff), 0, 2_048),
        ("one byte's window", window_update(1, 1), 10, 1_432),
        ("window of zero", window_update(1, 0), 0, 716),
    ];
    floods_end(&floods, Excess::ControlFrames);
}

#[test]
fn floods_of_heads_end() {
    let continuation = frame(kind::CONTINUATION, 0, 1, &[]);
    let split = [&headers(1)[..], &continuation.repeat(15)].concat();
    let floods = [
        ("trailers without end", headers(1), 0, 2_048),
        ("empty continuation of many heads", split, 0, 128),
    ];
    floods_end(&floods, Excess::ControlFrames);
}

#[test]
fn floods_of_tiny_data_end() {
    let floods = [
        ("empty", data(0), 0, 2_048),
        ("empty, padded", padded(0, 255), 0, 2_048),
        ("one byte", data(1), 0, 2_389),
        ("one byte, padded", padded(1, 255), 0, 2_389),
        ("four bytes", data(4), 0, 4_777),
    ];
    floods_end(&floods, Excess::TinyData);
}

#[test]
fn continuation_ends_before_twenty() {
    for payload in [&[][..], &[0x82], &[0x82; 16_384]] {
        for opening in [kind::HEADERS, kind::PUSH_PROMISE] {
            let mut guard = begun(Role::Server);
            assert_eq!(guard.received(&frame(opening, 0, 1, &[])), Ok(()));
            let continuation = frame(kind::CONTINUATION, 0, 1, payload);
            let (count, excess) = ends_after(&mut guard, &continuation, 0);
            assert_eq!((count, excess), (16, Excess::Continuations));
        }
    }
}

#[test]
fn large_heads_pass() {
    let round = [
        frame(kind::HEADERS, END_STREAM, 1, &[0x82; 16_384]),
        frame(kind::CONTINUATION, 0, 1, &[0x82; 16_384]),
        frame(kind::CONTINUATION, 0, 1, &[0x82; 16_384]),
        frame(kind::CONTINUATION, END_HEADERS, 1, &[0x82; 16_384]),
    ];
    goes_on(Role::Server, &round, 100);
}

#[test]
fn an_excess_is_said_once() {
    let mut guard = begun(Role::Server);
    let (_, excess) = ends_after(&mut guard, &ping(), 17);
    assert_eq!(excess.to_string(), "control_frames");
    assert_eq!(guard.received(&ping()), Ok(()));
    for _ in 0..1_000 {
        assert_eq!(guard.reset_early(), Ok(()));
    }
}

#[test]
fn early_resets_end() {
    let mut guard = begun(Role::Server);
    for _ in 0..100 {
        assert_eq!(guard.reset_early(), Ok(()));
    }
    assert_eq!(guard.reset_early(), Err(Excess::EarlyResets));
}

#[test]
fn a_response_pays_an_early_reset_back() {
    let mut guard = begun(Role::Server);
    for _ in 0..LONG {
        assert_eq!(guard.reset_early(), Ok(()));
        guard.answered();
    }
    for _ in 0..LONG {
        guard.answered();
    }
    let passed = (0..LONG).take_while(|_| guard.reset_early().is_ok());
    assert_eq!(passed.count(), 200);
}

#[test]
fn early_resets_of_a_dead_upstream_pass() {
    let mut guard = begun(Role::Server);
    for _ in 0..LONG {
        assert_eq!(guard.reset_early(), Ok(()));
        guard.rested(1);
    }
}

#[test]
fn rapid_reset_is_left_to_early_resets() {
    let mut guard = begun(Role::Server);
    for stream in (1..LONG).step_by(2) {
        assert_eq!(guard.received(&headers(stream)), Ok(()));
        let reset = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        assert_eq!(guard.received(&reset), Ok(()));
    }
}

#[test]
fn a_thousand_streams_are_cancelled_at_once() {
    let mut guard = begun(Role::Server);
    for stream in (1..2_000).step_by(2) {
        assert_eq!(guard.received(&headers(stream)), Ok(()));
    }
    for stream in (1..2_000).step_by(2) {
        let reset = frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]);
        assert_eq!(guard.received(&reset), Ok(()));
    }
}

#[test]
fn requests_pass_with_all_that_a_stream_may_bring() {
    for role in [Role::Server, Role::Client] {
        let mut guard = begun(role);
        for stream in (1..2 * LONG).step_by(2) {
            let bytes = [
                headers(stream),
                frame(PRIORITY, 0, stream, &[0; 5]),
                window_update(0, 5),
                window_update(stream, 5),
                ping(),
                headers(stream),
                frame(kind::DATA, END_STREAM, stream, &[]),
                frame(RST_STREAM, 0, stream, &[0; 4]),
            ];
            assert_eq!(guard.received(&bytes.concat()), Ok(()), "stream {stream}");
            guard.sent(17);
        }
    }
}

#[test]
fn answers_may_come_in_any_order() {
    let mut guard = begun(Role::Client);
    for first in (1..LONG).step_by(200) {
        for stream in (first..first + 200).step_by(2).rev() {
            let answer = [headers(stream), headers(stream)].concat();
            assert_eq!(guard.received(&answer), Ok(()), "stream {stream}");
        }
    }
}

#[test]
fn a_grpc_client_may_probe_and_update_with_each_frame() {
    let round = [ping(), window_update(0, 1_024), window_update(1, 1_024)];
    goes_on(Role::Server, &round, HEAD + 1_024 + 17);
}

#[test]
fn ten_gibibytes_are_downloaded() {
    let mut guard = begun(Role::Server);
    let update = [window_update(0, 8_192), window_update(1, 8_192)].concat();
    for _ in 0..10 * 1024 * 1024 / 8 {
        guard.sent(HEAD + 8_192);
        assert_eq!(guard.received(&update), Ok(()));
    }
}

#[test]
fn the_smallest_messages_of_grpc_pass() {
    // An empty message has its prefix alone. In both directions, and in each of them alone.
    for message in [5, 6, 7, 30] {
        let updates = [window_update(0, message), window_update(1, message)];
        let message = usize::try_from(message).unwrap();
        let [connection, _] = updates.clone();
        for role in [Role::Server, Role::Client] {
            goes_on(role, &updates, HEAD + message);
            let probe = [ping(), connection.clone()];
            goes_on(role, &probe, HEAD + message + 17);
            let both = [&[data(message)][..], &probe].concat();
            goes_on(role, &both, HEAD + message + 17);
            goes_on(role, &[data(message)], 0);
            // A prefix in a frame of its own, and the smallest payload that isn't empty.
            goes_on(role, &[data(5), data(2)], 0);
        }
    }
}

#[test]
fn messages_pass_with_an_update_for_some_kibibytes() {
    let mut round = vec![data(6); 700];
    round.push(window_update(0, 700 * 6));
    round.push(window_update(1, 700 * 6));
    let mut guard = begun(Role::Server);
    for _ in 0..1_000 {
        assert_eq!(guard.received(&round.concat()), Ok(()));
        guard.sent(700 * (HEAD + 6));
    }
}

#[test]
fn tokens_stream_for_ever() {
    for token in [20, 60] {
        goes_on(Role::Client, &[data(token)], 0);
        goes_on(Role::Client, &[padded(token, 10)], 0);
        let increment = u32::try_from(token).unwrap();
        let round = [window_update(0, increment), window_update(1, increment)];
        goes_on(Role::Server, &round, HEAD + token);
    }
}

#[test]
fn keystrokes_and_their_echo_pass() {
    goes_on(Role::Server, &[data(1)], HEAD + 1);
}

#[test]
fn a_quiet_connection_is_kept_alive() {
    let mut guard = begun(Role::Server);
    for _ in 0..LONG {
        assert_eq!(guard.received(&ping()), Ok(()));
        guard.sent(17);
        guard.rested(1);
    }
}

#[test]
fn time_pays_no_more_than_the_budget() {
    let mut guard = begun(Role::Server);
    guard.rested(u32::MAX);
    assert_eq!(ends_after(&mut guard, &window_update(0, 99), 0).0, 2_048);
}

/// A bit of everything, its last frame the one that ends it.
fn recorded() -> Vec<u8> {
    let mut frames = vec![
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9]),
        window_update(0, 0x000f_0001),
        frame(kind::HEADERS, 0, 1, &[0x82; 20]),
        frame(kind::CONTINUATION, 0, 1, &[]),
        frame(kind::CONTINUATION, END_HEADERS, 1, &[0x84; 3]),
        data(0),
        data(1),
        padded(3, 8),
        padded(300, 0),
        window_update(1, 2),
        ping(),
        frame(UNKNOWN, 0, 0, &[9; 77]),
        frame(kind::DATA, END_STREAM, 1, b"done"),
        headers(3),
        frame(RST_STREAM, 0, 3, &[0, 0, 0, 8]),
        frame(kind::HEADERS, 0, 5, &[]),
    ];
    frames.extend(vec![frame(kind::CONTINUATION, 0, 5, b"!"); 17]);
    frames.concat()
}

#[test]
fn every_split_has_the_same_verdict() {
    let bytes = recorded();
    let last = bytes.len() - HEAD - 1;
    let mut whole = Guard::new(Role::Server);
    assert_eq!(whole.received(&bytes[..last]), Ok(()));
    for first in 0..=last {
        for second in [first, (first + 1).min(last), (first + 10).min(last), last] {
            let mut guard = Guard::new(Role::Server);
            let parts = [&bytes[..first], &bytes[first..second], &bytes[second..last]];
            for part in parts {
                assert_eq!(guard.received(part), Ok(()), "{first}, {second}");
            }
            assert_eq!(guard, whole, "{first}, {second}");
            let end = guard.received(&bytes[last..]);
            assert_eq!(end, Err(Excess::Continuations), "{first}, {second}");
        }
    }
}

#[test]
fn the_verdict_comes_with_the_last_byte_that_it_needs() {
    let bytes = recorded();
    for step in 1..40 {
        let mut guard = Guard::new(Role::Server);
        let verdict = bytes.chunks(step).position(|part| {
            let verdict = guard.received(part);
            verdict == Err(Excess::Continuations)
        });
        // The head of the last frame is enough; its one byte of payload isn't waited for.
        assert_eq!(verdict, Some((bytes.len() - 2) / step), "by {step}");
    }
}

#[test]
fn our_settings_hold_once_they_are_acknowledged() {
    let mut guard = begun(Role::Server);
    assert!(!guard.is_settled());
    assert_eq!(guard.received(&frame(kind::SETTINGS, 1, 0, &[])), Ok(()));
    assert!(guard.is_settled());
}

#[test]
fn it_is_small() {
    assert_eq!(size_of::<Guard>(), 36);
}
