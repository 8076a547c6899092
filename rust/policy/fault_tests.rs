use super::*;
use crate::wire::Kind;

/// What `json` decides of so many requests, drawn from a seed.
fn decided(json: &str, requests: usize, seed: u64) -> Vec<Injected> {
    let wire = serde_json::from_str(json).unwrap();
    let mut problems = Problems::new(Kind::RouteTable, "test");
    let fault = Fault::compile(&wire, "routes[0].fault", &mut problems);
    let fault = fault.unwrap_or_else(|| panic!("{:?}", problems.into_vec()));
    let mut random = numbers(seed);
    let one = |_| fault.decide(&mut random);
    (0..requests).map(one).collect()
}

/// Uniform numbers: `SplitMix64`.
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn problem(json: &str) -> (&'static str, String) {
    let wire = serde_json::from_str(json).unwrap();
    let mut problems = Problems::new(Kind::RouteTable, "test");
    assert!(Fault::compile(&wire, "fault", &mut problems).is_none());
    let mut found = problems.into_vec();
    assert_eq!(found.len(), 1, "{found:?}");
    let problem = found.remove(0);
    (problem.code, problem.path)
}

#[test]
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn shares_are_met() {
    for seed in 0..20 {
        for percent in [0.0, 0.1, 10.0, 33.3, 50.0, 99.0, 100.0] {
            let json = format!(
                r#"{{"delay": {{"fixed_ms": 5, "percentage": {percent}}}, "abort": {{"status": 503, "percentage": {percent}}}}}"#
            );
            let all = decided(&json, 10_000, seed);
            let delayed = all.iter().filter(|it| it.delay.is_some()).count();
            let aborted = all.iter().filter(|it| it.abort.is_some()).count();
            for found in [delayed, aborted] {
                let wanted: f64 = percent / 100.0;
                let off = (found as f64 / 10_000.0 - wanted).abs();
                // Four standard deviations; a whole point is two of a share of half.
                let bound = 4.0 * (wanted * (1.0 - wanted) / 10_000.0).sqrt();
                assert!(
                    off <= bound,
                    "seed {seed}: {found} of 10,000 for {percent} %"
                );
            }
        }
    }
}

#[test]
fn delay_and_abort_are_drawn_each_for_itself() {
    let json = r#"{"delay": {"fixed_ms": 5, "percentage": 50}, "abort": {"status": 500, "percentage": 50}}"#;
    let both = decided(json, 100_000, 7);
    let both = both
        .iter()
        .filter(|it| it.delay.is_some() && it.abort.is_some());
    let both = both.count();
    assert!((24_000..26_000).contains(&both), "{both}");
}

#[test]
fn exponential_delays_have_their_mean_and_a_bound() {
    let all = decided(r#"{"delay": {"exponential_ms": 100}}"#, 100_000, 3);
    let delays: Vec<Duration> = all.iter().map(|it| it.delay.unwrap()).collect();
    let mean = delays.iter().sum::<Duration>() / 100_000;
    assert!((99..=101).contains(&mean.as_millis()), "{mean:?}");
    assert!(delays.iter().all(|delay| *delay <= Duration::from_secs(1)));
    let longer = delays.iter().filter(|it| **it > Duration::from_millis(100));
    // One of e.
    let longer = longer.count();
    assert!((36_000..37_600).contains(&longer), "{longer}");
}

#[test]
fn the_ends_of_the_numbers_are_delays() {
    for (random, delay) in [(0, Duration::from_secs(1)), (u64::MAX, Duration::ZERO)] {
        let wait = Wait::Exponential(Duration::from_millis(100));
        assert_eq!(wait.draw(&mut || random), delay);
    }
    assert!(Chance(Percentage::WHOLE).falls_on(u64::MAX));
    assert!(!Chance(0).falls_on(0));
}

#[test]
fn an_abort_has_a_status_for_each_kind_of_client() {
    let abort = |json: &str| decided(json, 1, 1)[0].abort.unwrap();
    let (status, grpc) = (418, None);
    assert_eq!(
        abort(r#"{"abort": {"status": 418}}"#),
        Abort { status, grpc }
    );
    let (status, grpc) = (409, Some(10));
    assert_eq!(
        abort(r#"{"abort": {"grpc_status": "ABORTED"}}"#),
        Abort { status, grpc }
    );
}

#[test]
fn what_is_no_fault_is_told() {
    let cases = [
        ("{}", "fault_empty", "fault"),
        (r#"{"delay": {}}"#, "delay_ambiguous", "fault.delay"),
        (
            r#"{"delay": {"fixed_ms": 1, "exponential_ms": 1}}"#,
            "delay_ambiguous",
            "fault.delay",
        ),
        (
            r#"{"delay": {"fixed_ms": 0}}"#,
            "delay_invalid",
            "fault.delay.fixed",
        ),
        (
            r#"{"delay": {"exponential_ms": 3600001}}"#,
            "delay_invalid",
            "fault.delay.exponential",
        ),
        (r#"{"abort": {}}"#, "abort_ambiguous", "fault.abort"),
        (
            r#"{"abort": {"status": 500, "grpc_status": "INTERNAL"}}"#,
            "abort_ambiguous",
            "fault.abort",
        ),
        (
            r#"{"abort": {"status": 101}}"#,
            "status_invalid",
            "fault.abort.status",
        ),
        (
            r#"{"abort": {"grpc_status": "OK"}}"#,
            "grpc_status_invalid",
            "fault.abort.grpc_status",
        ),
    ];
    for (json, code, path) in cases {
        assert_eq!(problem(json), (code, path.to_owned()), "{json}");
    }
    let percent = |text: &str| serde_json::from_str::<Percentage>(text);
    assert!(percent("100.1").is_err() && percent("-1").is_err());
    assert_eq!(percent("0.0001").unwrap().millionths(), 1);
}
