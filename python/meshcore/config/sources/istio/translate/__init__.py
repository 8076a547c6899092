"""Istio's objects become native routes and clusters: for each listener with `mesh`, its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.translate.client import Client, clients
from meshcore.config.sources.istio.translate.clusters.destinations import Destinations
from meshcore.config.sources.istio.translate.clusters.registry import registry
from meshcore.config.sources.istio.translate.gateways import gateway_routes, servers
from meshcore.config.sources.istio.translate.listener_tls import listener_tls, terminating
from meshcore.config.sources.istio.translate.outbound import outbound_routes
from meshcore.config.sources.istio.translate.streams import sni_routes, tcp_services, tcp_target

if TYPE_CHECKING:
    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.objects import Objects
    from meshcore.config.sources.istio.translate.made import Made
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

# How often a name is tried with a number behind it is bounded by the number of routes.
_FIRST_COPY = 2


@dataclass(slots=True)
class Translated:
    """What a configuration gets from Istio's documents."""

    routes: dict[int, list[Made]] = field(default_factory=dict)
    """By the listener's position."""
    to: dict[int, Made] = field(default_factory=dict)
    """Where listeners for plain connections send them."""
    tls: dict[int, Made] = field(default_factory=dict)
    clusters: dict[str, Made] = field(default_factory=dict)
    troubles: list[tuple[At, Trouble]] = field(default_factory=list)
    """With their places in Istio's documents."""
    of_listeners: list[Trouble] = field(default_factory=list)
    """With their places in the native document."""


def translate(objects: Objects, listeners: Value) -> Translated:
    """Everything that the objects mean for these listeners."""
    found = Translated()
    destinations = Destinations(objects, registry(objects))
    for client in clients(listeners):
        _add(found, destinations, client)
    found.clusters = destinations.clusters
    return found


def _add(found: Translated, destinations: Destinations, client: Client) -> None:
    if client.traffic == "gateway":
        _check_servers(found, destinations, client)
    routes: list[Made] = []
    if client.is_http:
        made = gateway_routes if client.traffic == "gateway" else outbound_routes
        routes = list(made(destinations, client))
    elif client.protocol == "tls-passthrough":
        routes = list(sni_routes(destinations, client))
    elif client.protocol == "tcp":
        _add_tcp(found, destinations, client)
    if routes:
        _name_once(routes)
        found.routes[client.index] = routes
    tls = listener_tls(destinations, client) if client.traffic == "gateway" else None
    if tls is not None and not client.has_tls:
        found.tls[client.index] = tls


def _add_tcp(found: Translated, destinations: Destinations, client: Client) -> None:
    made = tcp_target(destinations, client)
    if made is not None:
        found.to[client.index] = made
    services = tcp_services(destinations, client) if client.traffic == "outbound" else []
    for service, port in services[1:]:
        message = f"{services[0][0].host} has the TCP port {port.number} too"
        hint = f"listener {client.name} can't tell them apart: give one of them another port"
        place = service.entry.at / "spec" / "ports"
        found.troubles.append((place, Trouble((), "ambiguous_port", message, hint)))


def _check_servers(found: Translated, destinations: Destinations, client: Client) -> None:
    """What a Gateway asks of a listener must be what the listener is."""
    spoken = "http" if client.is_http else client.protocol
    ends = terminating(destinations, client)
    clear = (at for at in servers(destinations.objects, client) if not at.is_unclear)
    for server in clear:
        place = server.at / "port" / "protocol"
        if server.protocol != spoken:
            message = f"the listener {client.name} of this port has protocol {client.protocol}"
            hint = f"give that listener protocol: {server.protocol}, or this server another port"
            found.troubles.append((place, Trouble((), "protocol_mismatch", message, hint)))
        elif ends and server.at not in {end.at for end in ends}:
            message = "another server of this port ends TLS, so that this one can't be without"
            hint = "give one of them another port"
            found.troubles.append((place, Trouble((), "protocol_mismatch", message, hint)))
    modes = {at.server.tls.mode for at in ends if at.server.tls is not None}
    if len(modes) > 1:
        message = "one listener asks all clients for certificates, or none: not SIMPLE and MUTUAL"
        hint = "give one of them another port"
        place = ends[-1].at / "tls" / "mode"
        found.troubles.append((place, Trouble((), "not_supported", message, hint)))


def _name_once(routes: list[Made]) -> None:
    """Names are single in a listener: one rule may stand there for several hosts."""
    seen: dict[str, int] = {}
    for route in routes:
        name = str(route.value["name"])
        count = seen[name] = seen.get(name, 0) + 1
        if count >= _FIRST_COPY:
            route.value["name"] = f"{name}@{count}"


def places(made: Made, loc: Loc) -> dict[Loc, At]:
    """Where the parts of a native mapping at `loc` come from."""
    return {loc: made.at, **{(*loc, *inner): at for inner, at in made.origins.items()}}
