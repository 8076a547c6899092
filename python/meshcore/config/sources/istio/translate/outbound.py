"""What workloads send: each service's routes come from the VirtualService that claims it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.clusters.destinations import Wanted
from meshcore.config.sources.istio.translate.clusters.registry import HTTP, Service
from meshcore.config.sources.istio.translate.http.delegates import http_rules
from meshcore.config.sources.istio.translate.http.match import reach
from meshcore.config.sources.istio.translate.http.route import Scene, http_routes
from meshcore.config.sources.istio.translate.made import Made
from meshcore.config.sources.istio.translate.names import (
    MESH,
    domains,
    full_name,
    is_ip,
    most_specific,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.model import VirtualService
    from meshcore.config.sources.istio.model.service_entry import ServicePort
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.destinations import Destinations
    from meshcore.config.sources.istio.translate.http.match import Bound
    from meshcore.config.sources.text import Value

# What a host that no service has is asked on, where nothing says otherwise.
_WEB = 80
_BY_MESH = frozenset({MESH})


@dataclass(slots=True)
class Group:
    """Hosts with the same routes."""

    owner: Object[VirtualService] | Service
    port: int
    guarded: bool
    """Only requests whose `Host` says the port."""
    hosts: list[str] = field(default_factory=list)


def bound_to_mesh(service: Object[VirtualService], client: Client) -> Bound | None:
    """How an outbound listener reaches a VirtualService; None: not at all."""
    spec = service.value.spec
    if not spec.hosts or not visible(spec.exportTo, service.value.namespace, client.namespace):
        return None
    return reach(spec, service.value.namespace, _BY_MESH)


def claims(
    services: list[Object[VirtualService]], client: Client
) -> dict[str, Object[VirtualService]]:
    """Each host that the VirtualServices of the mesh claim; of two for one host, the older."""
    found: dict[str, Object[VirtualService]] = {}
    for service in services:
        if bound_to_mesh(service, client) is not None:
            for host in service.value.spec.hosts:
                found.setdefault(full_name(host, service.value.namespace), service)
                # A ServiceEntry may have the short name itself.
                found.setdefault(host.lower(), service)
    return found


def outbound_routes(destinations: Destinations, client: Client) -> Iterator[Made]:
    """The routes of a listener for what workloads send."""
    groups = _groups(destinations, client)
    for group in sorted(groups, key=lambda group: not group.guarded):
        if isinstance(group.owner, Service):
            made = _default(group.owner, group.port, destinations, client)
        else:
            made = _of_virtual_service(group.owner, group.port, destinations, client)
        for route in made:
            hosts: list[Value] = [*group.hosts]
            route.put("match.host", hosts)
            if group.guarded and not route.has("match.authority"):
                route.put("match.authority", {"suffix": f":{group.port}"})
            yield route


def _groups(destinations: Destinations, client: Client) -> list[Group]:
    claimed = claims(destinations.objects.virtual_services, client)
    groups: dict[tuple[int, int, bool], Group] = {}

    def add(owner: Object[VirtualService] | Service, port: int, guarded: bool) -> list[str]:
        return groups.setdefault((id(owner), port, guarded), Group(owner, port, guarded)).hosts

    used: set[str] = set()
    for service in destinations.registry.seen_from(client.namespace):
        pattern = most_specific(claimed, service.host)
        if pattern is not None:
            used.add(pattern)
        owner = claimed[pattern] if pattern is not None else service
        ports = _ports(service, client)
        for port in ports:
            hosts = add(owner, port.number, port is not ports[0])
            hosts += [name for name in _called(service, client) if name not in hosts]
    for virtual in dict.fromkeys(claimed.values()):
        for host in virtual.value.spec.hosts:
            name = full_name(host, virtual.value.namespace)
            if claimed[name] is virtual and not {name, host.lower()} & used and name != "*":
                hosts = add(virtual, client.port or _WEB, guarded=False)
                hosts += domains(name, client.namespace)
    return list(groups.values())


def _called(service: Service, client: Client) -> Iterator[str]:
    """What requests may call a service: its names, and its addresses."""
    yield from domains(service.host, client.namespace)
    for address in service.entry.value.spec.addresses:
        if is_ip(address) and "/" not in address:
            yield f"[{address}]" if ":" in address else address


def _ports(service: Service, client: Client) -> list[ServicePort]:
    """The ports that a listener serves; the first is the one that needs no naming."""
    found = service.ports_of(HTTP)
    if client.port is not None:
        return [port for port in found if port.number == client.port]
    return sorted(found, key=lambda port: port.number != _WEB)


def _of_virtual_service(
    service: Object[VirtualService], port: int, destinations: Destinations, client: Client
) -> Iterator[Made]:
    bound = bound_to_mesh(service, client)
    if bound is None:
        return
    scene = Scene(destinations, client, bound, port)
    name = f"{service.value.namespace}/{service.value.name}"
    for rule in http_rules(service, destinations.objects.virtual_services):
        yield from http_routes(scene, rule, name)


def _default(
    service: Service, port: int, destinations: Destinations, client: Client
) -> Iterator[Made]:
    """A service that no VirtualService claims."""
    made = Made("route", service.entry.at)
    made.put("name", f"{service.host}:{port}".removeprefix("*."))
    wanted = Wanted(service.host, "", port, service.namespace, service.entry.at)
    made.put("to", [{"cluster": destinations.cluster(wanted, client, port)}])
    made.put("hash_on", destinations.hashed(wanted, client, port) or None)
    yield made
