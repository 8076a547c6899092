"""Gateways: listeners that they select, hosts that meet, conflicts, certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.gateways import PlacedServer, binding, served
from meshcore.config.sources.istio.translate.names import intersection, selects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model import Gateway
    from meshcore.config.sources.istio.objects import Object


def gateways(analysis: Analysis) -> None:
    """Look at each."""
    for gateway in analysis.objects.gateways:
        _selected(analysis, gateway)
        _certificates(analysis, gateway)
    _conflicts(analysis)
    _hosts(analysis)


def _servers(gateway: Object[Gateway]) -> Iterator[PlacedServer]:
    for index, server in enumerate(gateway.value.spec.servers):
        yield PlacedServer(server, gateway, gateway / "servers" / index)


def _selected(analysis: Analysis, gateway: Object[Gateway]) -> None:
    selector = gateway.value.spec.selector
    found = [
        client
        for client in analysis.clients
        if client.traffic == "gateway" and selects(selector, client.labels)
    ]
    if not found:
        labels = ", ".join(f"{key}={value}" for key, value in selector.items()) or "any labels"
        message = f"no mesh: gateway listener has {labels}"
        analysis.find("IST0127", gateway, gateway / "selector", message)
        return
    ports = {client.stands_for for client in found}
    for server in _servers(gateway):
        number = server.server.port.number
        if number not in ports:
            known = ", ".join(map(str, sorted(ports)))
            message = f"no selected listener stands for port {number}: they stand for {known}"
            analysis.find("IST0162", gateway, server.at / "port" / "number", message)


def _certificates(analysis: Analysis, gateway: Object[Gateway]) -> None:
    seen: dict[tuple[int, str], int] = {}
    for index, server in enumerate(_servers(gateway)):
        tls = server.server.tls
        if tls is None or not tls.serverCertificate:
            continue
        first = seen.setdefault((server.server.port.number, tls.serverCertificate), index)
        if first != index:
            message = f"servers[{first}] shows {tls.serverCertificate} too"
            place = server.at / "tls" / "serverCertificate"
            analysis.find("IST0138", gateway, place, message)


def _conflicts(analysis: Analysis) -> None:
    every = [server for gateway in analysis.objects.gateways for server in _servers(gateway)]
    for index, server in enumerate(every):
        for older in every[:index]:
            if older.gateway is server.gateway or not _same_place(older, server):
                continue
            shared = [
                (at, host)
                for at, host in enumerate(server.server.hosts)
                for other in older.server.hosts
                if intersection(_bare(host), _bare(other)) is not None and _same_homes(host, other)
            ]
            for at, host in shared:
                message = f"Gateway {older.gateway_name} serves {_bare(host)} on this port too"
                place = server.at / "hosts" / at
                analysis.find("IST0145", server.gateway, place, message)


def _same_place(one: PlacedServer, other: PlacedServer) -> bool:
    same_port = one.server.port.number == other.server.port.number
    selectors = one.gateway.value.spec.selector, other.gateway.value.spec.selector
    return same_port and selectors[0] == selectors[1]


def _bare(host: str) -> str:
    return host.rpartition("/")[2].lower()


def _same_homes(one: str, other: str) -> bool:
    homes = one.rpartition("/")[0] or "*", other.rpartition("/")[0] or "*"
    return "*" in homes or homes[0] == homes[1]


def _hosts(analysis: Analysis) -> None:
    """VirtualServices that are bound to Gateways which serve none of their hosts."""
    for service in analysis.objects.virtual_services:
        for gateway in analysis.objects.gateways:
            servers = list(_servers(gateway))
            bound = [server for server in servers if binding(service, server) is not None]
            if bound and not any(served(service, server) for server in bound):
                name = f"{gateway.value.namespace}/{gateway.value.name}"
                message = f"Gateway {name} serves none of {', '.join(service.value.spec.hosts)}"
                analysis.find("IST0132", service, service / "hosts", message)
