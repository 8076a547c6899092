"""Which DestinationRule applies, and how much of it."""

from tests.config.istio.scene import (
    OUTBOUND,
    SERVICES,
    Scene,
    destination_rule,
    virtual_service,
)
from tests.config.istio.test_translate import RATINGS, V1, V2, endpoints, outbound

POLICY = """\
  host: reviews
  trafficPolicy:
    loadBalancer: {simple: RANDOM}
    connectionPool: {tcp: {connectTimeout: 1s}}
    portLevelSettings:
    - port: {number: 9080}
      connectionPool: {http: {maxRequestsPerConnection: 5}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - name: v2
    labels: {version: v2}
    trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}
"""


def policy_of(scene: Scene, name: str) -> dict[str, object]:
    cluster = scene.clusters()[name]
    return {key: value for key, value in cluster.items() if key not in {"name", "endpoints"}}


def test_a_subset_replaces_blocks_and_a_port_all_four() -> None:
    both = virtual_service(
        "  hosts: [reviews]\n  http:\n  - route:\n"
        "    - {destination: {host: reviews, subset: v1}, weight: 1}\n"
        "    - {destination: {host: reviews, subset: v2}, weight: 1}"
    )
    text = SERVICES.replace("host: reviews", "host: nobody")
    scene = Scene.of(OUTBOUND + text, both, destination_rule(POLICY))
    # The port's settings replace load balancer and connect timeout; nothing is inherited.
    of_port = {"balance": "least_request", "pool": {"max_requests": 5}}
    assert policy_of(scene, V1) == of_port
    assert policy_of(scene, V2) == of_port
    other = POLICY.replace("number: 9080", "number: 1")
    scene = Scene.of(OUTBOUND + text, both, destination_rule(other))
    timeouts = {"connect": "1000ms"}
    assert policy_of(scene, V1) == {"balance": "random", "timeouts": timeouts}
    assert policy_of(scene, V2) == {"balance": "round_robin", "timeouts": timeouts}


def test_rules_of_one_host_are_merged_and_the_first_policy_wins() -> None:
    one = destination_rule(
        "  host: ratings\n  trafficPolicy: {loadBalancer: {simple: RANDOM}}", "one"
    )
    two = destination_rule(
        "  host: ratings\n  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}\n"
        "  subsets: [{name: all}]",
        "two",
    )
    rules = virtual_service(
        "  hosts: [ratings]\n  http: [{route: [{destination: {host: ratings, subset: all}}]}]"
    )
    scene = outbound(one, two, rules)
    name = "outbound|9080|all|ratings.default.svc.cluster.local"
    assert policy_of(scene, name) == {"balance": "random"}
    assert len(endpoints(scene, name)) == 1


def test_the_client_s_namespace_comes_before_the_service_s() -> None:
    host = "  host: ratings.default.svc.cluster.local\n"
    service = destination_rule(
        host + "  trafficPolicy: {loadBalancer: {simple: RANDOM}}", "service"
    )
    client = destination_rule(
        host + "  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}}", "client", "shop"
    )
    listeners = OUTBOUND.replace(
        "mesh: outbound}",
        "mesh: outbound}, {name: shop, address: '127.0.0.1:2', "
        "mesh: {traffic: outbound, namespace: shop}}",
    )
    scene = Scene.of(listeners + SERVICES, service, client)
    assert policy_of(scene, RATINGS) == {"balance": "random"}
    assert policy_of(scene, f"{RATINGS}@shop") == {"balance": "round_robin"}
