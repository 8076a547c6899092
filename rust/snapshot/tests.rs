mod hook;
mod http2;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Compiler, Names, Snapshot, Surroundings};
use crate::policy::health::Obstacle;
use crate::telemetry::{LogSinks, Registry, Resource};
use crate::tls::credentials::Credentials;
use crate::wire::{Delta, Problem};

#[derive(Default)]
struct House {
    compiler: Compiler,
    credentials: Credentials,
    names: Names,
}

impl House {
    /// Puts `delta` in force, or says why not.
    fn apply(&mut self, delta: Value) -> Result<Arc<Snapshot>, Vec<Problem>> {
        let delta: Delta = serde_json::from_value(delta).unwrap();
        let logs = LogSinks::new(Arc::new(Registry::default()));
        let around = Surroundings {
            credentials: &self.credentials,
            logs: &logs,
            names: &self.names,
        };
        let staged = self.compiler.stage(delta, &around)?;
        Ok(self.compiler.commit(staged))
    }

    fn refused(&mut self, delta: Value) -> Vec<(&'static str, String)> {
        let problems = self.apply(delta).unwrap_err();
        let brief = problems
            .into_iter()
            .map(|problem| (problem.code, problem.name));
        brief.collect()
    }
}

fn web(to: &str) -> Value {
    json!({
        "listeners": [{"name": "web", "address": "127.0.0.1:8080", "route_table": "web"}],
        "route_tables": [{"name": "web", "routes": [{"name": "r", "to": [{"cluster": to}]}]}],
        "clusters": [{"name": to}],
        "endpoints": [{"name": to, "endpoints": [{"address": "127.0.0.1:1"},
            {"address": "host.test:2"}]}],
    })
}

fn remove(kind: &str, name: &str) -> Value {
    json!({"remove": [{"kind": kind, "name": name}]})
}

#[test]
fn what_a_change_leaves_alone_keeps_its_object() {
    let mut house = House::default();
    let first = house.apply(web("a")).unwrap();
    let endpoints =
        json!({"endpoints": [{"name": "b", "endpoints": []}], "clusters": [{"name": "b"}]});
    let second = house.apply(endpoints).unwrap();
    assert_eq!(second.generation, first.generation + 1);
    assert!(Arc::ptr_eq(&first.listeners[0], &second.listeners[0]));
    let of = |snapshot: &Snapshot| snapshot.clusters[0].clone().unwrap();
    assert!(Arc::ptr_eq(&of(&first), &of(&second)));
}

#[test]
fn an_endpoint_that_stays_keeps_its_counts() {
    let mut house = House::default();
    let first = house.apply(web("a")).unwrap();
    let before = first.clusters[0].as_ref().unwrap().endpoints[0].clone();
    let _place = before.open.enter(0);
    let change = json!({"endpoints": [{"name": "a", "endpoints": [
        {"address": "127.0.0.1:9"}, {"address": "127.0.0.1:1", "weight": 5}]}]});
    let second = house.apply(change).unwrap();
    let after = second.clusters[0].as_ref().unwrap().endpoints[1].clone();
    assert_eq!((after.weight, after.open.value()), (5, 1));
    assert!(Arc::ptr_eq(&before.load, &after.load));
    let limited = json!({"listeners": [{"name": "web", "address": "127.0.0.1:8080",
        "route_table": "web", "limits": {"connections": 7}}]});
    let third = house.apply(limited).unwrap();
    assert!(Arc::ptr_eq(
        &second.listeners[0].open,
        &third.listeners[0].open
    ));
}

#[test]
fn an_endpoint_that_stays_keeps_its_obstacles_and_tells_of_changes_to_all() {
    let mut house = House::default();
    let first = house.apply(web("a")).unwrap();
    let endpoint = |snapshot: &Snapshot, at: usize| {
        Arc::clone(&snapshot.clusters[0].as_ref().unwrap().endpoints[at].health)
    };
    endpoint(&first, 0).set(Obstacle::Ejected, true, 5);
    let change = json!({"endpoints": [{"name": "a", "endpoints": [
        {"address": "127.0.0.1:9"}, {"address": "127.0.0.1:1", "weight": 5}]}]});
    let second = house.apply(change).unwrap();
    assert!(endpoint(&second, 0).is_available());
    assert!(!endpoint(&second, 1).is_available());
    endpoint(&second, 0).set(Obstacle::Draining, true, 6);
    assert_eq!(endpoint(&second, 1).generation().now(), 2);
}

#[test]
fn a_table_of_keys_stays_until_what_it_depends_on_changes() {
    let mut house = House::default();
    let change = |balance: &str, weight: u32| {
        json!({"clusters": [{"name": "a", "balance": balance}],
            "endpoints": [{"name": "a", "endpoints": [{"address": "127.0.0.1:1"},
                {"address": "127.0.0.1:2", "weight": weight}]}]})
    };
    let mut table = |balance, weight| {
        let snapshot = house.apply(change(balance, weight)).unwrap();
        snapshot.clusters[0].as_ref().unwrap().hashing.clone()
    };
    let first = table("maglev", 1).unwrap();
    assert!(Arc::ptr_eq(&first, &table("maglev", 1).unwrap()));
    let second = table("maglev", 2).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    assert!(!Arc::ptr_eq(&second, &table("ring_hash", 2).unwrap()));
    assert!(table("round_robin", 2).is_none());
}

#[test]
fn tables_of_keys_have_bounds() {
    for (hash, code) in [
        (json!({"table_size": 65_536}), "table_size_invalid"),
        (
            json!({"table_size": 4_294_967_291_u32}),
            "table_size_invalid",
        ),
        (json!({"ring_size": 0}), "ring_size_invalid"),
        (json!({"ring_size": 65_537}), "ring_size_invalid"),
        (json!({"load_factor_percent": 99}), "load_factor_invalid"),
    ] {
        let cluster = json!({"name": "a", "balance": "maglev", "hash": hash});
        let found = House::default().refused(json!({"clusters": [cluster]}));
        assert_eq!(found, [(code, "a".to_owned())]);
    }
}

#[test]
fn what_is_in_use_stays() {
    let mut house = House::default();
    house.apply(web("a")).unwrap();
    for (kind, name) in [("Cluster", "a"), ("RouteTable", "web")] {
        let found = house.refused(remove(kind, name));
        assert_eq!(found, [("in_use", name.to_owned())]);
    }
    let tcp = json!({"listeners": [{"name": "raw", "address": "127.0.0.1:1", "protocol": "tcp",
        "to": [{"cluster": "b"}]}], "clusters": [{"name": "b"}]});
    house.apply(tcp).unwrap();
    assert_eq!(
        house.refused(remove("Cluster", "b")),
        [("in_use", "b".to_owned())]
    );
    let all = json!({"remove": [{"kind": "Listener", "name": "raw"},
        {"kind": "Cluster", "name": "b"}]});
    house.apply(all).unwrap();
    // Removed and put back is replaced.
    let mut again = web("a");
    again["remove"] = json!([{"kind": "Cluster", "name": "a"}, {"kind": "Listener", "name": "web"},
        {"kind": "RouteTable", "name": "web"}]);
    let snapshot = house.apply(again).unwrap();
    assert_eq!((snapshot.listeners.len(), snapshot.tables.len()), (1, 1));
    assert!(snapshot.clusters[0].is_some());
}

#[test]
fn a_free_slot_is_used_again_but_not_within_the_change_that_frees_it() {
    let mut house = House::default();
    house
        .apply(json!({"clusters": [{"name": "a"}, {"name": "b"}]}))
        .unwrap();
    let mut change = remove("Cluster", "a");
    change["clusters"] = json!([{"name": "c"}]);
    let slots = |snapshot: &Snapshot| -> Vec<Option<String>> {
        let name = |slot: &Option<Arc<super::Cluster>>| slot.as_ref().map(|c| c.name.to_string());
        snapshot.clusters.iter().map(name).collect()
    };
    let snapshot = house.apply(change).unwrap();
    assert_eq!(slots(&snapshot)[2].as_deref(), Some("c"));
    assert_eq!(slots(&snapshot).iter().flatten().count(), 2);
    let snapshot = house.apply(json!({"clusters": [{"name": "d"}]})).unwrap();
    assert_eq!(slots(&snapshot).len(), 3, "the slot that was free is taken");
}

#[test]
fn a_refused_change_leaves_no_trace() {
    let mut house = House::default();
    let first = house.apply(web("a")).unwrap();
    let mut bad = web("z");
    bad["listeners"][0]["name"] = json!("other");
    let found = house.refused(bad);
    assert_eq!(found, [("address_taken", "web".to_owned())]);
    assert!(Arc::ptr_eq(&first, house.compiler.current()));
    assert!(!house.compiler.configures(Resource::Cluster("z")));
    let names = house.compiler.host_names(&Delta::default());
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["host.test"]);
}

#[test]
fn names_become_endpoints_when_they_resolve() {
    let mut house = House::default();
    let first = house.apply(web("a")).unwrap();
    let count = |snapshot: &Snapshot| snapshot.clusters[0].as_ref().unwrap().endpoints.len();
    assert_eq!(count(&first), 1);
    let ips = ["10.0.0.1", "10.0.0.2"].map(|ip| ip.parse().unwrap());
    house.names.insert("host.test".to_owned(), ips.to_vec());
    let changed = ["host.test".to_owned()].into();
    let second = house.compiler.resolved(&changed, &house.names);
    assert_eq!(count(&second), 3);
    let endpoints = &second.clusters[0].as_ref().unwrap().endpoints;
    assert_eq!(
        (&*endpoints[2].text, endpoints[2].host.as_deref()),
        ("10.0.0.2:2", Some("host.test"))
    );
    assert!(
        house
            .compiler
            .configures(Resource::Endpoint("a", "10.0.0.2:2"))
    );
    assert!(
        !house
            .compiler
            .configures(Resource::Endpoint("a", "10.0.0.3:2"))
    );
}

#[test]
fn of_two_resources_with_one_name_none_is_taken() {
    let mut house = House::default();
    let twice = json!({"clusters": [{"name": "a"}, {"name": "a"}]});
    assert_eq!(house.refused(twice), [("name_taken", "a".to_owned())]);
    let table = json!({"listeners": [{"name": "l", "address": "127.0.0.1:0", "route_table": "t"}]});
    assert_eq!(
        house.refused(table),
        [("route_table_unknown", "l".to_owned())]
    );
}
