"""Which services there are: their ports and endpoints, from ServiceEntries and WorkloadEntries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.names import (
    DOMAIN,
    full_name,
    is_ip,
    matches,
    selects,
    specificity,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.model import ServiceEntry
    from meshcore.config.sources.istio.model.service_entry import ServicePort, WorkloadEntrySpec
    from meshcore.config.sources.istio.objects import Object, Objects
    from meshcore.config.sources.merged import At

HTTP = frozenset({"HTTP", "HTTP2", "GRPC", "GRPC-WEB"})
TLS = frozenset({"HTTPS", "TLS"})
HTTP2_ONLY = frozenset({"HTTP2", "GRPC"})


@dataclass(frozen=True, slots=True)
class Member:
    """An endpoint before its port is known."""

    entry: WorkloadEntrySpec
    at: At


@dataclass(frozen=True, slots=True)
class Service:
    """One host of a ServiceEntry."""

    host: str
    namespace: str
    entry: Object[ServiceEntry]
    members: tuple[Member, ...] = field(repr=False)

    @property
    def ports(self) -> tuple[ServicePort, ...]:
        """Its ports."""
        return self.entry.value.spec.ports

    def port(self, number: int) -> ServicePort | None:
        """The port of this number."""
        return next((port for port in self.ports if port.number == number), None)

    def ports_of(self, protocols: frozenset[str]) -> list[ServicePort]:
        """Its ports of these protocols; one that isn't named is taken for HTTP."""
        return [port for port in self.ports if protocol_of(port) in protocols]

    def addresses(self, port: ServicePort) -> Iterator[tuple[Member, str]]:
        """Each endpoint with the address that serves `port`."""
        for member in self.members:
            address = member.entry.address
            if address.startswith("unix://"):
                yield member, f"unix:{address.removeprefix('unix://')}"
                continue
            number = member.entry.ports.get(port.name) or port.targetPort or port.number
            yield member, f"[{address}]:{number}" if ":" in address else f"{address}:{number}"


def protocol_of(port: ServicePort) -> str:
    """HTTP, HTTP2, GRPC, HTTPS, TLS or TCP."""
    return port.protocol.upper() or "HTTP"


@dataclass(slots=True)
class Registry:
    """All services, by host."""

    services: dict[str, Service] = field(default_factory=dict)

    def find(self, host: str, namespace: str) -> Service | None:
        """The service that an object of `namespace` calls `host`."""
        full = full_name(host, namespace)
        for name in (full, host.lower()):
            if name in self.services:
                return self.services[name]
        return self._shorter(full) or self._wildcard(full)

    def _shorter(self, full: str) -> Service | None:
        """`reviews.default` and `reviews.default.svc` are names of a service too."""
        for suffix in (f".{DOMAIN}", f".svc.{DOMAIN}"):
            if full + suffix in self.services:
                return self.services[full + suffix]
        return None

    def _wildcard(self, full: str) -> Service | None:
        found = [name for name in self.services if name.startswith("*") and matches(name, full)]
        best = max(found, key=specificity, default=None)
        return None if best is None else self.services[best]

    def seen_from(self, namespace: str) -> list[Service]:
        """The services that a proxy of `namespace` may use."""
        return [
            service
            for service in self.services.values()
            if visible(service.entry.value.spec.exportTo, service.namespace, namespace)
        ]


def registry(objects: Objects) -> Registry:
    """The registry that the objects describe; of two services of one host, the older."""
    found = Registry()
    for entry in objects.service_entries:
        members = tuple(_members(entry, objects))
        for host in entry.value.spec.hosts:
            name = host.lower()
            own = members or tuple(_hosts_themselves(entry, name))
            service = Service(name, entry.value.namespace, entry, own)
            found.services.setdefault(name, service)
    return found


def _members(entry: Object[ServiceEntry], objects: Objects) -> Iterator[Member]:
    spec = entry.value.spec
    for index, endpoint in enumerate(spec.endpoints):
        yield Member(endpoint, entry / "endpoints" / index)
    if spec.workloadSelector is None:
        return
    for workload in objects.workload_entries:
        endpoint = workload.value.endpoint()
        home = workload.value.namespace == entry.value.namespace
        if home and selects(spec.workloadSelector.labels, endpoint.labels):
            yield Member(endpoint, workload.at / "spec")


def _hosts_themselves(entry: Object[ServiceEntry], host: str) -> Iterator[Member]:
    """With DNS and no endpoints, the host is the endpoint."""
    from meshcore.config.sources.istio.model.service_entry import WorkloadEntrySpec

    spec = entry.value.spec
    by_name = spec.resolution in {"DNS", "DNS_ROUND_ROBIN"} and spec.workloadSelector is None
    if by_name and not host.startswith("*") and not is_ip(host):
        index = [name.lower() for name in spec.hosts].index(host)
        yield Member(WorkloadEntrySpec(address=host), entry / "hosts" / index)
