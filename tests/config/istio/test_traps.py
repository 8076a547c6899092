"""Whoever falls into one of Istio's traps is told, at the line and nowhere else."""

import re
from pathlib import Path

import pytest
import yaml

from meshcore import extension
from meshcore.config.model import Config
from meshcore.config.sources.analyze import analyzed
from meshcore.config.sources.asking import Asked
from meshcore.config.sources.examine import examine
from meshcore.config.sources.explained import explained
from tests.config.istio.scene import OUTBOUND, SERVICES, destination_rule, virtual_service
from tests.support.engine_in_memory import check

TRAPS: list[dict[str, str]] = yaml.safe_load((Path(__file__).parent / "traps.yaml").read_text())
EXPECTED = re.compile(r"# ((?:IST|MC)\d{4}(?: (?:IST|MC)\d{4})*)$")


def write(folder: Path, text: str) -> None:
    (folder / "a.yaml").write_text(("" if "listeners:" in text else OUTBOUND) + SERVICES)
    (folder / "b.yaml").write_text(text)


@pytest.mark.parametrize("row", TRAPS, ids=[row["trap"] for row in TRAPS])
def test_a_trap_is_found(row: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, row["documents"])
    expected = [
        ("b.yaml", number, code)
        for number, line in enumerate(row["documents"].splitlines(), start=1)
        if (marked := EXPECTED.search(line)) is not None
        for code in sorted(marked[1].split())
    ]
    found = [
        (Path(one.problem.file).name, one.problem.line, one.code)
        for one in analyzed(str(tmp_path), check)
    ]
    assert sorted(found) == sorted(expected)
    assert expected


OUTLIERS = "outlierDetection: {consecutive5xxErrors: 3}"
FAILOVER = "loadBalancer: {localityLbSetting: {failover: [{from: eu, to: us}]}}"
POOL = "connectionPool: {http: {http1MaxPendingRequests: 1, http2MaxRequests: 9}}"


@pytest.mark.parametrize(
    "policies",
    [
        # A subset inherits what it doesn't say.
        f"  trafficPolicy: {{{OUTLIERS}}}\n"
        f"  subsets: [{{name: v1, labels: {{version: v1}}, trafficPolicy: {{{FAILOVER}}}}}]",
        # Whatever is given again is not lost.
        f"  trafficPolicy: {{{OUTLIERS}, portLevelSettings: "
        f"[{{port: {{number: 9080}}, {OUTLIERS}, {FAILOVER}}}]}}",
        # Waiting has a limit and something to wait for.
        f"  trafficPolicy: {{{POOL}}}",
        # Nothing about limits, so that none is missed.
        "  trafficPolicy: {connectionPool: {tcp: {connectTimeout: 1s}}}",
    ],
)
def test_what_is_no_trap_is_left_alone(policies: str, tmp_path: Path) -> None:
    services = SERVICES.partition("kind: DestinationRule")[0].rpartition("apiVersion")[0]
    (tmp_path / "a.yaml").write_text(OUTBOUND + services)
    route = "route: [{destination: {host: reviews, subset: v1}}]"
    if "subsets" not in policies:
        policies += "\n  subsets: [{name: v1, labels: {version: v1}}]"
    text = destination_rule(f"  host: reviews\n{policies}")
    (tmp_path / "b.yaml").write_text(
        text + virtual_service(f"  hosts: [reviews]\n  http: [{{{route}}}]")
    )
    assert list(map(str, analyzed(str(tmp_path), check))) == []


def config(folder: Path, text: str) -> Config:
    """The native configuration that comes of it."""
    write(folder, text)
    return examine(str(folder), check).or_refuse().config


def test_a_post_is_retried_by_nobody_s_default(tmp_path: Path) -> None:
    retries = "retries: {attempts: 3, retryOn: '5xx,reset'}"
    rule = f"route: [{{destination: {{host: ratings}}}}], {retries}"
    made = config(tmp_path, virtual_service(f"  hosts: [ratings]\n  http: [{{{rule}}}]"))
    by_name = {route.name: route.retries for route in made.listeners[0].routes}
    named = by_name["default/vs/0"]
    assert named is not None
    assert (named.retry_on, named.non_idempotent) == (("5xx", "reset"), False)
    # Without a word about it, only what provably reached nobody is sent again.
    assert by_name["reviews.default.svc.cluster.local:9080"] is None


def test_what_may_wait_and_be_retried_is_limited_without_a_word(tmp_path: Path) -> None:
    pool = "connectionPool: {tcp: {maxConnections: 9}}"
    text = destination_rule(f"  host: ratings\n  trafficPolicy: {{{pool}}}")
    clusters = {cluster.name: cluster for cluster in config(tmp_path, text).clusters}
    assert {cluster.retry_budget.percent for cluster in clusters.values()} == {20}
    limits = clusters["outbound|9080||ratings.default.svc.cluster.local"].limits
    assert limits is not None
    assert (limits.max_connections, limits.max_pending_requests) == (9, 1024)


def test_a_server_that_speaks_first_is_heard(tmp_path: Path) -> None:
    """Whom `auto` connects before the client says anything."""
    text = """\
listeners:
- {name: any, address: 127.0.0.1:1, protocol: auto, routes: [{to: web}], to: mail}
clusters:
- {name: web, endpoints: [127.0.0.1:2]}
- {name: mail, endpoints: [127.0.0.1:3]}
"""
    (listener,) = config(tmp_path, text).listeners
    assert (listener.protocol, [target.cluster for target in listener.to]) == ("auto", ["mail"])


def test_explain_names_the_rule_that_a_client_follows(tmp_path: Path) -> None:
    text = next(row["documents"] for row in TRAPS if "name: of-client" in row["documents"])
    write(tmp_path, text)
    asked = Asked.of("GET", "http://ratings.default:9080/")
    found = explained(str(tmp_path), asked, "", (extension.check, extension.explain))
    (cluster,) = (part for part in found.parts if part.kind == "cluster")
    policies = {policy["key"]: (policy["value"], policy["place"]) for policy in cluster.policies}
    lines = text.splitlines()
    line = lines.index("      loadBalancer: {simple: RANDOM}") + 1
    assert policies["balance"] == ("random", f"{tmp_path}/b.yaml:{line}")
    assert "limits.max_connections" not in policies
