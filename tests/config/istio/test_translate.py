"""What Istio's rules mean: precedence, merging, subsets, delegation, gateways."""

import pytest

from tests.config.istio.scene import (
    OUTBOUND,
    SERVICES,
    Scene,
    destination_rule,
    virtual_service,
)

V1 = "outbound|9080|v1|reviews.default.svc.cluster.local"
V2 = "outbound|9080|v2|reviews.default.svc.cluster.local"
RATINGS = "outbound|9080||ratings.default.svc.cluster.local"
TO_V1 = "route: [{destination: {host: reviews, subset: v1}}]"
TO_V2 = "route: [{destination: {host: reviews, subset: v2}}]"


def outbound(*texts: str) -> Scene:
    scene = Scene.of(OUTBOUND + SERVICES, *texts)
    assert scene.troubles == []
    return scene


def targets(scene: Scene, host: str, listener: int = 0) -> list[list[str]]:
    """Where the routes of a host go, in order."""
    found: list[list[str]] = []
    for route in scene.routes(listener):
        match = route.get("match")
        assert isinstance(match, dict)
        hosts, to = match.get("host"), route.get("to")
        if isinstance(hosts, list) and host in hosts and isinstance(to, list):
            found.append([str(share["cluster"]) for share in to if isinstance(share, dict)])
    return found


def test_a_service_without_rules_is_called_by_all_of_its_names() -> None:
    route = outbound().route("ratings.default.svc.cluster.local:9080")
    names = ["ratings.default.svc.cluster.local", "ratings.default.svc", "ratings.default"]
    assert route["match"] == {"host": [*names, "ratings"]}
    assert route["to"] == [{"cluster": RATINGS}]


def test_from_another_namespace_the_bare_name_is_another_service() -> None:
    there = OUTBOUND.replace("mesh: outbound", "mesh: {traffic: outbound, namespace: other}")
    scene = Scene.of(there + SERVICES)
    assert targets(scene, "ratings.default") == [[RATINGS]]
    assert targets(scene, "ratings") == []


def test_a_rule_makes_a_route_for_each_match_block_in_order() -> None:
    rules = virtual_service(
        f"""\
  hosts: [reviews]
  http:
  - match: [{{uri: {{prefix: /a}}}}, {{headers: {{x: {{exact: "1"}}}}, uri: {{exact: /b}}}}]
    {TO_V2}
  - {TO_V1}"""
    )
    scene = outbound(rules)
    names = ["default/vs/0.0", "default/vs/0.1", "default/vs/1"]
    assert [route["name"] for route in scene.routes() if "vs" in str(route["name"])] == names
    assert targets(scene, "reviews") == [[V2], [V2], [V1]]


def test_the_older_of_two_objects_for_a_host_applies() -> None:
    younger = virtual_service(f"  hosts: [reviews]\n  http: [{{{TO_V1}}}]", "younger")
    older = virtual_service(f"  hosts: [reviews]\n  http: [{{{TO_V2}}}]", "older").replace(
        "name: older", "name: older, creationTimestamp: '2020-01-01T00:00:00Z'"
    )
    assert targets(outbound(younger, older), "reviews") == [[V2]]


def test_the_most_specific_host_claims_a_service() -> None:
    wide = virtual_service(
        f'  hosts: ["*.default.svc.cluster.local"]\n  http: [{{{TO_V1}}}]', "wide"
    )
    narrow = virtual_service(f"  hosts: [reviews]\n  http: [{{{TO_V2}}}]", "narrow")
    scene = outbound(wide, narrow)
    assert targets(scene, "reviews") == [[V2]]
    assert targets(scene, "ratings") == [[V1]]


def test_a_host_without_a_service_is_routed_too() -> None:
    rules = virtual_service(f"  hosts: [www.example.com]\n  http: [{{{TO_V1}}}]")
    assert targets(outbound(rules), "www.example.com") == [[V1]]


def test_objects_bound_to_gateways_alone_do_not_reach_the_mesh() -> None:
    rules = virtual_service(f"  hosts: [reviews]\n  gateways: [edge]\n  http: [{{{TO_V1}}}]")
    assert targets(outbound(rules), "reviews") == [
        ["outbound|9080||reviews.default.svc.cluster.local"]
    ]


@pytest.mark.parametrize(
    ("export_to", "seen"), [("[.]", False), ("[default]", True), ("['*']", True)]
)
def test_visibility(export_to: str, seen: bool) -> None:
    rules = virtual_service(
        f"  hosts: [reviews.default.svc.cluster.local]\n  exportTo: {export_to}\n"
        "  http: [{route: [{destination: {host: ratings.default.svc.cluster.local}}]}]",
        namespace="other",
    )
    assert (targets(outbound(rules), "reviews") == [[RATINGS]]) is seen


@pytest.mark.parametrize(
    ("static", "kept"),
    [
        ("port: 9080", True),
        ("port: 80", False),
        ("sourceLabels: {app: page}", True),
        ("sourceLabels: {app: other}", False),
        ("sourceNamespace: default", True),
        ("sourceNamespace: other", False),
    ],
)
def test_what_no_request_decides_is_decided_when_the_routes_are_made(
    static: str, kept: bool
) -> None:
    rules = virtual_service(f"  hosts: [reviews]\n  http:\n  - match: [{{{static}}}]\n    {TO_V1}")
    listener = OUTBOUND.replace("mesh: outbound", "mesh: outbound, labels: {app: page}")
    scene = Scene.of(listener + SERVICES, rules)
    assert targets(scene, "reviews") == ([[V1]] if kept else [])


def test_weights_of_one_destination_and_of_several() -> None:
    rules = virtual_service(
        """\
  hosts: [reviews]
  http:
  - match: [{uri: {exact: /one}}]
    route: [{destination: {host: reviews, subset: v1}, weight: 7}]
  - route:
    - {destination: {host: reviews, subset: v1}, weight: 3}
    - {destination: {host: reviews, subset: v2}}"""
    )
    scene = outbound(rules)
    assert scene.route("default/vs/0")["to"] == [{"cluster": V1, "weight": 1}]
    weights = [{"cluster": V1, "weight": 3}, {"cluster": V2, "weight": 0}]
    assert scene.route("default/vs/1")["to"] == weights


def test_subsets_choose_endpoints_by_their_labels() -> None:
    rules = virtual_service(f"  hosts: [reviews]\n  http: [{{{TO_V2}}}]")
    (endpoint,) = endpoints(outbound(rules), V2)
    assert endpoint["address"] == "10.0.0.2:9080"


def endpoints(scene: Scene, cluster: str) -> list[dict[str, object]]:
    found = scene.clusters()[cluster]["endpoints"]
    assert isinstance(found, list)
    return [dict(item) for item in found if isinstance(item, dict)]


@pytest.mark.parametrize("destination", ["{host: reviews, subset: v9}", "{host: nobody}"])
def test_what_does_not_exist_is_a_cluster_withoutendpoints(destination: str) -> None:
    rules = virtual_service(
        f"  hosts: [reviews]\n  http: [{{route: [{{destination: {destination}}}]}}]"
    )
    scene = outbound(rules)
    ((name,),) = targets(scene, "reviews")
    assert not scene.clusters()[name].get("endpoints")


def test_workload_entries_are_endpoints_of_the_entries_that_select_them() -> None:
    entries = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: details}
spec:
  hosts: [details.default.svc.cluster.local]
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
  resolution: STATIC
  workloadSelector: {labels: {app: details}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: one, labels: {app: details}}
spec: {address: "fd00::1"}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: two}
spec: {address: 10.1.1.2, labels: {app: details}, ports: {http: 9000}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: elsewhere, namespace: other}
spec: {address: 10.1.1.3, labels: {app: details}}
"""
    scene = outbound(entries)
    found = endpoints(scene, "outbound|80||details.default.svc.cluster.local")
    assert [endpoint["address"] for endpoint in found] == ["[fd00::1]:8080", "10.1.1.2:9000"]


def test_a_host_resolved_by_dns_is_its_own_endpoint() -> None:
    entry = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: api}
spec:
  hosts: [api.example.com]
  ports: [{number: 443, name: https, protocol: HTTP}]
  resolution: DNS
---
"""
    rule = destination_rule("  host: api.example.com\n  trafficPolicy: {tls: {mode: SIMPLE}}")
    cluster = outbound(entry, rule).clusters()["outbound|443||api.example.com"]
    assert cluster["endpoints"] == [{"address": "api.example.com:443"}]
    assert cluster["tls"] == {"server_name": "api.example.com"}


def test_of_several_ports_all_but_one_are_named_by_the_request() -> None:
    entry = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: two}
spec:
  hosts: [two.example.com]
  ports: [{number: 8080, name: a, protocol: HTTP}, {number: 80, name: b, protocol: HTTP2}]
  resolution: STATIC
  endpoints: [{address: 10.2.2.2}]
"""
    scene = outbound(entry)
    guarded, plain = scene.route("two.example.com:8080"), scene.route("two.example.com:80")
    authority = {"suffix": ":8080"}
    assert guarded["match"] == {"host": ["two.example.com"], "authority": authority}
    assert plain["match"] == {"host": ["two.example.com"]}
    assert scene.routes().index(guarded) < scene.routes().index(plain)
    assert scene.clusters()["outbound|80||two.example.com"]["protocol"] == "http2"


def test_a_delegate_s_rules_stand_in_their_root_s_place() -> None:
    root = virtual_service(
        f"""\
  hosts: [reviews]
  http:
  - name: root
    match: [{{uri: {{prefix: /a}}}}]
    delegate: {{name: leaf}}
    timeout: 3s
  - {TO_V1}"""
    )
    leaf = virtual_service(
        f"""\
  http:
  - name: inside
    match: [{{uri: {{prefix: /a/b}}}}]
    {TO_V2}
  - match: [{{uri: {{prefix: /c}}}}]
    {TO_V2}
  - {TO_V1}
    timeout: 1s""",
        "leaf",
    )
    scene = outbound(root, leaf)
    routes = [route for route in scene.routes() if "vs" in str(route["name"])]
    assert [(route["name"], route.get("timeout")) for route in routes] == [
        ("default/vs.root-inside", "3000ms"),
        ("default/vs.root", "1000ms"),
        ("default/vs/1", None),
    ]
    assert targets(scene, "reviews") == [[V2], [V1], [V1]]


def test_two_services_of_one_tcp_port_are_refused() -> None:
    entry = """\
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: NAME}
spec:
  hosts: [NAME.example.com]
  ports: [{number: 5432, name: pg, protocol: TCP}]
  resolution: STATIC
  endpoints: [{address: 10.3.3.3}]
---
"""
    listener = (
        "listeners: [{name: pg, address: '127.0.0.1:5432', protocol: tcp, mesh: outbound}]\n---\n"
    )
    one = Scene.of(listener, entry.replace("NAME", "a"))
    assert one.translated.to[0].value["to"] == [{"cluster": "outbound|5432||a.example.com"}]
    both = Scene.of(listener, entry.replace("NAME", "a"), entry.replace("NAME", "b"))
    assert [trouble.code for trouble in both.troubles] == ["ambiguous_port"]
