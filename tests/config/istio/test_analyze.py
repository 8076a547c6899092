"""Each finding is found where it should be, once, and can be suppressed."""

import json
from pathlib import Path

import pytest

from meshcore.config.sources.analyze import analyzed
from meshcore.config.sources.istio.analyze.catalogue import ENTRIES
from tests.config.istio.scene import (
    OUTBOUND,
    SERVICES,
    destination_rule,
    virtual_service,
)
from tests.support.engine_in_memory import check

V1 = "route: [{destination: {host: reviews, subset: v1}}]"
GATEWAY = (
    "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: NAME}\n"
    "spec: {selector: {istio: ingress}, servers: [SERVERS]}\n---\n"
)
INGRESS = """\
listeners: [{name: in, address: "127.0.0.1:443", mesh: gateway, labels: {istio: ingress}}]
---
"""


def http(*rules: str, name: str = "vs") -> str:
    lines = "".join(f"\n  - {{{rule}}}" for rule in rules)
    return virtual_service(f"  hosts: [reviews]\n  http:{lines}", name)


def policy(text: str, more: str = "") -> str:
    return destination_rule(f"  host: ratings\n  trafficPolicy: {{{text}}}{more}")


def gateway(*servers: str, name: str = "edge") -> str:
    return GATEWAY.replace("SERVERS", ", ".join(f"{{{server}}}" for server in servers)).replace(
        "NAME", name
    )


def https(number: int, host: str = "a.example.com", files: str = "a") -> str:
    tls = f"tls: {{mode: SIMPLE, serverCertificate: {files}.pem, privateKey: {files}.key}}"
    return f"port: {{number: {number}, name: p{host}, protocol: HTTPS}}, hosts: [{host}], {tls}"


def entry(name: str, ports: str, namespace: str = "default", more: str = "") -> str:
    return (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
        f"metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n"
        f"  hosts: [{name}.{namespace}.svc.cluster.local]\n  ports: [{ports}]\n"
        f"  resolution: STATIC\n  endpoints: [{{address: 10.9.9.9, locality: eu}}{more}]\n---\n"
    )


PLAIN = "{number: 80, name: http, protocol: HTTP}"
LEAF = virtual_service(f"  http: [{{match: [{{uri: {{prefix: /b}}}}], {V1}}}]", "leaf")
# Code, the documents beside the services, and the path that it is found at.
FOUND = [
    (
        "IST0101",
        http("route: [{destination: {host: nobody}}]"),
        "spec.http[0].route[0].destination.host",
    ),
    (
        "IST0101",
        http("route: [{destination: {host: reviews, subset: v9}}]"),
        "spec.http[0].route[0].destination.subset",
    ),
    (
        "IST0101",
        http("route: [{destination: {host: reviews, port: {number: 1}}}]"),
        "spec.http[0].route[0].destination.port.number",
    ),
    (
        "IST0101",
        virtual_service(f"  hosts: [a.b]\n  gateways: [nowhere]\n  http: [{{{V1}}}]"),
        "spec.gateways[0]",
    ),
    ("IST0101", http("delegate: {name: nobody}"), "spec.http[0].delegate.name"),
    ("IST0106", http(f"{V1}, timout: 1s"), "spec.http[0].timout"),
    ("IST0109", http(V1) + http(V1, name="younger"), "spec.hosts[0]"),
    (
        "IST0112",
        entry("two", f"{PLAIN}, {{number: 81, name: b, protocol: HTTP}}")
        + http("route: [{destination: {host: two}}]"),
        "spec.http[0].route[0].destination",
    ),
    ("IST0118", entry("raw", "{number: 80, name: http}"), "spec.ports[0]"),
    ("IST0127", gateway(https(443)), "spec.selector"),
    ("IST0128", policy("tls: {mode: SIMPLE}"), "spec.trafficPolicy.tls"),
    (
        "IST0129",
        policy("portLevelSettings: [{port: {number: 9080}, tls: {mode: SIMPLE}}]"),
        "spec.trafficPolicy.portLevelSettings[0].tls",
    ),
    ("IST0130", http(V1, f"match: [{{uri: {{exact: /a}}}}], {V1}"), "spec.http[1]"),
    (
        "IST0131",
        http(
            f"match: [{{uri: {{prefix: /a/}}}}], {V1}",
            f"match: [{{uri: {{exact: /a/b}}}}, {{uri: {{exact: /c}}}}], {V1}",
        ),
        "spec.http[1].match[0]",
    ),
    (
        "IST0132",
        INGRESS
        + gateway(https(443))
        + virtual_service(f"  hosts: [b.example.com]\n  gateways: [edge]\n  http: [{{{V1}}}]"),
        "spec.hosts",
    ),
    (
        "IST0133",
        http(f"{V1}, mirror: {{host: ratings}}, mirrorPercent: 5"),
        "spec.http[0].mirrorPercent",
    ),
    ("IST0134", entry("pg", "{number: 5432, name: pg, protocol: TCP}"), "spec.ports[0]"),
    (
        "IST0138",
        INGRESS + gateway(https(443), https(443, "b.example.com")),
        "spec.servers[1].tls.serverCertificate",
    ),
    (
        "IST0145",
        INGRESS + gateway(https(443)) + gateway(https(443), name="other"),
        "spec.servers[0].hosts[0]",
    ),
    ("IST0162", INGRESS + gateway(https(8443)), "spec.servers[0].port.number"),
    (
        "IST0173",
        destination_rule("  host: ratings\n  subsets: [{name: v9, labels: {version: v9}}]"),
        "spec.subsets[0].labels",
    ),
    ("IST0174", destination_rule("  host: nobody"), "spec.host"),
    (
        "IST0177",
        entry("one", PLAIN)
        + entry("one", PLAIN.replace("HTTP}", "GRPC}")).replace("{name: one,", "{name: again,"),
        "spec.ports[0].protocol",
    ),
    (
        "MC0001",
        http(f"match: [{{uri: {{prefix: /v2}}}}], {V1}"),
        "spec.http[0].match[0].uri.prefix",
    ),
    (
        "MC0002",
        INGRESS.replace("443", "80")
        + OUTBOUND
        + gateway("port: {number: 80, name: h, protocol: HTTP}, hosts: ['*']")
        + virtual_service(f"  hosts: [reviews]\n  gateways: [edge]\n  http: [{{{V1}}}]"),
        "spec.hosts[0]",
    ),
    (
        "MC0003",
        destination_rule(
            "  host: ratings\n  subsets:\n"
            "  - {name: all, trafficPolicy: {loadBalancer: {simple: RANDOM}}}"
        ),
        "spec.subsets[0].trafficPolicy",
    ),
    (
        "MC0004",
        policy("loadBalancer: {simple: RANDOM}, portLevelSettings: [{port: {number: 9080}}]"),
        "spec.trafficPolicy.portLevelSettings[0]",
    ),
    (
        "MC0005",
        policy(
            "loadBalancer: {warmup: {duration: 5s}}",
            "\n  subsets: [{name: a, trafficPolicy: {loadBalancer: {simple: RANDOM}}}]",
        ),
        "spec.subsets[0].trafficPolicy.loadBalancer",
    ),
    (
        "MC0006",
        policy("loadBalancer: {localityLbSetting: {failover: [{from: eu, to: us}]}}"),
        "spec.trafficPolicy.loadBalancer.localityLbSetting",
    ),
    (
        "MC0007",
        entry("far", PLAIN, more=", {address: 10.9.9.8, locality: us}")
        + destination_rule("  host: far\n  trafficPolicy: {outlierDetection: {interval: 1s}}"),
        "spec.trafficPolicy.outlierDetection",
    ),
    (
        "MC0008",
        http(f"match: [{{sourceLabels: {{app: x}}}}], {V1}"),
        "spec.http[0].match[0].sourceLabels",
    ),
    ("MC0009", destination_rule("  host: reviews"), "spec.host"),
    (
        "MC0010",
        OUTBOUND.replace("mesh: outbound", "mesh: {traffic: outbound, namespace: shop}")
        .replace("out,", "o,")
        .replace(":1'", ":2'")
        + destination_rule("  host: ratings.default.svc.cluster.local", "a")
        + destination_rule("  host: ratings.default.svc.cluster.local", "b", "shop"),
        "spec.host",
    ),
    (
        "MC0011",
        entry("far", PLAIN, "other") + http("route: [{destination: {host: far}}]"),
        "spec.http[0].route[0].destination.host",
    ),
    ("MC0011", entry("far", PLAIN, "other") + destination_rule("  host: far"), "spec.host"),
    ("MC0012", http(f"{V1}, retries: {{retryOn: '5xx,reset'}}"), "spec.http[0].retries.retryOn"),
    (
        "MC0013",
        http(f"{V1}, timeout: 1s, fault: {{abort: {{httpStatus: 500, percentage: {{value: 1}}}}}}"),
        "spec.http[0].timeout",
    ),
    ("MC0014", http(f"{V1}, fault: {{abort: {{httpStatus: 500}}}}"), "spec.http[0].fault.abort"),
    (
        "MC0015",
        policy("connectionPool: {http: {http2MaxRequests: 0}}"),
        "spec.trafficPolicy.connectionPool.http.http2MaxRequests",
    ),
    (
        "MC0016",
        http(
            "route: [{destination: {host: reviews}, weight: 9}, "
            "{destination: {host: ratings}, weight: 2}]"
        ),
        "spec.http[0].route",
    ),
    (
        "MC0017",
        http(f"match: [{{uri: {{prefix: /a}}}}], rewrite: {{uri: /}}, {V1}"),
        "spec.http[0].rewrite.uri",
    ),
    ("MC0018", LEAF + http("match: [{uri: {prefix: /a}}], delegate: {name: leaf}"), "spec.http[0]"),
    ("MC0019", http(V1), "metadata.name"),
    (
        "MC0020",
        policy("connectionPool: {http: {http1MaxPendingRequests: 1}}"),
        "spec.trafficPolicy.connectionPool.http.http1MaxPendingRequests",
    ),
]
IDS = [f"{code}-{path}" for code, _, path in FOUND]


def findings(folder: Path, text: str, *, bound: bool = True) -> list[tuple[str, str]]:
    (folder / "a.yaml").write_text((OUTBOUND if bound else "") + SERVICES)
    (folder / "b.yaml").write_text(text)
    return [(found.code, found.problem.path) for found in analyzed(str(folder), check)]


@pytest.mark.parametrize(("code", "text", "path"), FOUND, ids=IDS)
def test_it_is_found(code: str, text: str, path: str, tmp_path: Path) -> None:
    bound = "listeners:" not in text and code != "MC0019"
    assert findings(tmp_path, text, bound=bound).count((code, path)) == 1


def test_every_code_is_found_by_a_test() -> None:
    assert {code for code, _, _ in FOUND} == set(ENTRIES)


def test_sound_documents_have_no_findings(tmp_path: Path) -> None:
    text = http(f"match: [{{uri: {{prefix: /v2/}}}}, {{uri: {{exact: /v2}}}}], {V1}", V1)
    assert findings(tmp_path, text) == []


@pytest.mark.parametrize("codes", ["IST0130", "MC0001, IST0130", "*"])
def test_an_object_s_findings_can_be_suppressed(codes: str, tmp_path: Path) -> None:
    text = http(V1, f"match: [{{uri: {{exact: /a}}}}], {V1}")
    assert ("IST0130", "spec.http[1]") in findings(tmp_path, text)
    quiet = f'default, annotations: {{galley.istio.io/analyze-suppress: "{codes}"}}'
    assert findings(tmp_path, text.replace("namespace: default", f"namespace: {quiet}")) == []


@pytest.mark.parametrize(
    ("earlier", "later", "hidden"),
    [
        ("uri: {prefix: /a}", "uri: {exact: /ab}", True),
        ("uri: {prefix: /a}", "uri: {prefix: /a/b}, headers: {x: {}}", True),
        ("uri: {prefix: /a/b}", "uri: {prefix: /a}", False),
        ("uri: {exact: /a}", "uri: {exact: /a}", True),
        ("uri: {exact: /A}, ignoreUriCase: true", "uri: {exact: /a}", True),
        ("uri: {exact: /a}", "uri: {exact: /a}, ignoreUriCase: true", False),
        ("headers: {x: {}}", "headers: {x: {exact: '1'}}", True),
        ("headers: {x: {exact: '1'}}", "headers: {x: {}}", False),
        ("headers: {x: {exact: '1'}}", "uri: {prefix: /}", False),
        ("uri: {prefix: /}", "uri: {regex: '/.*'}", True),
        ("uri: {regex: '/a.*'}", "uri: {exact: /ab}", False),
        ("port: 80", "uri: {exact: /a}", False),
        ("uri: {prefix: /a/}", "uri: {exact: /a/b}, port: 80", True),
        ("withoutHeaders: {x: {}}", "uri: {exact: /a}", False),
        ("method: {exact: GET}", "method: {exact: GET}, uri: {exact: /x}", True),
    ],
)
def test_what_hides_a_rule(earlier: str, later: str, hidden: bool, tmp_path: Path) -> None:
    text = http(f"match: [{{{earlier}}}], {V1}", f"match: [{{{later}}}], {V1}")
    assert (("IST0130", "spec.http[1]") in findings(tmp_path, text)) is hidden


def test_a_finding_tells_all_that_a_program_needs(tmp_path: Path) -> None:
    findings(tmp_path, http("route: [{destination: {host: nobody}}]"))
    (found,) = analyzed(str(tmp_path), check)
    assert json.loads(json.dumps(found.to_json())) == {
        "code": "IST0101",
        "name": "ReferencedResourceNotFound",
        "level": "error",
        "object": "VirtualService default/vs",
        "path": "spec.http[0].route[0].destination.host",
        "message": "there is no service 'nobody'",
        "hint": "",
        "file": f"{tmp_path}/b.yaml",
        "line": 7,
        "column": 35,
    }
    assert str(found).endswith(
        "b.yaml:7:35: error IST0101 VirtualService default/vs: there is no service 'nobody'"
    )
