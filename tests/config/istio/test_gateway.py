"""Gateways: which hosts of which objects they let in, and to which listeners."""

from tests.config.istio.scene import (
    SERVICES,
    Scene,
    virtual_service,
)
from tests.config.istio.test_translate import TO_V1, TO_V2

GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingress}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*.example.com", "other/*.example.org"]
---
"""
INGRESS = """\
listeners: [{name: in, address: "127.0.0.1:80", mesh: gateway, labels: {istio: ingress}}]
---
"""


def test_the_hosts_of_a_gateway_and_of_its_objects_meet() -> None:
    rules = virtual_service(
        f'  hosts: ["www.example.com", "*.example.org", "*.com"]\n  gateways: [edge]\n'
        f"  http: [{{{TO_V1}}}]".replace('"*.com"', '"*.shop.example.com"')
    )
    scene = Scene.of(INGRESS + SERVICES, GATEWAY, rules)
    hosts = [route["match"] for route in scene.routes()]
    assert hosts == [{"host": ["www.example.com"]}, {"host": ["*.shop.example.com"]}]


def test_at_a_gateway_rules_for_everything_come_last() -> None:
    wide = virtual_service(
        f"  hosts: [a.example.com]\n  gateways: [edge]\n  http: [{{{TO_V1}}}]", "wide"
    )
    narrow = virtual_service(
        "  hosts: [a.example.com]\n  gateways: [edge]\n"
        f"  http:\n  - match: [{{uri: {{exact: /b}}}}]\n    {TO_V2}",
        "narrow",
    )
    scene = Scene.of(INGRESS + SERVICES, GATEWAY, wide, narrow)
    assert [route["name"] for route in scene.routes()] == ["default/narrow/0", "default/wide/0"]


def test_a_gateway_that_selects_no_listener_gives_it_nothing() -> None:
    rules = virtual_service(f"  hosts: [a.example.com]\n  gateways: [edge]\n  http: [{{{TO_V1}}}]")
    for listener in (INGRESS.replace("ingress}", "egress}"), INGRESS.replace(':80"', ':81"')):
        assert Scene.of(listener + SERVICES, GATEWAY, rules).routes() == []


def test_what_a_gateway_asks_of_a_listener_must_be_what_it_is() -> None:
    tls = GATEWAY.replace("protocol: HTTP", "protocol: TLS").replace(
        '    hosts: ["*.e', '    tls: {mode: PASSTHROUGH}\n    hosts: ["*.e'
    )
    (trouble,) = Scene.of(INGRESS + SERVICES, tls).troubles
    assert trouble.code == "protocol_mismatch"
    assert "protocol: tls-passthrough" in trouble.hint
