//! In which order places and labels put endpoints.

use super::*;

#[test]
fn the_nearest_come_first() {
    let places = ["eu/a/1", "eu/a/2", "eu/b/1", "us/a/1", "", "eu/a/1"];
    let found = mesh(&places).groups(&here("eu/a/1"));
    let expected = [(0, vec![0, 5]), (1, vec![1]), (2, vec![2]), (3, vec![3, 4])];
    assert_eq!(found, expected);
    // From nowhere, or where all are as far, nothing is to be ordered.
    assert!(mesh(&places).layout(&here("")).is_none());
    assert!(mesh(&places).layout(&here("asia/x")).is_none());
    let off = Locality {
        enabled: false,
        ..here("eu/a/1")
    };
    assert!(mesh(&places).layout(&off).is_none());
}

#[test]
fn named_regions_take_over_before_others() {
    let wanted = Locality {
        failover: vec![failover("us", "asia"), failover("eu", "us")],
        ..here("eu/a")
    };
    let found = mesh(&["asia/a", "us/a", "eu/a", "eu/b"]).groups(&wanted);
    let expected = [(0, vec![2]), (1, vec![3]), (2, vec![1]), (3, vec![0])];
    assert_eq!(found, expected);
}

#[test]
fn labels_decide_in_their_order() {
    let mut mesh = mesh(&["eu/a", "eu/b", "us/a", "us/b"]);
    for (index, version) in [(0, "v2"), (1, "v1"), (2, "v1"), (3, "v2")] {
        mesh.labels[index].insert("version".to_owned(), version.to_owned());
    }
    let mut wanted = Locality {
        failover_priority: vec![
            "topology.kubernetes.io/region".to_owned(),
            "version=v1".to_owned(),
        ],
        ..here("eu/a")
    };
    // Who differs in the first label has no second chance.
    let expected = [(0, vec![1]), (1, vec![0]), (2, vec![2, 3])];
    assert_eq!(mesh.groups(&wanted), expected);
    wanted.failover_priority = vec!["version".to_owned()];
    wanted.labels.insert("version".to_owned(), "v2".to_owned());
    assert_eq!(mesh.groups(&wanted), [(0, vec![0, 3]), (1, vec![1, 2])]);
    // With regions named, they order what the labels leave equal.
    wanted.failover = vec![failover("eu", "us")];
    let expected = [(0, vec![0]), (1, vec![3]), (2, vec![1]), (3, vec![2])];
    assert_eq!(mesh.groups(&wanted), expected);
}
