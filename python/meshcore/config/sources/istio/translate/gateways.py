"""What comes from outside: servers of Gateways, and the VirtualServices bound to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.http.delegates import http_rules
from meshcore.config.sources.istio.translate.http.match import Bound, reach
from meshcore.config.sources.istio.translate.http.route import Scene, http_routes
from meshcore.config.sources.istio.translate.made import Made
from meshcore.config.sources.istio.translate.names import (
    full_name,
    intersection,
    selects,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.model import Gateway, VirtualService
    from meshcore.config.sources.istio.model.gateway import Server
    from meshcore.config.sources.istio.objects import Object, Objects
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.destinations import Destinations
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

HTTP = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB"})
TLS = frozenset({"HTTPS", "TLS"})
PASSTHROUGH = frozenset({"PASSTHROUGH", "AUTO_PASSTHROUGH"})


@dataclass(frozen=True, slots=True, eq=False)
class PlacedServer:
    """A server that a listener stands for."""

    server: Server
    gateway: Object[Gateway]
    at: At

    @property
    def gateway_name(self) -> str:
        """As VirtualServices name it."""
        return f"{self.gateway.value.namespace}/{self.gateway.value.name}"

    @property
    def protocol(self) -> str:
        """What a listener for it speaks: `http`, `tls-passthrough` or `tcp`."""
        spoken = self.server.port.protocol.upper()
        tls = self.server.tls
        passes = tls is not None and (tls.mode in PASSTHROUGH or tls.mode is None)
        if spoken in HTTP or (spoken == "HTTPS" and not passes):
            return "http"
        return "tls-passthrough" if spoken in TLS and passes else "tcp"

    @property
    def is_unclear(self) -> bool:
        """Whether it doesn't say what becomes of TLS; it is refused for that alone."""
        tls = self.server.tls
        return self.server.port.protocol.upper() in TLS and (tls is None or tls.mode is None)

    def hosts(self, namespace: str) -> Iterator[str]:
        """The hosts that VirtualServices of a namespace may have here."""
        for host in self.server.hosts:
            home, slash, name = host.rpartition("/")
            own = home == "." and namespace == self.gateway.value.namespace
            if not slash or home in {"*", namespace} or own:
                yield name.lower()


def servers(objects: Objects, client: Client) -> Iterator[PlacedServer]:
    """The servers that a listener stands for: by labels and port."""
    for gateway in objects.gateways:
        if not selects(gateway.value.spec.selector, client.labels):
            continue
        for index, server in enumerate(gateway.value.spec.servers):
            if server.port.number == client.stands_for:
                yield PlacedServer(server, gateway, gateway / "servers" / index)


def binding(service: Object[VirtualService], server: PlacedServer) -> Bound | None:
    """How a server reaches a VirtualService; None: not at all."""
    spec, namespace = service.value.spec, service.value.namespace
    if not spec.hosts or not visible(spec.exportTo, namespace, server.gateway.value.namespace):
        return None
    return reach(spec, namespace, frozenset({server.gateway_name}))


def served(service: Object[VirtualService], server: PlacedServer) -> list[str]:
    """The hosts of a VirtualService that a server lets in."""
    namespace = service.value.namespace
    found: dict[str, None] = {}
    for allowed in server.hosts(namespace):
        for host in service.value.spec.hosts:
            # A short host may be meant as it stands: `localhost`.
            for name in dict.fromkeys((full_name(host, namespace), host.lower())):
                both = intersection(allowed, name)
                if both is not None:
                    found[both] = None
    return list(found)


def gateway_routes(destinations: Destinations, client: Client) -> Iterator[Made]:
    """The routes of an HTTP listener that Gateways select."""
    found = [at for at in servers(destinations.objects, client) if at.protocol == "http"]
    redirected: set[str] = set()
    for server in found:
        if server.server.tls is not None and server.server.tls.httpsRedirect:
            hosts = [host.rpartition("/")[2].lower() for host in server.server.hosts]
            redirected.update(hosts)
            yield _to_https(server, hosts)
    groups: dict[str, list[tuple[Object[VirtualService], PlacedServer]]] = {}
    for service in destinations.objects.virtual_services:
        for server in found:
            hosts = served(service, server) if binding(service, server) is not None else []
            for host in hosts:
                groups.setdefault(host, []).append((service, server))
    for host in [host for host in groups if host not in redirected]:
        yield from _of_host(host, groups[host], destinations, client)


def _to_https(server: PlacedServer, hosts: list[str]) -> Made:
    made = Made("route", server.at)
    made.put("name", f"{server.gateway_name}/https-redirect")
    names: list[Value] = [*hosts]
    made.put("match.host", names)
    made.put("redirect", {"scheme": "https", "code": 301}, server.at / "tls" / "httpsRedirect")
    return made


def _of_host(
    host: str,
    bound: list[tuple[Object[VirtualService], PlacedServer]],
    destinations: Destinations,
    client: Client,
) -> Iterator[Made]:
    """The rules of all VirtualServices of a host, the oldest first, those for everything last."""
    last: list[Made] = []
    for service, server in dict.fromkeys(bound):
        scene = Scene(destinations, client, _bound(service, server), client.stands_for)
        name = f"{service.value.namespace}/{service.value.name}"
        for rule in http_rules(service, destinations.objects.virtual_services):
            for route in http_routes(scene, rule, name):
                everything = "match" not in route.value
                route.put("match.host", [host])
                if everything:
                    last.append(route)
                else:
                    yield route
    yield from last


def _bound(service: Object[VirtualService], server: PlacedServer) -> Bound:
    spec = service.value.spec
    return Bound(service.value.namespace, spec.gateways, frozenset({server.gateway_name}))
