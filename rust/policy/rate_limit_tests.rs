use super::*;
use crate::wire::Kind;

const SECOND: u64 = 1_000_000_000;

fn limits(json: &str) -> Result<Vec<RateLimit>, Vec<(&'static str, String)>> {
    let wire: Vec<route::RateLimit> = serde_json::from_str(json).unwrap();
    let mut problems = Problems::new(Kind::RouteTable, "test");
    let compiled = RateLimit::compile_all(&wire, "limits", &mut problems);
    let found = problems.into_vec().into_iter().map(|it| (it.code, it.path));
    compiled.ok_or_else(|| found.collect())
}

fn limit(key: &str, requests: u32, burst: u32) -> RateLimit {
    let json = format!(
        r#"[{{"name": "a", "local": {{"requests": {requests}, "burst": {burst}}}, "key": "{key}"}}]"#
    );
    limits(&json).unwrap().into_iter().next().unwrap()
}

fn passes(limit: &RateLimit, subject: &[u8], now: u64) -> bool {
    limit.decide(subject, now).unwrap().wait.is_none()
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn ten_times_the_rate_is_cut_to_it() {
    for rate in [1, 7, 100, 3_333] {
        let limit = limit("route", rate, 2);
        let step = SECOND / u64::from(rate) / 10;
        let tries = (0..10 * u64::from(rate) * 10).map(|at| SECOND + at * step);
        let passed = tries.filter(|now| passes(&limit, b"", *now)).count();
        let wanted = 10.0 * f64::from(rate);
        assert!(
            (passed as f64 - wanted).abs() <= 1.0 + wanted / 100.0,
            "{rate}: {passed}"
        );
    }
}

#[test]
fn a_burst_passes_and_is_told() {
    let limit = limit("route", 10, 3);
    let told = |now| {
        let verdict = limit.decide(b"", now).unwrap();
        let wait = verdict.wait.map(|wait| wait.as_millis());
        (
            wait,
            verdict.limit,
            verdict.remaining,
            verdict.reset.as_millis(),
        )
    };
    assert_eq!(told(SECOND), (None, 10, 2, 100));
    assert_eq!(told(SECOND), (None, 10, 1, 200));
    assert_eq!(told(SECOND), (None, 10, 0, 300));
    assert_eq!(told(SECOND), (Some(100), 10, 0, 300));
    assert_eq!(told(SECOND + SECOND / 10), (None, 10, 0, 300));
    assert_eq!(told(10 * SECOND), (None, 10, 2, 100));
}

#[test]
fn two_workers_let_pass_what_one_would() {
    for key in ["route", "source_address"] {
        let limit = limit(key, 1_000, 500);
        // Known before they meet at it.
        assert!(passes(&limit, b"a", SECOND));
        let work = || (0..10_000).filter(|_| passes(&limit, b"a", SECOND)).count();
        let passed = std::thread::scope(|scope| {
            let workers = [scope.spawn(work), scope.spawn(work)];
            workers
                .map(|worker| worker.join().unwrap())
                .iter()
                .sum::<usize>()
        });
        assert_eq!(passed, 499);
    }
}

#[test]
fn each_key_has_its_own_bucket() {
    let limit = limit("header.X-User", 1, 1);
    assert_eq!(limit.key(), &Key::Header("x-user".into()));
    for subject in [b"a", b"b"] {
        assert!(passes(&limit, subject, SECOND));
        assert!(!passes(&limit, subject, SECOND));
    }
}

#[test]
fn keys_beyond_the_table_take_the_place_of_idle_ones() {
    let limit = limit("source_address", 1, 1);
    // A quarter of the table hardly ever fills a set.
    let subject = |at: u32| at.to_ne_bytes();
    let lost = (0..16_384)
        .filter(|at| !passes(&limit, &subject(*at), SECOND))
        .count();
    assert_eq!(lost, 0);
    let kept = (0..16_384).filter(|at| !passes(&limit, &subject(*at), SECOND));
    let kept = kept.count();
    assert!(kept > 16_000, "{kept}");
    // Ten tables' worth of others, and it goes on.
    let fresh = (0..655_360).filter(|at| passes(&limit, &subject(1_000_000 + at), 9 * SECOND));
    assert_eq!(fresh.count(), 655_360);
}

#[test]
fn buckets_outlive_a_change_of_the_rate() {
    let old = limit("route", 1, 60);
    while passes(&old, b"", SECOND) {}
    let mut new = limit("route", 10, 1);
    new.inherit(&old);
    assert!(!passes(&new, b"", SECOND));
    // What the slow rate was ahead is no debt of the new one.
    assert!(passes(&new, b"", SECOND + SECOND / 10));
    let mut other = limit("identity", 10, 1);
    other.inherit(&old);
    assert!(passes(&other, b"", SECOND));
}

#[test]
fn what_is_no_limit_is_told() {
    let cases = [
        (
            r#"{"name": "a", "local": {"requests": 0}}"#,
            "rate_invalid",
            "limits[0].local",
        ),
        (
            r#"{"name": "a", "local": {"requests": 2, "per_ms": 0}}"#,
            "rate_invalid",
            "limits[0].local",
        ),
        (
            r#"{"name": "a", "local": {"requests": 1000001}}"#,
            "rate_invalid",
            "limits[0].local",
        ),
        (
            r#"{"name": "a", "local": {"requests": 1, "burst": 0}}"#,
            "burst_zero",
            "limits[0].local.burst",
        ),
        (
            r#"{"name": "a", "local": {"requests": 1}, "key": "x"}"#,
            "rate_limit_key",
            "limits[0].key",
        ),
        (
            r#"{"name": "a", "local": {"requests": 1}, "key": "header."}"#,
            "rate_limit_key",
            "limits[0].key",
        ),
        (
            r#"{"name": "a", "local": {"requests": 1}, "status": 200}"#,
            "status_invalid",
            "limits[0].status",
        ),
        (
            r#"{"name": "a", "local": {"requests": 1}}, {"name": "a", "local": {"requests": 1}}"#,
            "rate_limit_duplicate",
            "limits[1].name",
        ),
    ];
    for (json, code, path) in cases {
        let found = limits(&format!("[{json}]")).unwrap_err();
        assert_eq!(found, [(code, path.to_owned())], "{json}");
    }
}
