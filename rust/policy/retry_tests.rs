use super::*;

fn policy(on: &[RetryOn]) -> RetryPolicy {
    RetryPolicy::new(&Retries {
        retry_on: on.to_vec(),
        retriable_status_codes: vec![418],
        ..Retries::default()
    })
}

const SAFE: Seen = Seen {
    unseen: false,
    repeatable: true,
};
const POST: Seen = Seen {
    unseen: false,
    repeatable: false,
};
const UNSEEN: Seen = Seen {
    unseen: true,
    repeatable: false,
};

fn status(status: u16) -> Outcome {
    Outcome::Answered(Answered {
        status,
        ..Answered::default()
    })
}

fn grpc(code: u32) -> Outcome {
    Outcome::Answered(Answered {
        status: 200,
        grpc_status: Some(code),
        ..Answered::default()
    })
}

const MARKED: Outcome = Outcome::Answered(Answered {
    status: 200,
    grpc_status: None,
    rate_limited: false,
    marked: true,
});

const RATE_LIMITED: Outcome = Outcome::Answered(Answered {
    status: 503,
    grpc_status: None,
    rate_limited: true,
    marked: false,
});

/// Each condition with what it takes and what it leaves, of a request that may be repeated.
#[test]
fn conditions_take_what_their_names_say() {
    use Outcome::{Reset, TimedOut, Unconnected};
    let table: &[Row<'_>] = &[
        (
            RetryOn::ServerError,
            &[
                status(500),
                status(503),
                status(599),
                Reset,
                TimedOut,
                Unconnected,
            ],
            &[status(200), status(404), status(409), RATE_LIMITED],
        ),
        (
            RetryOn::GatewayError,
            &[
                status(502),
                status(503),
                status(504),
                Reset,
                TimedOut,
                Unconnected,
            ],
            &[status(500), status(501), status(505)],
        ),
        (
            RetryOn::Reset,
            &[Reset, TimedOut, Unconnected],
            &[status(503), grpc(14)],
        ),
        (RetryOn::ResetBeforeRequest, &[], &[Reset, TimedOut]),
        (RetryOn::RefusedStream, &[], &[Reset, TimedOut]),
        (RetryOn::ConnectFailure, &[Unconnected], &[Reset, TimedOut]),
        (
            RetryOn::EnvoyRateLimited,
            &[RATE_LIMITED],
            &[status(429), status(503)],
        ),
        (RetryOn::Retriable4xx, &[status(409)], &[status(404)]),
        (
            RetryOn::RetriableStatusCodes,
            &[status(418)],
            &[status(503)],
        ),
        (RetryOn::RetriableHeaders, &[MARKED], &[status(200)]),
    ];
    hold(table);
}

#[test]
fn conditions_of_grpc_take_their_status() {
    let table: &[Row<'_>] = &[
        (RetryOn::Cancelled, &[grpc(1)], &[grpc(2), status(499)]),
        (
            RetryOn::DeadlineExceeded,
            &[grpc(4)],
            &[grpc(0), Outcome::TimedOut],
        ),
        (RetryOn::ResourceExhausted, &[grpc(8)], &[grpc(13)]),
        (RetryOn::Internal, &[grpc(13)], &[grpc(14)]),
        (RetryOn::Unavailable, &[grpc(14)], &[grpc(8), status(503)]),
    ];
    hold(table);
}

/// A condition, what it takes and what it leaves.
type Row<'t> = (RetryOn, &'t [Outcome], &'t [Outcome]);

fn hold(table: &[Row<'_>]) {
    for (name, taken, left) in table {
        let policy = policy(&[*name]);
        for outcome in *taken {
            assert!(policy.wants(*outcome, SAFE), "{name:?} takes {outcome:?}");
        }
        for outcome in *left {
            assert!(!policy.wants(*outcome, SAFE), "{name:?} leaves {outcome:?}");
        }
    }
}

#[test]
fn what_may_have_been_processed_is_repeated_where_that_does_no_harm() {
    let all = [
        RetryOn::ServerError,
        RetryOn::RetriableHeaders,
        RetryOn::Retriable4xx,
        RetryOn::EnvoyRateLimited,
    ];
    let careful = policy(&all);
    let consenting = RetryPolicy::new(&Retries {
        non_idempotent: true,
        retry_on: all.to_vec(),
        ..Retries::default()
    });
    for outcome in [
        status(503),
        status(409),
        MARKED,
        RATE_LIMITED,
        Outcome::Reset,
        Outcome::TimedOut,
    ] {
        assert!(careful.wants(outcome, SAFE), "{outcome:?}");
        assert!(!careful.wants(outcome, POST), "{outcome:?}");
        assert!(consenting.wants(outcome, POST), "{outcome:?}");
    }
}

#[test]
fn what_nobody_has_seen_is_sent_again_whatever_the_method() {
    for name in [
        RetryOn::RefusedStream,
        RetryOn::ResetBeforeRequest,
        RetryOn::Reset,
        RetryOn::GatewayError,
    ] {
        assert!(policy(&[name]).wants(Outcome::Reset, UNSEEN), "{name:?}");
    }
    assert!(policy(&[RetryOn::ConnectFailure]).wants(Outcome::Unconnected, UNSEEN));
    assert!(!policy(&[RetryOn::Retriable4xx]).wants(Outcome::Reset, UNSEEN));
}

#[test]
fn naming_a_status_of_grpc_is_consent() {
    let policy = policy(&[RetryOn::Unavailable, RetryOn::ServerError]);
    assert!(policy.wants(grpc(14), POST));
    assert!(!policy.wants(Outcome::Reset, POST));
    assert!(!policy.wants(status(503), POST));
}

#[test]
fn waits_are_random_below_a_bound_that_grows_to_its_end() {
    let policy = policy(&[]);
    for (retry, bound_ms) in [(1, 25), (2, 75), (3, 175), (4, 250), (40, 250)] {
        let bound = Duration::from_millis(bound_ms);
        let longest = u64::try_from(bound.as_micros()).unwrap();
        assert_eq!(policy.wait(retry, longest), bound, "retry {retry}");
        assert_eq!(policy.wait(retry, longest + 1), Duration::ZERO);
        let mean: Duration = (0..10_000)
            .map(|n| policy.wait(retry, n * 0x9e37_79b9))
            .sum::<Duration>()
            / 10_000;
        let half = bound / 2;
        assert!(mean > half * 9 / 10 && mean < half * 11 / 10, "{mean:?}");
    }
}

#[test]
fn methods_that_may_be_repeated() {
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"] {
        assert!(is_idempotent(method), "{method}");
    }
    for method in ["POST", "PATCH", "CONNECT", "get", "PURGE"] {
        assert!(!is_idempotent(method), "{method}");
    }
}
