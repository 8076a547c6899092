//! Hooks: what is refused, and what stays when something else changes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::super::Snapshot;
use super::{House, remove, web};
use crate::abi::Phase;
use crate::policy::hook::{Hook, Kind, Part, Python};
use crate::route::Route;
use crate::telemetry::Resource;

fn hook(name: &str, python: &Value) -> Value {
    let mut whole = json!({"phase": "request", "concurrency": 2, "max_pending": 3});
    whole
        .as_object_mut()
        .unwrap()
        .extend(python.as_object().unwrap().clone());
    json!({"name": name, "timeout_ms": 20, "python": whole})
}

/// The change of `web`, with hooks, of which the route uses these and the listener those.
fn used(hooks: &[Value], route: Value, listener: Value) -> Value {
    let mut delta = web("a");
    delta["hooks"] = json!(hooks);
    delta["route_tables"][0]["routes"][0]["hooks"] = route;
    delta["listeners"][0]["hooks"] = listener;
    delta
}

fn route(snapshot: &Snapshot) -> &Route {
    let table = snapshot.listeners[0].routes.as_ref().unwrap();
    table.routes().first().unwrap()
}

fn names(route: &Route) -> Vec<&str> {
    let hooks = route.hooks.as_ref().unwrap();
    hooks.uses.iter().map(|one| &*one.hook.name).collect()
}

fn python(hook: &Hook) -> &Python {
    let Kind::Python(python) = &hook.kind else {
        panic!("a function");
    };
    python
}

#[test]
fn a_route_and_its_listener_have_their_hooks_in_order() {
    let (one, two) = (hook("one", &json!({})), hook("two", &json!({})));
    let uses = json!([{"name": "two"}, {"name": "one", "on_error": "allow"}]);
    let snapshot = House::default()
        .apply(used(&[one, two], uses, json!([{"name": "one"}])))
        .unwrap();
    assert_eq!(names(route(&snapshot)), ["two", "one"]);
    let hooks = route(&snapshot).hooks.as_ref().unwrap();
    assert!(hooks.phases.has(Phase::Request) && !hooks.phases.has(Phase::Log));
    assert_eq!(
        [hooks.uses[0].allow, hooks.uses[1].allow],
        [false, true],
        "the place decides about failures"
    );
    let of_listener = snapshot.listeners[0].hooks.as_ref().unwrap();
    assert!(Arc::ptr_eq(&of_listener.uses[0].hook, &hooks.uses[1].hook));
    let all: Vec<&str> = snapshot.hooks.iter().map(|one| &*one.name).collect();
    assert_eq!(all, ["one", "two"]);
}

#[test]
fn a_hook_is_counted_while_it_is_configured() {
    let mut house = House::default();
    house
        .apply(json!({"hooks": [hook("one", &json!({}))]}))
        .unwrap();
    assert!(house.compiler.configures(Resource::Hook("one")));
    house.apply(remove("Hook", "one")).unwrap();
    assert!(!house.compiler.configures(Resource::Hook("one")));
}

#[test]
fn what_a_hook_says_is_compiled() {
    let cache = json!({"key": ["header.X-Key", "source.ip"], "ttl_ms": 5, "entries": 7});
    let said = json!({"headers": ["Authorization"], "body_bytes": 9, "cache": cache});
    let snapshot = House::default()
        .apply(json!({"hooks": [hook("one", &said)]}))
        .unwrap();
    let python = python(&snapshot.hooks[0]);
    assert_eq!(&*python.headers, ["authorization".into()]);
    assert_eq!((python.body_bytes, python.room_for), (9, 5));
    let cache = python.cache.as_ref().unwrap();
    assert_eq!(&*cache.key, [Part::Header("x-key".into()), Part::SourceIp]);
    assert_eq!((cache.ttl.as_millis(), cache.entries), (5, 7));
}

#[test]
fn places_without_hooks_have_none() {
    let snapshot = House::default().apply(web("a")).unwrap();
    assert!(route(&snapshot).hooks.is_none());
    assert!(snapshot.listeners[0].hooks.is_none());
}

#[test]
fn a_hook_that_stays_as_it_was_keeps_its_object() {
    let mut house = House::default();
    let hooks = [hook("one", &json!({}))];
    let uses = json!([{"name": "one"}]);
    let first = house.apply(used(&hooks, uses, json!([]))).unwrap();
    let second = house.apply(json!({"hooks": hooks})).unwrap();
    assert!(Arc::ptr_eq(&first.hooks[0], &second.hooks[0]));
    assert!(
        Arc::ptr_eq(&first.listeners[0], &second.listeners[0]),
        "nor is what uses it compiled anew"
    );
}

#[test]
fn a_replaced_hook_reaches_routes_and_listeners_that_stay() {
    let mut house = House::default();
    let hooks = [hook("one", &json!({})), hook("two", &json!({}))];
    let (routes, listeners) = (json!([{"name": "one"}]), json!([{"name": "two"}]));
    let first = house.apply(used(&hooks, routes, listeners)).unwrap();
    python(&first.hooks[0]).asked.store(2, Ordering::Relaxed);

    let second = house
        .apply(json!({"hooks": [hook("one", &json!({"concurrency": 9}))]}))
        .unwrap();
    let now = &route(&second).hooks.as_ref().unwrap().uses[0].hook;
    assert!(Arc::ptr_eq(now, &second.hooks[0]));
    let python = python(now);
    assert_eq!(python.room_for, 12);
    assert_eq!(
        python.asked.load(Ordering::Relaxed),
        2,
        "calls on their way count"
    );

    let third = house
        .apply(json!({"hooks": [hook("two", &json!({"phase": "connection"}))]}))
        .unwrap();
    let listener = &third.listeners[0];
    assert!(
        listener
            .hooks
            .as_ref()
            .unwrap()
            .phases
            .has(Phase::Connection)
    );
    assert!(Arc::ptr_eq(
        second.listeners[0].routes.as_ref().unwrap(),
        listener.routes.as_ref().unwrap()
    ));
}

#[test]
fn a_hook_that_is_used_stays() {
    let mut house = House::default();
    let (hooks, uses) = ([hook("one", &json!({}))], json!([{"name": "one"}]));
    house
        .apply(used(&hooks, uses.clone(), uses.clone()))
        .unwrap();
    let gone = || remove("Hook", "one");
    let in_use = || ("in_use", "one".to_owned());
    assert_eq!(house.refused(gone()), [in_use(), in_use()]);
    let mut both = used(&[], json!([]), json!([]));
    both["remove"] = gone()["remove"].clone();
    assert!(house.apply(both).unwrap().hooks.is_empty());
    assert_eq!(
        house.refused(used(&[], uses, json!([]))),
        [("hook_unknown", "web".to_owned())]
    );
}

fn codes(python: &Value) -> Vec<(&'static str, String)> {
    let delta = json!({"hooks": [hook("one", python)]});
    let Err(problems) = House::default().apply(delta) else {
        return Vec::new();
    };
    let brief = problems.into_iter().map(|one| (one.code, one.path));
    brief.collect()
}

#[test]
fn what_does_not_fit_a_hook_is_told_with_its_key() {
    let cache = |key: &[&str], ttl: u64, entries: u32| json!({"cache": {"key": key, "ttl_ms": ttl, "entries": entries}});
    let key = "python.cache.key";
    for (python, code, path) in [
        (
            json!({"concurrency": 0}),
            "limit_invalid",
            "python.concurrency",
        ),
        (
            json!({"max_pending": 1_000_001}),
            "limit_invalid",
            "python.max_pending",
        ),
        (
            json!({"body_bytes": 1_u64 << 40}),
            "limit_invalid",
            "python.body_bytes",
        ),
        (
            json!({"phase": "log", "body_bytes": 1}),
            "hook_phase_unfit",
            "python.body_bytes",
        ),
        (
            json!({"headers": ["a b"]}),
            "header_invalid",
            "python.headers[0]",
        ),
        (
            cache(&["header."], 1, 1),
            "header_invalid",
            "python.cache.key[0]",
        ),
        (
            cache(&["path", "shoe"], 1, 1),
            "cache_key_invalid",
            "python.cache.key[1]",
        ),
        (cache(&[], 1, 1), "cache_key_invalid", key),
        (cache(&["path"], 0, 1), "timeout_zero", "python.cache.ttl"),
        (
            cache(&["path"], 1, 0),
            "limit_invalid",
            "python.cache.entries",
        ),
        (
            cache(&["path"], 1, 1_000_001),
            "limit_invalid",
            "python.cache.entries",
        ),
    ] {
        assert_eq!(codes(&python), [(code, path.to_owned())], "{python}");
    }
    let mut late = cache(&["path"], 1, 1);
    late["phase"] = json!("response");
    assert_eq!(
        codes(&late),
        [("hook_phase_unfit", "python.cache".to_owned())]
    );
}

#[test]
fn a_hook_is_one_thing_and_has_its_time() {
    let refused = |hook: Value| House::default().refused(json!({"hooks": [hook]}));
    let one = || "one".to_owned();
    let neither = json!({"name": "one", "timeout_ms": 1});
    assert_eq!(refused(neither), [("hook_kind_invalid", one())]);
    let mut both = hook("one", &json!({}));
    both["native"] = json!({"filter": "x"});
    assert_eq!(refused(both), [("hook_kind_invalid", one())]);
    for timeout in [0, 60_001] {
        let mut timed = hook("one", &json!({}));
        timed["timeout_ms"] = json!(timeout);
        assert_eq!(refused(timed), [("timeout_invalid", one())]);
    }
    let twice = json!({"hooks": [hook("one", &json!({})), hook("one", &json!({}))]});
    assert_eq!(House::default().refused(twice), [("name_taken", one())]);
}

#[test]
fn a_filter_that_is_not_there_is_told_once() {
    let filter = json!({"name": "one", "timeout_ms": 1, "native": {"filter": "nowhere"}});
    let uses = json!([{"name": "one"}]);
    assert_eq!(
        House::default().refused(used(&[filter], uses.clone(), uses)),
        [("filter_unusable", "one".to_owned())]
    );
}

#[test]
fn a_hook_stands_where_its_phase_comes() {
    let connection = hook("one", &json!({"phase": "connection"}));
    let uses = json!([{"name": "one"}]);
    let at_route = used(std::slice::from_ref(&connection), uses, json!([]));
    assert_eq!(
        House::default().refused(at_route),
        [("hook_phase_unfit", "web".to_owned())]
    );
    let tcp = |hook: Value| {
        json!({"clusters": [{"name": "a"}], "hooks": [hook], "listeners": [{"name": "t",
            "address": "127.0.0.1:0", "protocol": "tcp", "to": [{"cluster": "a"}],
            "hooks": [{"name": "one"}]}]})
    };
    assert_eq!(
        House::default().refused(tcp(hook("one", &json!({})))),
        [("hook_phase_unfit", "t".to_owned())]
    );
    House::default().apply(tcp(connection)).unwrap();
}
