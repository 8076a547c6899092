"""Names that refer to nothing: destinations, subsets, ports, gateways, delegates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.check import did_you_mean
from meshcore.config.sources.istio.translate.http.delegates import PlacedRule, find, merge
from meshcore.config.sources.istio.translate.names import (
    DOMAIN,
    MESH,
    full_name,
    gateway_name,
    matches,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model import VirtualService
    from meshcore.config.sources.istio.model.destination import Destination
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.istio.translate.clusters.registry import Service
    from meshcore.config.sources.merged import At


def references(analysis: Analysis) -> None:
    """Look at every name in the VirtualServices."""
    for service in analysis.objects.virtual_services:
        for destination, at in destinations(service):
            _destination(analysis, service, destination, at)
        _gateways(analysis, service)
        _delegates(analysis, service)


def destinations(service: Object[VirtualService]) -> Iterator[tuple[Destination, At]]:
    """Every destination of an object with its place."""
    spec = service.value.spec
    for index, rule in enumerate(spec.http):
        at = service / "http" / index
        for number, target in enumerate(rule.route):
            yield target.destination, at / "route" / number / "destination"
        if rule.mirror is not None:
            yield rule.mirror, at / "mirror"
        for number, mirror in enumerate(rule.mirrors):
            yield mirror.destination, at / "mirrors" / number / "destination"
    streams = [("tls", index, rule.route) for index, rule in enumerate(spec.tls)]
    streams += [("tcp", index, rule.route) for index, rule in enumerate(spec.tcp)]
    for kind, index, route in streams:
        for number, share in enumerate(route):
            yield share.destination, service / kind / index / "route" / number / "destination"


def _destination(
    analysis: Analysis, service: Object[VirtualService], destination: Destination, at: At
) -> None:
    found = analysis.registry.find(destination.host, service.value.namespace)
    if found is None:
        _unknown_host(analysis, service, destination.host, at / "host")
        return
    if destination.port is None:
        if len(found.ports) > 1:
            ports = ", ".join(str(port.number) for port in found.ports)
            message = f"{found.host} has the ports {ports}, and the destination names none"
            analysis.find("IST0112", service, at, message)
    elif found.port(destination.port.number) is None:
        ports = ", ".join(str(port.number) for port in found.ports)
        message = f"{found.host} has no port {destination.port.number}: it has {ports}"
        analysis.find("IST0101", service, at / "port" / "number", message)
    if destination.subset:
        known = subsets_of(analysis, found)
        if destination.subset not in known:
            hint = did_you_mean(destination.subset, known) or "no DestinationRule defines it"
            message = f"{found.host} has no subset {destination.subset!r}: {hint}"
            analysis.find("IST0101", service, at / "subset", message)


def _unknown_host(analysis: Analysis, service: Object[VirtualService], host: str, at: At) -> None:
    if (elsewhere := _elsewhere(analysis, host)) is not None:
        message = f"{host!r} is looked up in {service.value.namespace}; there is {elsewhere}"
        analysis.find("MC0011", service, at, message)
        return
    known = analysis.registry.services
    close = did_you_mean(host, known if "." in host else {name.split(".")[0] for name in known})
    message = f"there is no service {host!r}" + (f": {close}" if close else "")
    analysis.find("IST0101", service, at, message)


def _elsewhere(analysis: Analysis, host: str) -> str | None:
    """The service of that short name in another namespace."""
    if "." in host:
        return None
    pattern = f"{host.lower()}."
    names = (name for name in analysis.registry.services if name.endswith(f".svc.{DOMAIN}"))
    return next((name for name in names if name.startswith(pattern)), None)


def subsets_of(analysis: Analysis, service: Service) -> set[str]:
    """The subsets that any DestinationRule gives a service."""
    return {
        subset.name
        for rule in analysis.objects.destination_rules
        if matches(full_name(rule.value.spec.host, rule.value.namespace), service.host)
        or rule.value.spec.host.lower() == service.host
        for subset in rule.value.spec.subsets
    }


def _gateways(analysis: Analysis, service: Object[VirtualService]) -> None:
    known = {
        f"{gateway.value.namespace}/{gateway.value.name}" for gateway in analysis.objects.gateways
    }
    named = [
        (name, service / "gateways" / at) for at, name in enumerate(service.value.spec.gateways)
    ]
    for index, rule in enumerate(service.value.spec.http):
        for number, match in enumerate(rule.match):
            at = service / "http" / index / "match" / number / "gateways"
            named += [(name, at / position) for position, name in enumerate(match.gateways)]
    for name, at in named:
        full = gateway_name(name, service.value.namespace)
        if full not in known and full != MESH:
            hint = did_you_mean(full, known)
            message = f"there is no Gateway {full}" + (f": {hint}" if hint else "")
            analysis.find("IST0101", service, at, message)


def _delegates(analysis: Analysis, service: Object[VirtualService]) -> None:
    every = analysis.objects.virtual_services
    for index, rule in enumerate(service.value.spec.http):
        if rule.delegate is None:
            continue
        delegate = find(rule.delegate, service, every)
        if delegate is None:
            namespace = rule.delegate.namespace or service.value.namespace
            message = f"there is no VirtualService {namespace}/{rule.delegate.name} without hosts"
            at = service / "http" / index / "delegate" / "name"
            analysis.find("IST0101", service, at, message)
            continue
        for number, leaf in enumerate(delegate.value.spec.http):
            place = PlacedRule(leaf, delegate / "http" / number, delegate.value.namespace)
            if merge(rule, place) is None:
                root = f"{service.value.namespace}/{service.value.name}"
                message = f"no match of {root} http[{index}] includes that of this rule"
                analysis.find("MC0018", delegate, place.at, message)
