"""What users of DestinationRules trip on: hosts, subsets, and rules that meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.analyze.references import destinations
from meshcore.config.sources.istio.translate.clusters.rules import rules_for
from meshcore.config.sources.istio.translate.names import (
    DOMAIN,
    full_name,
    matches,
    selects,
    visible,
)

if TYPE_CHECKING:
    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model import DestinationRule
    from meshcore.config.sources.istio.model.destination_rule import Subset
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.registry import Service


def destination_rules(analysis: Analysis) -> None:
    """Look at each."""
    used = _used_subsets(analysis)
    _merged(analysis)
    _hidden(analysis)
    for rule in analysis.objects.destination_rules:
        services = services_of(analysis, rule)
        if not services:
            _unknown(analysis, rule)
        for index, subset in enumerate(rule.value.spec.subsets):
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
    unused = not any((service.host, subset.name) in used for service in services)
    if subset.trafficPolicy is not None and services and unused:
        message = f"no route names the subset {subset.name!r}"
        analysis.find("MC0003", rule, at / "trafficPolicy", message)


def _merged(analysis: Analysis) -> None:
    """Several rules of one host."""
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


def _hidden(analysis: Analysis) -> None:
    """Rules of a service's namespace that a listener doesn't follow: its own namespace has one."""
    hosts = {
        rule: {service.host for service in services_of(analysis, rule)}
        for rule in analysis.objects.destination_rules
        if rule.value.spec.workloadSelector is None
    }
    for client in analysis.clients:
        own = {
            host
            for rule, found in hosts.items()
            for host in found
            if rule.value.namespace == client.namespace
        }
        pairs = ((rule, host) for rule, found in hosts.items() for host in sorted(found & own))
        for rule, host in pairs:
            other = _followed_instead(analysis, rule, analysis.registry.services[host], client)
            if other:
                message = f"for {host} the listener {client.name} follows DestinationRule {other}"
                analysis.find("MC0010", rule, rule / "host", f"{message} instead")


def _followed_instead(
    analysis: Analysis, rule: Object[DestinationRule], service: Service, client: Client
) -> str:
    """The rule of its own namespace that a listener follows instead of this one; empty: none."""
    home = rule.value.namespace
    if home != service.namespace or not visible(rule.value.spec.exportTo, home, client.namespace):
        return ""
    # Never empty: at the latest this rule itself is followed.
    followed = rules_for(service, client, analysis.objects.destination_rules).objects[0].value
    return "" if followed.namespace == home else f"{followed.namespace}/{followed.name}"
