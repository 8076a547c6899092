"""Clusters for the destinations that routes name: each made once, when the first route needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.model.load_balancer import LoadBalancer
from meshcore.config.sources.istio.translate.clusters.load_balancer import hash_on
from meshcore.config.sources.istio.translate.clusters.policy import put_policy
from meshcore.config.sources.istio.translate.clusters.registry import HTTP2_ONLY, protocol_of
from meshcore.config.sources.istio.translate.clusters.rules import Rules, rules_for
from meshcore.config.sources.istio.translate.made import Made
from meshcore.config.sources.istio.translate.names import selects

if TYPE_CHECKING:
    from meshcore.config.sources.istio.model.destination import Destination
    from meshcore.config.sources.istio.model.service_entry import ServicePort, WorkloadEntrySpec
    from meshcore.config.sources.istio.objects import Objects
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.registry import Registry, Service
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

_HTTP2 = HTTP2_ONLY | {"GRPC-WEB"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a rule names, before it is looked up."""

    host: str
    subset: str
    port: int | None
    """None: the service's only port, or the one that the client used."""
    namespace: str
    """Of the object that names it."""
    at: At

    @classmethod
    def of(cls, destination: Destination, namespace: str, at: At) -> Wanted:
        """What a destination names."""
        port = destination.port.number if destination.port is not None else None
        return cls(destination.host, destination.subset, port, namespace, at)


@dataclass(slots=True)
class Destinations:
    """The clusters of a configuration."""

    objects: Objects
    registry: Registry
    clusters: dict[str, Made] = field(default_factory=dict)
    _rules: dict[tuple[str, Client], Rules] = field(default_factory=dict)

    def rules(self, service: Service, client: Client) -> Rules:
        """What holds for a service, seen by one client."""
        key = (service.host, client)
        if key not in self._rules:
            self._rules[key] = rules_for(service, client, self.objects.destination_rules)
        return self._rules[key]

    def cluster(self, wanted: Wanted, client: Client, used: int | None) -> str:
        """The name of the cluster; `used` is the port that the client's request is for.

        A service or subset that doesn't exist becomes a cluster without endpoints: its requests
        are answered with 503, as Istio's are.
        """
        service = self.registry.find(wanted.host, wanted.namespace)
        if service is None:
            name = f"outbound|{wanted.port or used or 0}|{wanted.subset}|{wanted.host}"
            return self._kept(name, Made("cluster", wanted.at), client)
        port = port_of(service, wanted.port, used)
        if port is None:
            name = f"outbound|{wanted.port or used or 0}|{wanted.subset}|{service.host}"
            return self._kept(name, Made("cluster", wanted.at), client)
        name = f"outbound|{port.number}|{wanted.subset}|{service.host}"
        return self._kept(name, self._make(service, port, wanted, client), client)

    def hashed(self, wanted: Wanted, client: Client, used: int | None) -> list[Value]:
        """What requests to this destination are hashed on."""
        service = self.registry.find(wanted.host, wanted.namespace)
        port = port_of(service, wanted.port, used) if service is not None else None
        if service is None or port is None:
            return []
        blocks = self.rules(service, client).blocks(wanted.subset, port.number)
        balancer = blocks["loadBalancer"][0] if "loadBalancer" in blocks else None
        if isinstance(balancer, LoadBalancer) and balancer.consistentHash is not None:
            return hash_on(balancer.consistentHash)
        return []

    def _kept(self, name: str, made: Made, client: Client) -> str:
        """The name under which the cluster is kept: clients may have rules of their own."""
        for given in (name, f"{name}@{client.name}"):
            made.value["name"] = given
            known = self.clusters.setdefault(given, made)
            if known.value == made.value:
                return given
        return f"{name}@{client.name}"

    def _make(self, service: Service, port: ServicePort, wanted: Wanted, client: Client) -> Made:
        rules = self.rules(service, client)
        subset = rules.subsets.get(wanted.subset)
        made = Made("cluster", subset[1] if subset is not None else service.entry.at)
        if protocol_of(port) in _HTTP2:
            made.put("protocol", "http2", service.entry.at / "spec" / "ports")
        unknown = bool(wanted.subset) and subset is None
        labels = subset[0].labels if subset is not None else {}
        endpoints: list[Value] = []
        for member, address in service.addresses(port):
            if unknown or not selects(labels, member.entry.labels):
                continue
            made.origins["endpoints", len(endpoints)] = member.at
            endpoints.append(_endpoint(made, address, member.entry))
        made.value["endpoints"] = endpoints
        put_policy(made, rules.blocks(wanted.subset, port.number), service)
        return made


def _endpoint(made: Made, address: str, entry: WorkloadEntrySpec) -> Value:
    found = Made("cluster.endpoints", made.at)
    found.put("address", address)
    found.put("weight", entry.weight or None)
    found.put("locality", entry.locality or None)
    found.put("labels", {**entry.labels} if entry.labels else None)
    return found.value


def port_of(service: Service, number: int | None, used: int | None) -> ServicePort | None:
    """The port that a destination means."""
    if number is not None:
        return service.port(number)
    if len(service.ports) == 1:
        return service.ports[0]
    return service.port(used) if used is not None else None
