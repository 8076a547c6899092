"""What is wrong in Istio's documents: each with its line and column, and nothing ignored."""

from pathlib import Path

import pytest

from meshcore import extension
from meshcore.config.sources.examine import examine
from tests.config.istio.scene import (
    OUTBOUND,
    SERVICES,
    Scene,
    destination_rule,
    virtual_service,
)
from tests.support.engine_in_memory import check

ROUTE = "route: [{destination: {host: reviews}}]"


def http(rule: str) -> str:
    """A VirtualService with one rule, on line 7."""
    return virtual_service(f"  hosts: [reviews]\n  http:\n  - {{{rule}}}")


def policy(text: str) -> str:
    """A DestinationRule with a traffic policy, on line 6."""
    return destination_rule(f"  host: reviews\n  trafficPolicy: {{{text}}}")


def entry(spec: str) -> str:
    return (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: se}\n"
        f"spec: {{{spec}}}\n"
    )


def gateway(server: str) -> str:
    return (
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: gw}\n"
        f"spec: {{servers: [{{{server}}}]}}\n"
    )


PORTS = "ports: [{number: 80, name: http, protocol: HTTP}]"
HTTPS = "port: {number: 443, name: https, protocol: HTTPS}, hosts: [a.example.com]"
WRONG = [
    # The form.
    ("kind: VirtualService\napiVersion: networking.istio.io/v1\nspec: {}\n", "", "missing_key"),
    ("kind: Telemetry\napiVersion: telemetry.istio.io/v1\n", "kind", "not_supported"),
    ("kind: VirtualServce\napiVersion: networking.istio.io/v1\n", "kind", "not_supported"),
    ("kind: Deployment\napiVersion: apps/v1\n", "kind", "unknown_kind"),
    (http(f"{ROUTE}, timout: 1s"), "spec.http[0].timout", "unknown_key"),
    (http(f"{ROUTE}, timeout: 5"), "spec.http[0].timeout", "invalid_duration"),
    (http(f"{ROUTE}, timeout: 1us"), "spec.http[0].timeout", "invalid_duration"),
    # VirtualServices.
    (http("name: x"), "spec.http[0]", "one_of"),
    (http(f"{ROUTE}, redirect: {{uri: /x}}"), "spec.http[0]", "one_of"),
    (http("redirect: {}"), "spec.http[0].redirect", "missing_key"),
    (
        http("redirect: {uri: /x, redirectCode: 305}"),
        "spec.http[0].redirect.redirectCode",
        "invalid_choice",
    ),
    (http("directResponse: {status: 99}"), "spec.http[0].directResponse.status", "invalid_value"),
    (http("directResponse: {status: 200, body: {}}"), "spec.http[0].directResponse.body", "one_of"),
    (http(f"{ROUTE}, rewrite: {{}}"), "spec.http[0].rewrite", "missing_key"),
    (http(f"{ROUTE}, match: [{{uri: {{}}}}]"), "spec.http[0].match[0].uri", "one_of"),
    (
        http(f"{ROUTE}, match: [{{uri: {{exact: /a, prefix: /b}}}}]"),
        "spec.http[0].match[0].uri",
        "one_of",
    ),
    (
        http(f"{ROUTE}, match: [{{uri: {{prefix: a}}}}]"),
        "spec.http[0].match[0].uri.prefix",
        "invalid_path",
    ),
    (
        http(f"{ROUTE}, match: [{{headers: {{X-A: {{}}}}}}]"),
        "spec.http[0].match[0].headers.X-A",
        "invalid_header_name",
    ),
    (
        http(f"{ROUTE}, match: [{{headers: {{'@request.auth.claims.sub': {{}}}}}}]"),
        "spec.http[0].match[0].headers.@request.auth.claims.sub",
        "not_supported",
    ),
    (
        http("route: [{destination: {host: a}}, {destination: {host: b}}]"),
        "spec.http[0].route",
        "no_weight",
    ),
    (
        http("route: [{destination: {host: 'a b'}}]"),
        "spec.http[0].route[0].destination.host",
        "invalid_host",
    ),
    (virtual_service(f"  hosts: ['*']\n  http: [{{{ROUTE}}}]"), "spec.hosts[0]", "invalid_host"),
    (
        virtual_service(f"  hosts: [a.com, '*.com']\n  http: [{{{ROUTE}}}]"),
        "spec.hosts[1]",
        "duplicate_name",
    ),
    (virtual_service("  hosts: [reviews]"), "spec", "missing_key"),
    (
        virtual_service(f"  gateways: [x]\n  http: [{{{ROUTE}}}]"),
        "spec.gateways",
        "key_not_allowed",
    ),
    (
        virtual_service("  hosts: [a.com]\n  tls: [{match: [{sniHosts: [b.com]}], " + ROUTE + "}]"),
        "spec.tls[0].match[0].sniHosts[0]",
        "invalid_host",
    ),
    (
        virtual_service(
            "  hosts: [a.com]\n  tcp: [{match: [{destinationSubnets: [10.0.0.0/8]}], "
            + ROUTE
            + "}]"
        ),
        "spec.tcp[0].match[0].destinationSubnets",
        "not_supported",
    ),
    # DestinationRules.
    (policy(""), "spec.trafficPolicy", "missing_key"),
    (policy("tls: {}"), "spec.trafficPolicy.tls", "missing_key"),
    (policy("tls: {mode: ISTIO_MUTUAL}"), "spec.trafficPolicy.tls.mode", "not_supported"),
    (policy("tls: {mode: MUTUAL, privateKey: k.pem}"), "spec.trafficPolicy.tls", "missing_key"),
    (
        policy("tls: {mode: SIMPLE, insecureSkipVerify: true}"),
        "spec.trafficPolicy.tls.insecureSkipVerify",
        "not_supported",
    ),
    (
        policy("loadBalancer: {simple: PASSTHROUGH}"),
        "spec.trafficPolicy.loadBalancer.simple",
        "not_supported",
    ),
    (
        policy("loadBalancer: {simple: FASTEST}"),
        "spec.trafficPolicy.loadBalancer.simple",
        "invalid_choice",
    ),
    (policy("connectionPool: {}"), "spec.trafficPolicy.connectionPool", "missing_key"),
    (policy("tunnel: {targetHost: a}"), "spec.trafficPolicy.tunnel", "not_supported"),
    (
        policy("connectionPool: {http: {useClientProtocol: true, h2UpgradePolicy: UPGRADE}}"),
        "spec.trafficPolicy.connectionPool.http.useClientProtocol",
        "one_of",
    ),
    (
        destination_rule("  host: reviews\n  subsets: [{name: V1}]"),
        "spec.subsets[0].name",
        "invalid_name",
    ),
    (
        destination_rule("  host: reviews\n  subsets: [{name: a}, {name: a}]"),
        "spec.subsets[1].name",
        "duplicate_name",
    ),
    # ServiceEntries.
    (
        entry(f"hosts: ['*'], {PORTS}, resolution: DNS, endpoints: [{{address: a.b}}]"),
        "spec.hosts[0]",
        "invalid_host",
    ),
    (entry(f"hosts: [a.com], {PORTS}"), "spec.resolution", "not_supported"),
    (entry(f"hosts: [a.com], {PORTS}, resolution: STATIC"), "spec.resolution", "missing_key"),
    (entry("hosts: [a.com], resolution: DNS"), "spec", "missing_key"),
    (
        entry(f"hosts: [a.com], {PORTS}, resolution: STATIC, endpoints: [{{address: b.com}}]"),
        "spec.endpoints[0].address",
        "invalid_address",
    ),
    (
        entry(
            f"hosts: [a.com], {PORTS}, resolution: DNS, "
            "endpoints: [{address: b.com, ports: {grpc: 1}}]"
        ),
        "spec.endpoints[0].ports.grpc",
        "unknown_port",
    ),
    # Gateways.
    (gateway(HTTPS), "spec.servers[0]", "missing_key"),
    (gateway(f"{HTTPS}, tls: {{}}"), "spec.servers[0].tls", "missing_key"),
    (
        gateway(f"{HTTPS}, tls: {{mode: AUTO_PASSTHROUGH}}"),
        "spec.servers[0].tls.mode",
        "not_supported",
    ),
    (
        gateway(f"{HTTPS}, tls: {{mode: SIMPLE, credentialName: x}}"),
        "spec.servers[0].tls.credentialName",
        "not_supported",
    ),
    (
        gateway(f"{HTTPS}, tls: {{mode: PASSTHROUGH}}, bind: 10.0.0.1"),
        "spec.servers[0].bind",
        "not_supported",
    ),
    # A list that has nothing else is not empty for that.
    (
        gateway(f"{HTTPS}, tls: {{mode: PASSTHROUGH}}, hostz: []"),
        "spec.servers[0].hostz",
        "unknown_key",
    ),
    (
        gateway(f"{HTTPS}, tls: {{mode: PASSTHROUGH}}").replace("[a.example.com]", "[]"),
        "spec.servers[0].hosts",
        "invalid_value",
    ),
]


@pytest.mark.parametrize(
    ("text", "path", "code"), WRONG, ids=[f"{path}-{code}" for _, path, code in WRONG]
)
def test_what_is_wrong_is_said_once_with_its_place(text: str, path: str, code: str) -> None:
    scene = Scene.of(text)
    found = [scene.merged.placed_at(*pair) for pair in scene.objects.troubles]
    assert [(problem.path, problem.code) for problem in found] == [(path, code)]
    assert found[0].line > 0


def test_problems_have_the_lines_of_their_documents(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(OUTBOUND + SERVICES)
    (tmp_path / "b.yaml").write_text("# rules\n---\n" + http(f"{ROUTE}, timout: 1s"))
    (problem,) = examine(str(tmp_path), check).problems
    assert (problem.file, problem.line, problem.column) == (f"{tmp_path}/b.yaml", 9, 47)
    assert problem.hint == "did you mean 'timeout'?"


def test_what_only_native_rules_refuse_is_placed_in_istio_s_document(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        OUTBOUND + SERVICES.replace("10.0.1.1}", "10.0.1.1, weight: 70000}")
    )
    found = [(problem.path, problem.line) for problem in examine(str(tmp_path), check).problems]
    assert found == [("spec.endpoints[0]", 21)]


def test_the_engine_s_problems_are_placed_in_istio_s_document(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(OUTBOUND + SERVICES)
    (tmp_path / "b.yaml").write_text(http(f'{ROUTE}, match: [{{uri: {{regex: "(["}}}}]'))
    (problem,) = examine(str(tmp_path), extension.check).problems
    assert (problem.path, problem.line) == ("spec.http[0].match[0].uri.regex", 7)


def test_two_objects_of_one_name_are_refused() -> None:
    scene = Scene.of(http(ROUTE), http(ROUTE))
    assert [trouble.code for trouble in scene.troubles] == ["duplicate_name"]


def test_a_list_as_a_cluster_prints_it_is_understood() -> None:
    objects = "\n".join(f"  {line}" for line in http(ROUTE).removesuffix("---\n").splitlines())
    text = "apiVersion: v1\nkind: List\nitems:\n- " + objects.lstrip() + "\n"
    scene = Scene.of(text)
    assert scene.troubles == []
    assert [found.key for found in scene.objects.virtual_services] == [("default", "vs")]


def test_what_a_cluster_adds_is_no_problem() -> None:
    text = http(ROUTE).replace(
        "namespace: default}",
        "namespace: default, uid: x, generation: 3, managedFields: []}\nstatus: {a: 1}",
    )
    assert Scene.of(text).troubles == []


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_all_served_versions_are_alike(version: str) -> None:
    assert Scene.of(http(ROUTE).replace("io/v1", f"io/{version}")).troubles == []
