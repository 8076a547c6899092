"""The sample's rules in native words."""

from pathlib import Path

import pytest

from meshcore.config.sources.text import Value
from tests.config.istio.scene import Scene, every_key_exists

SAMPLE = Path(__file__).parents[3] / "samples" / "bookinfo"
RULES = sorted((SAMPLE / "networking").glob("*.yaml"))
V1 = "outbound|9080|v1|reviews.default.svc.cluster.local"
V2 = "outbound|9080|v2|reviews.default.svc.cluster.local"
V3 = "outbound|9080|v3|reviews.default.svc.cluster.local"
RATINGS: Value = {"cluster": "outbound|9080|v1|ratings.default.svc.cluster.local", "weight": 1}


def one(cluster: str, weight: int = 1) -> Value:
    return {"cluster": cluster, "weight": weight}


# The routes of the host that a file is about, without name and host.
GOLDEN: dict[str, list[dict[str, Value]]] = {
    "all-v1": [{"to": [one(V1)]}],
    "reviews-80-20": [{"to": [one(V1, 80), one(V2, 20)]}],
    "reviews-jason": [
        {"match": {"headers": {"end-user": {"exact": "jason"}}}, "to": [one(V2)]},
        {"to": [one(V1)]},
    ],
    "reviews-mirror": [{"to": [one(V1)], "mirrors": [{"cluster": V3, "percentage": 50}]}],
    "reviews-timeout": [
        {
            "timeout": "500ms",
            "retries": {
                "attempts": 3,
                "per_try_timeout": "150ms",
                "retry_on": ["connect-failure", "refused-stream"],
            },
            "to": [one(V2)],
        }
    ],
    "ratings-faults": [
        {
            "match": {"headers": {"end-user": {"exact": "jason"}}},
            "fault": {"delay": {"fixed": "7000ms", "percentage": 100}},
            "to": [RATINGS],
        },
        {
            "match": {"headers": {"end-user": {"exact": "anna"}}},
            "fault": {"abort": {"status": 503, "percentage": 100}},
            "to": [RATINGS],
        },
        {"to": [RATINGS]},
    ],
}


def routes_of(scene: Scene, host: str) -> list[dict[str, Value]]:
    found: list[dict[str, Value]] = []
    for route in scene.routes():
        match = route["match"]
        assert isinstance(match, dict)
        hosts = match["host"]
        assert isinstance(hosts, list)
        if host in hosts:
            rest: dict[str, Value] = {key: value for key, value in match.items() if key != "host"}
            plain = {key: value for key, value in route.items() if key not in {"name", "match"}}
            found.append({"match": rest, **plain} if rest else plain)
    return found


@pytest.mark.parametrize("name", GOLDEN)
def test_a_rule_in_native_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    every_key_exists(monkeypatch)
    scene = Scene.reading(SAMPLE / "mesh", SAMPLE / "networking" / f"{name}.yaml")
    assert scene.troubles == []
    host = "ratings" if name.startswith("ratings") else "reviews"
    assert routes_of(scene, host) == GOLDEN[name]


def test_the_circuit_breaker_in_native_words(monkeypatch: pytest.MonkeyPatch) -> None:
    every_key_exists(monkeypatch)
    rule = SAMPLE / "networking" / "details-circuit-breaker.yaml"
    scene = Scene.reading(SAMPLE / "mesh", rule)
    cluster = scene.clusters()["outbound|9080||details.default.svc.cluster.local"]
    assert cluster["limits"] == {"max_connections": 1, "max_pending_requests": 1}
    assert cluster["pool"] == {"max_requests": 1}
    assert cluster["outlier_detection"] == {
        "consecutive_5xx": 1,
        "interval": "1000ms",
        "base_ejection_time": "180000ms",
        "max_ejection_percent": 100,
    }
    # Failing endpoints are found, so localities count.
    assert cluster["locality"] == {}


def test_the_gateway_in_native_words() -> None:
    scene = Scene.reading(SAMPLE / "mesh")
    assert scene.troubles == []
    paths = []
    for route in scene.routes(1):
        match = route["match"]
        assert isinstance(match, dict)
        assert match["host"] == ["*"]
        paths.append(match["path"])
        assert route["to"] == [one("outbound|9080||productpage.default.svc.cluster.local")]
    assert paths == [
        {"exact": "/productpage"},
        {"string_prefix": "/static/"},
        {"exact": "/login"},
        {"exact": "/logout"},
        {"string_prefix": "/api/v1/products/"},
    ]


@pytest.mark.parametrize("rule", RULES, ids=[rule.stem for rule in RULES])
def test_the_sample_is_sound(rule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every_key_exists(monkeypatch)
    assert Scene.reading(SAMPLE / "mesh", rule).troubles == []
