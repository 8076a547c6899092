"""Connections without HTTP: by server name (tls) or by port alone (tcp)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.clusters.destinations import Wanted
from meshcore.config.sources.istio.translate.clusters.registry import HTTP, TLS
from meshcore.config.sources.istio.translate.gateways import PlacedServer, binding, served, servers
from meshcore.config.sources.istio.translate.http.match import Bound, concerns
from meshcore.config.sources.istio.translate.made import Made
from meshcore.config.sources.istio.translate.names import intersection, most_specific
from meshcore.config.sources.istio.translate.outbound import bound_to_mesh, claims

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.model import VirtualService
    from meshcore.config.sources.istio.model.service_entry import ServicePort
    from meshcore.config.sources.istio.model.virtual_service import StreamTarget
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.destinations import Destinations
    from meshcore.config.sources.istio.translate.clusters.registry import Service
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value


def sni_routes(destinations: Destinations, client: Client) -> Iterator[Made]:
    """The routes of a listener that passes TLS through."""
    if client.traffic == "gateway":
        for server in servers(destinations.objects, client):
            if server.protocol == "tls-passthrough":
                yield from _by_gateway(server, destinations, client)
        return
    claimed = claims(destinations.objects.virtual_services, client)
    done: set[int] = set()
    for service, port in _services(destinations, client, tls=True):
        pattern = most_specific(claimed, service.host)
        owner = claimed[pattern] if pattern is not None else None
        bound = bound_to_mesh(owner, client) if owner is not None else None
        if owner is None or bound is None or not owner.value.spec.tls:
            yield _default_sni(service, port, destinations, client)
        elif id(owner) not in done:
            done.add(id(owner))
            yield from _sni_rules(owner, bound, None, destinations, client)


def _by_gateway(server: PlacedServer, destinations: Destinations, client: Client) -> Iterator[Made]:
    for service in destinations.objects.virtual_services:
        bound = binding(service, server)
        if bound is not None:
            hosts = served(service, server)
            yield from _sni_rules(service, bound, hosts, destinations, client)


def _sni_rules(
    service: Object[VirtualService],
    bound: Bound,
    hosts: list[str] | None,
    destinations: Destinations,
    client: Client,
) -> Iterator[Made]:
    for index, rule in enumerate(service.value.spec.tls):
        at = service / "tls" / index
        names: dict[str, None] = {}
        for match in rule.match:
            if not concerns(match, client, bound, client.stands_for):
                continue
            for name in match.sniHosts:
                let_in = (intersection(name.lower(), host) for host in hosts or ())
                both = [name.lower()] if hosts is None else list(filter(None, let_in))
                names |= dict.fromkeys(both)
        if names:
            made = Made("route", at)
            made.put("name", f"{service.value.namespace}/{service.value.name}/tls/{index}")
            sni: list[Value] = [*names]
            made.put("match.sni", sni, at / "match")
            _put_targets(made, rule.route, service, at, (destinations, client))
            yield made


def _default_sni(
    service: Service, port: ServicePort, destinations: Destinations, client: Client
) -> Made:
    made = Made("route", service.entry.at)
    made.put("name", f"{service.host}:{port.number}".removeprefix("*."))
    made.put("match.sni", [service.host])
    wanted = Wanted(service.host, "", port.number, service.namespace, service.entry.at)
    made.put("to", [{"cluster": destinations.cluster(wanted, client, port.number)}])
    return made


def _put_targets(
    made: Made,
    route: tuple[StreamTarget, ...],
    service: Object[VirtualService],
    at: At,
    where: tuple[Destinations, Client],
) -> None:
    destinations, client = where
    targets: list[Value] = []
    for index, target in enumerate(route):
        place = at / "route" / index
        wanted = Wanted.of(target.destination, service.value.namespace, place / "destination")
        cluster = destinations.cluster(wanted, client, client.stands_for)
        made.origins["to", index] = place
        targets.append({"cluster": cluster, "weight": 1 if len(route) == 1 else target.weight})
    made.put("to", targets, at / "route")


def tcp_target(destinations: Destinations, client: Client) -> Made | None:
    """Where a listener for plain connections sends them; None where nothing says so."""
    of_gateway = client.traffic == "gateway"
    found = _tcp_by_gateway(destinations, client) if of_gateway else _tcp(destinations, client)
    return next(found, None)


def _tcp_by_gateway(destinations: Destinations, client: Client) -> Iterator[Made]:
    for server in servers(destinations.objects, client):
        if server.protocol != "tcp":
            continue
        for virtual in destinations.objects.virtual_services:
            bound = binding(virtual, server)
            if bound is not None and served(virtual, server):
                yield from _tcp_rule(virtual, bound, destinations, client)


def _tcp(destinations: Destinations, client: Client) -> Iterator[Made]:
    claimed = claims(destinations.objects.virtual_services, client)
    for service, port in _services(destinations, client, tls=False):
        pattern = most_specific(claimed, service.host)
        bound = bound_to_mesh(claimed[pattern], client) if pattern is not None else None
        if pattern is not None and bound is not None:
            yield from _tcp_rule(claimed[pattern], bound, destinations, client)
        made = Made("route", service.entry.at)
        wanted = Wanted(service.host, "", port.number, service.namespace, service.entry.at)
        made.put("to", [{"cluster": destinations.cluster(wanted, client, port.number)}])
        yield made


def _tcp_rule(
    service: Object[VirtualService], bound: Bound, destinations: Destinations, client: Client
) -> Iterator[Made]:
    """The rules for this listener: what follows the first can never match."""
    for index, rule in enumerate(service.value.spec.tcp):
        ours = [match for match in rule.match if concerns(match, client, bound, client.stands_for)]
        if ours or (not rule.match and bound.everywhere):
            at = service / "tcp" / index
            made = Made("route", at)
            _put_targets(made, rule.route, service, at, (destinations, client))
            yield made


def tcp_services(destinations: Destinations, client: Client) -> list[tuple[Service, ServicePort]]:
    """The services that an outbound listener for plain connections could stand for."""
    return list(_services(destinations, client, tls=False))


def _services(
    destinations: Destinations, client: Client, *, tls: bool
) -> Iterator[tuple[Service, ServicePort]]:
    for service in destinations.registry.seen_from(client.namespace):
        for port in service.ports:
            protocol = port.protocol.upper() or "TCP"
            fits = protocol in TLS if tls else protocol not in HTTP
            if fits and port.number == client.stands_for:
                yield service, port
