"""Models become resources: every key, in the words of the engine's wire types."""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from meshcore import Cluster, Config, ConfigError, Endpoint, Listener, Route, filters, load, loads
from meshcore.config.model import Part
from meshcore.config.resources import Compiled
from meshcore.config.sources.prepare import Prepared, prepare

ROOT = Path(__file__).parents[2]
WIRE = ROOT / "rust/wire"
EVERY_KEY = Path(__file__).parent / "every_key.yaml"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n"

# Struct of the wire: the folder-wide names of its fields, as serde takes them.
Fields = dict[str, set[str]]


def wire_fields(file: str) -> Fields:
    """The fields of each struct, and the newtype variants of each enum, of a file."""
    text = re.sub(r"//.*", "", (WIRE / file).read_text())
    found: Fields = {}
    for name, body in re.findall(r"pub struct (\w+) \{(.*?)\n\}", text, re.DOTALL):
        fields = set()
        for attributes, field in re.findall(r"((?:\s*#\[.*\])*)\s*pub (\w+):", body):
            renamed = re.search(r'rename = "(\w+)"', attributes)
            fields.add(renamed[1] if renamed else field)
        found[name] = fields
    for name, body in re.findall(r"pub enum (\w+) \{(.*?)\n\}", text, re.DOTALL):
        variants = re.findall(r"(\w+)\(", body)
        found[name] = {re.sub(r"(?<!^)(?=[A-Z])", "_", it).lower() for it in variants}
    return found


def write_files(folder: Path) -> None:
    for name in ("web", "other"):
        (folder / f"{name}.pem").write_text(CERTIFICATE.format(name))
        (folder / f"{name}.key").write_text(KEY.format(name))
    (folder / "ca.pem").write_text(CERTIFICATE.format("ca"))
    (folder / "policies.py").write_text("async def check(request): ...\n")


def without_filters(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has the filters of the document; its function's module is the one in the folder."""
    monkeypatch.setattr(filters, "adopt", lambda keys: None)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "policies", raising=False)


@pytest.fixture
def every_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    write_files(tmp_path)
    without_filters(tmp_path, monkeypatch)
    path = tmp_path / "proxy.yaml"
    path.write_text(EVERY_KEY.read_text())
    return prepare(load(path))


Resource = dict[str, object]


def resource(compiled: Compiled, kind: str, name: str) -> Resource:
    found: Resource = json.loads(compiled.resources[kind, name])
    return found


def parts_of(value: object) -> Iterator[Part]:
    """A part of a document and all parts in it."""
    inner: Iterable[object] = ()
    if isinstance(value, Part):
        yield value
        inner = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, tuple):
        inner = value
    for item in inner:
        yield from parts_of(item)


def keys_of(value: object) -> set[str]:
    assert isinstance(value, dict)
    return set(value)


def test_the_document_uses_every_key_of_the_model(every_key: Prepared) -> None:
    used: dict[type[Part], set[str]] = {}
    for part in parts_of(every_key.config):
        used.setdefault(type(part), set()).update(part.model_fields_set)
    unused = [
        f"{part.__name__}.{name}"
        for part, given in used.items()
        for name in set(part.model_fields) - given
    ]
    assert unused == []


def test_a_listener_has_exactly_the_fields_of_the_wire(every_key: Prepared) -> None:
    fields = wire_fields("listener.rs")
    web = resource(every_key.compiled, "Listener", "web")
    mixed = resource(every_key.compiled, "Listener", "mixed")
    assert keys_of(web) | keys_of(mixed) == fields["Listener"]
    fields |= wire_fields("http2.rs")
    parts = {"tls": "Tls", "timeouts": "Timeouts", "limits": "Limits", "http": "Http"}
    parts["http2"] = "Http2"
    for key, struct in (parts | {"access_log": "AccessLog"}).items():
        assert keys_of(web[key]) == fields[struct], struct
    routes = mixed["sni_routes"]
    assert isinstance(routes, list)
    assert keys_of(routes[0]) == fields["SniRoute"]
    fault = mixed["fault"]
    assert isinstance(fault, dict)
    fields = wire_fields("listener/fault.rs")
    assert keys_of(fault) == fields["TcpFault"]
    for key, struct in {"delay": "TcpDelay", "reset": "TcpReset", "bandwidth": "Bandwidth"}.items():
        assert keys_of(fault[key]) == fields[struct], struct


def test_a_route_table_has_exactly_the_fields_of_the_wire(every_key: Prepared) -> None:
    fields = wire_fields("route.rs")
    fields |= wire_fields("route/matches.rs") | wire_fields("route/action.rs")
    fields |= wire_fields("route/retries.rs") | wire_fields("route/mirror.rs")
    fields |= wire_fields("route/fault.rs") | wire_fields("route/rate_limit.rs")
    fields |= wire_fields("route/rate_limit_service.rs")
    fields |= wire_fields("route/priority.rs")
    table = resource(every_key.compiled, "RouteTable", "web")
    assert keys_of(table) == fields["RouteTable"]
    routes = table["routes"]
    assert isinstance(routes, list)

    def keys(key: str) -> set[str]:
        """Those of a part, in whichever routes have it."""
        return set().union(*(route[key] for route in routes if key in route))

    assert set().union(*routes) == fields["Route"]
    parts = {"match": "Match", "redirect": "Redirect", "direct_response": "DirectResponse"}
    parts |= {"retries": "Retries", "hedge": "Hedge"}
    parts |= {"rewrite": "Rewrite", "cors": "Cors", "fault": "Fault", "priority": "RoutePriority"}
    parts |= {"request_headers": "HeaderEdits", "response_headers": "HeaderEdits"}
    for key, struct in parts.items():
        assert keys(key) == fields[struct], struct
    canary = routes[0]
    assert keys_of(canary["to"][0]) == fields["Target"]
    assert keys("session_affinity") == wire_fields("route/session_affinity.rs")["SessionAffinity"]
    paths = [route["match"]["path"] for route in routes]
    assert set().union(*paths) == fields["PathMatch"]
    assert set().union(*canary["match"]["headers"].values()) == fields["StringMatch"]
    assert keys_of(routes[2]["rewrite"]["regex"]) == fields["RegexRewrite"]
    assert keys_of(canary["mirrors"][0]) == fields["Mirror"]
    limits = canary["rate_limits"]
    assert set().union(*limits) == fields["RateLimit"]
    assert keys_of(limits[0]["local"]) == fields["Rate"]
    services = [limit["service"] for limit in limits[1:]]
    assert set().union(*services) == fields["RateLimitService"]
    assert keys_of(services[0]["redis"]) == fields["Redis"]
    assert keys_of(services[1]["grpc"]) == fields["Grpc"]
    faults = [route["fault"] for route in routes if "fault" in route]
    assert set().union(*(fault["delay"] for fault in faults)) == fields["Delay"]
    assert set().union(*(fault["abort"] for fault in faults)) == fields["Abort"]


def test_a_cluster_has_exactly_the_fields_of_the_wire(every_key: Prepared) -> None:
    fields = wire_fields("cluster.rs")
    api = resource(every_key.compiled, "Cluster", "api")
    tls = resource(every_key.compiled, "Cluster", "tls")
    assert keys_of(api) | keys_of(tls) == fields["Cluster"]
    assert keys_of(tls["tls"]) == fields["Tls"]
    assert keys_of(tls["http2"]) == wire_fields("http2.rs")["Http2"]
    parts = {"timeouts": "Timeouts", "pool": "Pool", "dns": "Dns"}
    for key, struct in (parts | {"retry_budget": "RetryBudget"}).items():
        assert keys_of(api[key]) == fields[struct], struct
    fields = wire_fields("cluster/adaptive.rs")
    adaptive = api["adaptive_concurrency"]
    assert keys_of(adaptive) == fields["AdaptiveConcurrency"]
    assert isinstance(adaptive, dict)
    assert keys_of(adaptive["min_rtt_calc"]) == fields["MinRttCalc"]
    fields = wire_fields("cluster/locality.rs")
    locality, shares = api["locality"], tls["locality"]
    assert keys_of(locality) | keys_of(shares) == fields["Locality"]
    assert isinstance(locality, dict)
    assert isinstance(shares, dict)
    assert keys_of(locality["failover"][0]) == fields["Failover"]
    assert keys_of(shares["distribute"][0]) == fields["Distribute"]
    assert keys_of(locality["zone_aware"]) == fields["ZoneAware"]
    fields = wire_fields("endpoints.rs")
    endpoints = resource(every_key.compiled, "Endpoints", "api")
    assert keys_of(endpoints) == fields["Endpoints"]
    listed = endpoints["endpoints"]
    assert isinstance(listed, list)
    assert keys_of(listed[1]) == fields["Endpoint"]


def test_the_bounds_of_the_process_have_exactly_the_fields_of_the_wire(every_key: Prepared) -> None:
    fields = wire_fields("overload.rs")
    overload = resource(every_key.compiled, "Overload", "overload")
    assert keys_of(overload) == fields["Overload"]
    assert keys_of(overload["stages"]) == fields["OverloadStages"]


def test_hooks_have_exactly_the_fields_of_the_wire(every_key: Prepared) -> None:
    fields = wire_fields("hook.rs")
    hooks = [resource(every_key.compiled, "Hook", name) for name in ("keys", "mask", "plans")]
    assert set().union(*hooks) == fields["Hook"]
    assert keys_of(hooks[0]["native"]) == fields["Native"]
    python = hooks[2]["python"]
    assert isinstance(python, dict)
    assert keys_of(python) == fields["Python"]
    assert keys_of(python["cache"]) == fields["HookCache"]
    web = resource(every_key.compiled, "Listener", "web")
    assert web["hooks"] == [{"name": "keys"}, {"name": "plans", "on_error": "allow"}]


def test_values_have_the_units_of_the_wire(every_key: Prepared) -> None:
    web = resource(every_key.compiled, "Listener", "web")
    waits = {"header_ms": 1_000, "idle_ms": 2_000, "stream_idle_ms": 180_000}
    stall = {"window_stall_ms": 20_000}
    assert web["timeouts"] == {**waits, **stall, "max_connection_age_ms": 3_600_000}
    windows = {"initial_stream_window_size": 1 << 18, "initial_connection_window_size": 1 << 21}
    asking = {"keepalive_interval_ms": 30_000, "keepalive_timeout_ms": 5_000}
    assert web["http2"] == {"max_concurrent_streams": 250, **windows, **asking}
    limits = {"head_bytes": 16_384, "target_bytes": 4_096, "body_bytes": 1 << 20}
    assert web["limits"] == {**limits, "head_count": 50, "connections": 1_000}
    passing = resource(every_key.compiled, "Listener", "pass")
    assert passing["protocol"] == "tls_passthrough"


def test_what_is_left_out_stays_left_out() -> None:
    config = loads(
        "listeners: [{name: a, address: 127.0.0.1:1, routes: [{to: b}]}]\nclusters: [{name: b}]\n"
    )
    compiled = prepare(config).compiled
    expected: dict[tuple[str, str], Resource] = {
        ("RouteTable", "a"): {"name": "a", "routes": [{"name": "a/0", "to": [{"cluster": "b"}]}]},
        ("Listener", "a"): {"name": "a", "address": "127.0.0.1:1", "route_table": "a"},
        ("Cluster", "b"): {"name": "b"},
        ("Endpoints", "b"): {"name": "b", "endpoints": []},
    }
    assert {key: json.loads(body) for key, body in compiled.resources.items()} == expected


def test_routes_by_sni_and_by_head_are_kept_apart(every_key: Prepared) -> None:
    mixed = resource(every_key.compiled, "Listener", "mixed")
    assert mixed["sni_routes"] == [
        {"sni": ["*.example.com"], "to": [{"cluster": "tls"}]},
        {"sni": ["a.example", "b.example"], "to": [{"cluster": "tls"}]},
    ]
    table = resource(every_key.compiled, "RouteTable", "mixed")
    assert [route["name"] for route in table["routes"]] == ["mixed/0"]  # type: ignore[attr-defined]


def test_header_names_are_lower_case(every_key: Prepared) -> None:
    table = resource(every_key.compiled, "RouteTable", "web")
    assert '"x-canary":{"exact":"1"}' in every_key.compiled.resources["RouteTable", "web"].decode()
    assert table["name"] == "web"


def test_a_credential_is_named_by_its_content(every_key: Prepared, tmp_path: Path) -> None:
    compiled = every_key.compiled
    before = compiled.uses["Listener", "single"]
    assert len(compiled.uses["Listener", "web"]) == 3
    assert before[0].startswith(f"{tmp_path}/web.pem#")
    (tmp_path / "web.key").write_text(KEY.format("rotated"))
    after = prepare(load(tmp_path / "proxy.yaml")).compiled
    assert after.uses["Listener", "single"] != before
    differs = {key for key in compiled.digests if compiled.digests[key] != after.digests[key]}
    assert differs == {("Listener", "web"), ("Listener", "single"), ("Cluster", "tls")}


def test_keys_stay_out_of_resources(every_key: Prepared) -> None:
    everything = b"".join(every_key.compiled.resources.values())
    assert b"PRIVATE KEY" not in everything
    assert "PRIVATE KEY" not in repr(every_key.compiled)


def test_a_configuration_is_built_in_python() -> None:
    config = Config(
        listeners=(
            Listener(
                name="web",
                address="127.0.0.1:0",
                routes=(Route.model_validate({"to": "api", "timeout": "5s"}),),
            ),
        ),
        clusters=(Cluster(name="api", endpoints=(Endpoint(address="127.0.0.1:9001"),)),),
    )
    text = "{listeners: [{name: web, address: 127.0.0.1:0, routes: [{to: api, timeout: 5s}]}], "
    text += "clusters: [{name: api, endpoints: [127.0.0.1:9001]}]}"
    assert prepare(config).compiled.digests == prepare(loads(text)).compiled.digests


def test_a_problem_of_a_built_configuration_has_no_place() -> None:
    config = Config(listeners=(Listener(name="a", address="127.0.0.1:1", protocol="tcp"),))
    with pytest.raises(ConfigError) as refused:
        prepare(config)
    assert [str(problem) for problem in refused.value.problems] == [
        "listeners[0]: a listener with protocol tcp needs a destination (hint: write to: <cluster>)"
    ]


def test_a_change_of_endpoints_compiles_nothing_else(every_key: Prepared) -> None:
    changed = every_key.config.with_endpoints("api", ("127.0.0.1:1",))
    prepared = prepare(changed, every_key)
    assert prepared.changed == [("Endpoints", "api")]
    assert prepared.compiled.digests == prepare(changed).compiled.digests
    for key, body in every_key.compiled.resources.items():
        assert (prepared.compiled.resources[key] is body) == (key[1] != "api")


def test_a_change_is_found_however_the_configuration_came_about(every_key: Prepared) -> None:
    config = every_key.config
    one = config.with_endpoints("api", ("127.0.0.1:1",))
    other = one.clusters[1].model_copy(update={"endpoints": ()})
    mixed = one.model_copy(update={"clusters": (one.clusters[0], other, *one.clusters[2:])})
    for before in (config, one, mixed):
        known = prepare(before)
        for after in (config, one, mixed):
            quick = prepare(after, known).compiled
            assert quick.digests == prepare(after).compiled.digests
    assert one == config.with_endpoints("api", ("127.0.0.1:1",)) != config


def test_a_rotated_key_is_noticed_by_a_quick_change(every_key: Prepared, tmp_path: Path) -> None:
    (tmp_path / "web.key").write_text(KEY.format("rotated"))
    prepared = prepare(every_key.config.with_endpoints("api", ()), every_key)
    assert prepared.changed is None
    assert prepared.compiled.uses["Listener", "web"] != every_key.compiled.uses["Listener", "web"]


def test_endpoints_of_an_unknown_cluster() -> None:
    with pytest.raises(KeyError, match="api"):
        Config().with_endpoints("api", ())
