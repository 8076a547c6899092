use super::*;

#[test]
fn requests_that_have_gone_leave_nothing() {
    let mut waiting = Waiting::new();
    for _ in 0..10 * SWEEP_EVERY {
        waiting.ask().unwrap();
        assert!(waiting.senders.len() <= SWEEP_EVERY);
    }
}

#[test]
fn no_more_wait_than_may_and_room_comes_back() {
    let mut waiting = Waiting::new();
    let asked: Vec<_> = (0..MAX_WAITING).map(|_| waiting.ask().unwrap()).collect();
    assert!(matches!(waiting.ask(), Err(Refused::Full)));
    drop(asked);
    let tries = (0..=MAX_WAITING).take_while(|_| waiting.ask().is_err());
    assert!(tries.count() <= MAX_WAITING / 8);
}

#[test]
fn a_token_is_never_null_and_never_given_twice() {
    let mut waiting = Waiting::new();
    waiting.last = usize::MAX - 1;
    let tokens: Vec<_> = (0..3).map(|_| waiting.ask().unwrap().0).collect();
    assert_eq!(tokens, [usize::MAX, 1, 2]);
}

#[test]
fn a_token_is_used_once() {
    let (token, mut code) = ask().unwrap();
    assert_eq!(resume(token, 403), Ok(()));
    assert_eq!(resume(token, 0), Err(Refused::Unknown));
    assert_eq!(code.try_recv(), Ok(403));
}

#[test]
fn a_code_without_meaning_lets_the_request_go() {
    for code in [-1, 1, 2, 200, 399, 600] {
        let (token, mut coming) = ask().unwrap();
        assert_eq!(resume(token, code), Err(Refused::Invalid));
        assert!(coming.try_recv().is_err());
        assert_eq!(resume(token, 0), Err(Refused::Unknown));
    }
}

#[test]
fn a_request_that_has_gone_is_known_to_nobody() {
    let (token, code) = ask().unwrap();
    drop(code);
    assert_eq!(resume(token, 0), Err(Refused::Unknown));
}
