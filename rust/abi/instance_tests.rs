#![expect(unsafe_code, reason = "filters are functions that get pointers")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use super::super::fake_tests::{Fake, during, in_every_phase, instance};
use super::super::table::{
    McFilter, McHost, REFUSED_FULL, REFUSED_INVALID, REFUSED_PHASE, REFUSED_UNKNOWN,
};
use super::*;

fn returning(phase: Phase, code: c_int) -> Verdict {
    during(phase, &mut Fake::default(), &mut |_, _| code)
}

fn respond(host: &McHost, req: *mut c_void, status: c_int) -> c_int {
    // SAFETY: as the header demands.
    unsafe { (host.respond)(req, status, McStr::of(b"no")) }
}

fn pause(host: &McHost, req: *mut c_void) -> (c_int, usize) {
    let mut token = std::ptr::null_mut();
    // SAFETY: as the header demands.
    let code = unsafe { (host.pause)(req, &raw mut token) };
    (code, token.addr())
}

fn resume(token: usize, code: c_int) -> c_int {
    // SAFETY: as the header demands; a wrong token does no harm.
    unsafe { (HOST.resume)(std::ptr::without_provenance_mut(token), code) }
}

#[test]
fn codes_become_verdicts() {
    assert!(matches!(returning(Phase::Request, 0), Verdict::Continue));
    for code in [400, 401, 599] {
        let status = u16::try_from(code).unwrap();
        let verdict = returning(Phase::Request, code);
        assert!(matches!(verdict, Verdict::Status(found) if found == status));
    }
    for code in [-1, 3, 200, 399, 600, c_int::MIN, c_int::MAX] {
        let verdict = returning(Phase::Response, code);
        assert!(matches!(verdict, Verdict::Fault(Fault::Code(found)) if found == code));
    }
    let verdict = returning(Phase::Request, 1);
    assert!(matches!(verdict, Verdict::Fault(Fault::NoAnswer)));
    let verdict = returning(Phase::Request, 2);
    assert!(matches!(verdict, Verdict::Fault(Fault::NoPause)));
}

#[test]
fn what_a_log_call_returns_means_nothing() {
    for code in [0, 1, 2, 3, 403, -1] {
        assert!(matches!(returning(Phase::Log, code), Verdict::Continue));
    }
}

#[test]
fn an_answer_needs_its_code() {
    let answering = |code| {
        during(Phase::Request, &mut Fake::default(), &mut |host, req| {
            respond(host, req, 403);
            code
        })
    };
    assert!(matches!(answering(1), Verdict::Answered));
    assert!(matches!(answering(429), Verdict::Status(429)));
    assert!(matches!(answering(0), Verdict::Fault(Fault::Code(0))));
    assert!(matches!(answering(2), Verdict::Fault(Fault::NoPause)));
}

#[test]
fn a_refused_answer_is_none() {
    let mut fake = Fake {
        refuse: Some(super::super::Refused::Phase),
        ..Fake::default()
    };
    let verdict = during(Phase::Request, &mut fake, &mut |host, req| {
        c_int::from(respond(host, req, 403) == REFUSED_PHASE)
    });
    assert!(matches!(verdict, Verdict::Fault(Fault::NoAnswer)));
}

#[test]
fn each_phase_has_its_function_and_others_go_on() {
    unsafe extern "C" fn refuse(_: *const McHost, _: *mut c_void, state: *mut c_void) -> c_int {
        c_int::try_from(state.addr()).unwrap_or(-1)
    }
    let state = std::ptr::without_provenance_mut(403);
    let on = Some(refuse as Callback);
    let table = |phase| McFilter {
        state,
        on_connection: on.filter(|_| phase == Phase::Connection),
        on_request: on.filter(|_| phase == Phase::Request),
        on_request_body: on.filter(|_| phase == Phase::RequestBody),
        on_upstream: on.filter(|_| phase == Phase::Upstream),
        on_response: on.filter(|_| phase == Phase::Response),
        on_response_body: on.filter(|_| phase == Phase::ResponseBody),
        on_log: on.filter(|_| phase == Phase::Log),
        ..McFilter::EMPTY
    };
    for phase in Phase::ALL {
        let filter = instance(table(phase), "").unwrap();
        assert_eq!(filter.phases(), Phases::NONE.with(phase));
        for called in Phase::ALL {
            let refused = matches!(
                filter.call(called, &mut Fake::default()),
                Verdict::Status(403)
            );
            assert_eq!(refused, called == phase && phase != Phase::Log);
        }
    }
}

#[test]
fn bodies_are_changed_by_who_says_so() {
    let edits = |flags, on_response_body| {
        let table = McFilter {
            flags,
            on_response_body,
            ..in_every_phase(std::ptr::null_mut())
        };
        let filter = instance(table, "").unwrap();
        [Phase::RequestBody, Phase::ResponseBody, Phase::Request].map(|body| filter.edits(body))
    };
    let function = in_every_phase(std::ptr::null_mut()).on_response_body;
    assert_eq!(edits(0, function), [false; 3]);
    assert_eq!(edits(1, function), [true, false, false]);
    assert_eq!(edits(2, function), [false, true, false]);
    assert_eq!(edits(2, None), [false; 3]);
}

#[test]
fn a_pause_ends_with_a_word_from_any_thread() {
    let (tokens, waiting) = mpsc::channel();
    let other = thread::spawn(move || resume(waiting.recv().unwrap(), 451));
    let verdict = during(Phase::Request, &mut Fake::default(), &mut |host, req| {
        tokens.send(pause(host, req).1).map_or(-1, |()| PAUSE)
    });
    let Verdict::Paused(code) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(code.blocking_recv(), Ok(451));
    assert_eq!(other.join().unwrap(), 0);
}

#[test]
fn a_word_may_come_before_the_call_returns() {
    let verdict = during(Phase::Request, &mut Fake::default(), &mut |host, req| {
        resume(pause(host, req).1, 0) + PAUSE
    });
    let Verdict::Paused(mut code) = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(code.try_recv(), Ok(0));
}

#[test]
fn a_token_of_a_call_that_went_on_is_void() {
    for code in [0, 403, 7] {
        let mut token = 0;
        let verdict = during(Phase::Request, &mut Fake::default(), &mut |host, req| {
            token = pause(host, req).1;
            code
        });
        assert!(!matches!(verdict, Verdict::Paused(_)));
        assert_ne!(token, 0);
        assert_eq!(resume(token, 0), REFUSED_UNKNOWN);
    }
}

#[test]
fn a_call_pauses_once_and_not_with_an_answer() {
    let mut second = (0, 0);
    let verdict = during(Phase::Request, &mut Fake::default(), &mut |host, req| {
        pause(host, req);
        second = pause(host, req);
        PAUSE
    });
    assert!(matches!(verdict, Verdict::Paused(_)));
    assert_eq!(second, (REFUSED_PHASE, 0));
    let verdict = during(Phase::Request, &mut Fake::default(), &mut |host, req| {
        pause(host, req);
        respond(host, req, 403);
        PAUSE
    });
    assert!(matches!(verdict, Verdict::Fault(Fault::Code(PAUSE))));
}

#[test]
fn only_a_request_whose_head_is_looked_at_waits() {
    for phase in Phase::ALL {
        let mut code = 0;
        let verdict = during(phase, &mut Fake::default(), &mut |host, req| {
            code = pause(host, req).0;
            PAUSE
        });
        match phase {
            Phase::Request => assert!(matches!(verdict, Verdict::Paused(_)) && code == 0),
            Phase::Log => assert!(matches!(verdict, Verdict::Continue)),
            _ => assert!(matches!(verdict, Verdict::Fault(Fault::PauseRefused))),
        }
        assert!(phase == Phase::Request || code == REFUSED_PHASE);
    }
}

/// What the functions below were called with, by the state that they made.
#[derive(Default)]
struct Life {
    config: String,
    destroyed: AtomicUsize,
}

/// Makes a state of its config: `!text` is refused with that text, `?` without a word.
unsafe extern "C" fn create(
    host: *const McHost,
    config: McStr,
    state: *mut *mut c_void,
    error: *mut McStr,
) -> c_int {
    // SAFETY: as the header promises.
    let (host, config) = unsafe {
        let config = super::super::call::bytes(config, MAX_CONFIG);
        (&*host, config.unwrap_or_default())
    };
    let define = |name: &str| {
        // SAFETY: as the header demands.
        unsafe { (host.define_counter)(McStr::of(name.as_bytes())) }
    };
    match config {
        [b'?', ..] => return 7,
        [b'!', why @ ..] => {
            // SAFETY: as the header promises; the text is the caller's own.
            unsafe { error.write(McStr::of(why)) };
            return -1;
        }
        _ => {}
    }
    let longest = "n".repeat(65);
    let ids = [
        define("hits"),
        define("misses"),
        define("hits"),
        define(""),
        define("1st"),
        define("a-b"),
        define(&longest),
    ];
    let many: Vec<_> = (0..63).map(|index| define(&format!("c{index}"))).collect();
    let expected = [0, 1, 0].into_iter().chain([REFUSED_INVALID; 4]);
    if !expected.eq(ids) || many.last() != Some(&REFUSED_FULL) || many.get(61) != Some(&63) {
        return 8;
    }
    let life = Life {
        config: String::from_utf8_lossy(config).into_owned(),
        ..Life::default()
    };
    // SAFETY: as the header promises.
    unsafe { state.write(Box::into_raw(Box::new(life)).cast()) };
    0
}

unsafe extern "C" fn destroy(state: *mut c_void) {
    // SAFETY: `create` made it, and nobody frees it.
    let life = unsafe { &*state.cast::<Life>() };
    life.destroyed.fetch_add(1, Ordering::Relaxed);
}

unsafe extern "C" fn count(host: *const McHost, req: *mut c_void, _: *mut c_void) -> c_int {
    // SAFETY: as the header demands.
    let codes = unsafe {
        let host = &*host;
        [
            (host.add_counter)(req, 0, 1),
            (host.add_counter)(req, 1, 40),
            (host.add_counter)(req, 64, 1),
            (host.add_counter)(req, -1, 1),
            (host.define_counter)(McStr::of(b"late")),
        ]
    };
    let expected = [0, 0, REFUSED_UNKNOWN, REFUSED_UNKNOWN, REFUSED_PHASE];
    c_int::from(codes != expected) * 500
}

fn living(config: &str) -> Result<Instance, String> {
    let table = McFilter {
        create: Some(create),
        destroy: Some(destroy),
        on_request: Some(count),
        ..McFilter::EMPTY
    };
    instance(table, config)
}

#[test]
fn a_state_is_created_and_destroyed_once() {
    let filter = living("{\"a\": 1}").unwrap();
    // SAFETY: `create` made it, and nobody frees it.
    let life = unsafe { &*filter.state.cast::<Life>() };
    assert_eq!(life.config, "{\"a\": 1}");
    assert_eq!(life.destroyed.load(Ordering::Relaxed), 0);
    drop(filter);
    assert_eq!(life.destroyed.load(Ordering::Relaxed), 1);
}

#[test]
fn what_is_counted_is_told() {
    let filter = living("").unwrap();
    for _ in 0..2 {
        let verdict = filter.call(Phase::Request, &mut Fake::default());
        assert!(matches!(verdict, Verdict::Continue), "{verdict:?}");
    }
    let counters = filter.counters();
    assert_eq!(counters[0], ("hits".to_owned(), 2));
    assert_eq!(counters[1], ("misses".to_owned(), 80));
    assert_eq!(counters.len(), 64);
}

#[test]
fn a_config_is_refused_in_the_filters_words() {
    let refusal = |config: &str| living(config).unwrap_err();
    assert_eq!(
        refusal("! no keys\n"),
        "filter \"fake\" refuses its config: no keys"
    );
    assert_eq!(refusal("?"), "filter \"fake\" refuses its config (code 7)");
    let long = refusal(&format!("!{}", "x".repeat(5_000)));
    assert!(long.len() < MAX_ERROR + 100);
    let huge = refusal(&"x".repeat(MAX_CONFIG + 1));
    assert!(huge.contains("at most 1048576 are possible"));
}

#[test]
fn a_filter_that_creates_nothing_takes_no_config() {
    let table = in_every_phase(std::ptr::null_mut());
    let refusal = instance(table, "x").unwrap_err();
    assert_eq!(refusal, "filter \"fake\" takes no config");
    let unknown = Instance::create("nobody", "").unwrap_err();
    assert_eq!(unknown, "there is no filter \"nobody\"");
}

#[test]
fn all_workers_share_an_instance() {
    let filter = living("").unwrap();
    let thousand = || {
        for _ in 0..1_000 {
            filter.call(Phase::Request, &mut Fake::default());
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(thousand);
        }
    });
    assert_eq!(filter.counters()[0].1, 4_000);
}
