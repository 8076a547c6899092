"""What users of DestinationRules trip on: policies that don't apply, or not as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.analyze.references import destinations
from meshcore.config.sources.istio.translate.names import DOMAIN, full_name, matches, selects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model import DestinationRule
    from meshcore.config.sources.istio.model.destination_rule import (
        PortPolicy,
        Subset,
        TrafficPolicy,
    )
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.istio.translate.clusters.registry import Service
    from meshcore.config.sources.merged import At

_BLOCKS = ("loadBalancer", "connectionPool", "outlierDetection", "tls")
_TLS = frozenset({"SIMPLE", "MUTUAL"})
_WITHIN = ("localityLbSetting", "zoneAwareLbSetting", "warmup", "warmupDurationSecs")
_LIMITS = {
    "tcp": ("maxConnections",),
    "http": ("http1MaxPendingRequests", "http2MaxRequests", "maxRequestsPerConnection"),
}


def destination_rules(analysis: Analysis) -> None:
    """Look at each."""
    used = _used_subsets(analysis)
    _merged(analysis)
    for rule in analysis.objects.destination_rules:
        services = services_of(analysis, rule)
        if not services:
            _unknown(analysis, rule)
        spec = rule.value.spec
        if spec.trafficPolicy is not None:
            _policy(analysis, rule, spec.trafficPolicy, rule / "trafficPolicy")
            _localities(analysis, rule, spec.trafficPolicy, services)
        for index, subset in enumerate(spec.subsets):
            _subset(analysis, rule, subset, (index, services, used))


def services_of(analysis: Analysis, rule: Object[DestinationRule]) -> list[Service]:
    """The services that a rule is for."""
    host = rule.value.spec.host
    full = full_name(host, rule.value.namespace)
    return [
        service
        for name, service in analysis.registry.services.items()
        if matches(full, name) or name == host.lower()
    ]


def _unknown(analysis: Analysis, rule: Object[DestinationRule]) -> None:
    host = rule.value.spec.host
    elsewhere = (
        name
        for name in analysis.registry.services
        if "." not in host and name.startswith(f"{host.lower()}.") and name.endswith(DOMAIN)
    )
    other = next(elsewhere, None)
    if other is not None:
        message = f"{host!r} is looked up in {rule.value.namespace}; there is {other}"
        analysis.find("MC0011", rule, rule / "host", message)
    else:
        analysis.find("IST0174", rule, rule / "host", f"there is no service {host!r}")


def _used_subsets(analysis: Analysis) -> set[tuple[str, str]]:
    """Host and name of every subset that a route names."""
    found = set()
    for service in analysis.objects.virtual_services:
        for destination, _ in destinations(service):
            known = analysis.registry.find(destination.host, service.value.namespace)
            if known is not None:
                found.add((known.host, destination.subset))
    return found


def _subset(
    analysis: Analysis,
    rule: Object[DestinationRule],
    subset: Subset,
    known: tuple[int, list[Service], set[tuple[str, str]]],
) -> None:
    index, services, used = known
    at = rule / "subsets" / index
    chosen = [
        member
        for service in services
        for member in service.members
        if selects(subset.labels, member.entry.labels)
    ]
    if services and not chosen:
        labels = ", ".join(f"{key}={value}" for key, value in subset.labels.items())
        message = f"no endpoint of {services[0].host} has the labels {labels}"
        analysis.find("IST0173", rule, at / "labels", message)
    if subset.trafficPolicy is None:
        return
    if services and not any((service.host, subset.name) in used for service in services):
        message = f"no route names the subset {subset.name!r}"
        analysis.find("MC0003", rule, at / "trafficPolicy", message)
    _policy(analysis, rule, subset.trafficPolicy, at / "trafficPolicy")
    _replaced(analysis, rule, subset.trafficPolicy, at / "trafficPolicy")


def _policy(
    analysis: Analysis, rule: Object[DestinationRule], policy: TrafficPolicy, at: At
) -> None:
    _blocks(analysis, rule, policy, (at, "IST0128"))
    for index, of_port in enumerate(policy.portLevelSettings):
        place = at / "portLevelSettings" / index
        _blocks(analysis, rule, of_port, (place, "IST0129"))
        for name in _BLOCKS:
            if getattr(policy, name) is not None and getattr(of_port, name) is None:
                message = f"the policy's {name} does not apply to port {of_port.port.number}"
                analysis.find("MC0004", rule, place, message)


def _blocks(
    analysis: Analysis,
    rule: Object[DestinationRule],
    policy: TrafficPolicy | PortPolicy,
    where: tuple[At, str],
) -> None:
    at, code = where
    tls = policy.tls
    if tls is not None and tls.mode in _TLS and not tls.caCertificates:
        message = f"{tls.mode} without caCertificates: the system's roots are trusted"
        analysis.find(code, rule, at / "tls", message)
    balancer = policy.loadBalancer
    setting = balancer.localityLbSetting if balancer is not None else None
    fails_over = setting is not None and (setting.failover or setting.failoverPriority)
    if fails_over and policy.outlierDetection is None:
        message = "without outlierDetection only a failed connect fails over"
        analysis.find("MC0006", rule, at / "loadBalancer" / "localityLbSetting", message)
    for place, name in _zeros(policy, at):
        analysis.find("MC0015", rule, place, f"{name}: 0 is no limit at all")


def _zeros(policy: TrafficPolicy | PortPolicy, at: At) -> Iterator[tuple[At, str]]:
    pool = policy.connectionPool
    for part, names in _LIMITS.items():
        found = getattr(pool, part) if pool is not None else None
        for name in names if found is not None else ():
            if isinstance(found, Part) and _is_zero(found, name):
                yield at / "connectionPool" / part / name, name


def _is_zero(part: Part, name: str) -> bool:
    return name in part.model_fields_set and getattr(part, name) == 0


def _replaced(
    analysis: Analysis, rule: Object[DestinationRule], policy: TrafficPolicy, at: At
) -> None:
    """A subset's load balancer that loses what the service's has."""
    whole = rule.value.spec.trafficPolicy
    if whole is None or whole.loadBalancer is None or policy.loadBalancer is None:
        return
    for name in _WITHIN:
        if getattr(whole.loadBalancer, name) and not getattr(policy.loadBalancer, name):
            message = f"the service's {name} does not apply to this subset"
            analysis.find("MC0005", rule, at / "loadBalancer", message)


def _localities(
    analysis: Analysis,
    rule: Object[DestinationRule],
    policy: TrafficPolicy,
    services: list[Service],
) -> None:
    balancer = policy.loadBalancer
    said = balancer is not None and (balancer.localityLbSetting or balancer.zoneAwareLbSetting)
    if policy.outlierDetection is None or said:
        return
    for service in services:
        if len({member.entry.locality for member in service.members}) > 1:
            message = f"{service.host} has endpoints in several localities"
            analysis.find("MC0007", rule, rule / "trafficPolicy" / "outlierDetection", message)


def _merged(analysis: Analysis) -> None:
    """Several rules of one host, and rules that another namespace's hide."""
    first: dict[tuple[str, str], Object[DestinationRule]] = {}
    for rule in analysis.objects.destination_rules:
        if rule.value.spec.workloadSelector is not None:
            continue
        host = full_name(rule.value.spec.host, rule.value.namespace)
        older = first.setdefault((rule.value.namespace, host), rule)
        if older is not rule:
            name = f"{older.value.namespace}/{older.value.name}"
            message = f"DestinationRule {name} is for {host} too, and is the older one"
            analysis.find("MC0009", rule, rule / "host", message)
    for (namespace, host), rule in first.items():
        service = analysis.registry.services.get(host)
        if service is None or service.namespace != namespace:
            continue
        for client in analysis.clients:
            other = first.get((client.namespace, host))
            if other is not None and other is not rule:
                name = f"{other.value.namespace}/{other.value.name}"
                message = f"the listener {client.name} follows DestinationRule {name} instead"
                analysis.find("MC0010", rule, rule / "host", message)
