"""Which DestinationRule applies: by namespace, visibility, workload and the most specific host.

Objects of one host, namespace and visibility are merged: subsets are added up, the first of a name
and the first traffic policy win.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.names import (
    ROOT_NAMESPACE,
    full_name,
    matches,
    selects,
    specificity,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshcore.config.model.base import Part
    from meshcore.config.sources.istio.model import DestinationRule
    from meshcore.config.sources.istio.model.destination_rule import (
        PortPolicy,
        Subset,
        TrafficPolicy,
    )
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.registry import Service
    from meshcore.config.sources.merged import At

_PORT_BLOCKS = ("loadBalancer", "connectionPool", "outlierDetection", "tls")
BLOCKS = (*_PORT_BLOCKS, "proxyProtocol", "retryBudget")


@dataclass(frozen=True, slots=True)
class Policy:
    """A traffic policy and where it stands."""

    value: TrafficPolicy
    at: At


@dataclass(slots=True)
class Rules:
    """What holds for a service, seen by one client."""

    policy: Policy | None = None
    subsets: dict[str, tuple[Subset, At]] = field(default_factory=dict)
    objects: list[Object[DestinationRule]] = field(default_factory=list)
    """What they were merged of."""

    def blocks(self, subset: str, port: int) -> dict[str, tuple[Part, At]]:
        """The blocks that hold for one port of a subset, each with its place."""
        found = self.subsets.get(subset)
        own = None
        if found is not None and found[0].trafficPolicy is not None:
            own = Policy(found[0].trafficPolicy, found[1] / "trafficPolicy")
        blocks: dict[str, tuple[Part, At]] = {}
        for policy in (self.policy, own):
            if policy is not None:
                blocks |= _given(policy.value, BLOCKS, policy.at)
        of_port = _of_port(own, port) or _of_port(self.policy, port)
        if of_port is not None:
            for name in _PORT_BLOCKS:
                blocks.pop(name, None)
            blocks |= _given(of_port[0], _PORT_BLOCKS, of_port[1])
        return blocks


def _given(part: Part, names: Iterable[str], at: At) -> dict[str, tuple[Part, At]]:
    found = {name: getattr(part, name) for name in names}
    return {name: (value, at / name) for name, value in found.items() if value is not None}


def _of_port(policy: Policy | None, number: int) -> tuple[PortPolicy, At] | None:
    if policy is None:
        return None
    for index, found in enumerate(policy.value.portLevelSettings):
        if found.port.number == number:
            return found, policy.at / "portLevelSettings" / index
    return None


def rules_for(service: Service, client: Client, rules: list[Object[DestinationRule]]) -> Rules:
    """The rules that hold for a service, seen by one client."""
    for namespace in dict.fromkeys((client.namespace, service.namespace, ROOT_NAMESPACE)):
        fitting = [rule for rule in rules if _fits(rule, namespace, service, client)]
        if fitting:
            return _merged(fitting)
    return Rules()


def _fits(rule: Object[DestinationRule], namespace: str, service: Service, client: Client) -> bool:
    spec = rule.value.spec
    if rule.value.namespace != namespace or not _is_of(rule, service):
        return False
    if spec.workloadSelector is not None:
        own = namespace == client.namespace
        return own and selects(spec.workloadSelector.matchLabels, client.labels)
    own_of_root = namespace == client.namespace == ROOT_NAMESPACE
    if own_of_root and namespace != service.namespace:
        return spec.exportTo == (".",)
    return namespace == client.namespace or visible(spec.exportTo, namespace, client.namespace)


def _is_of(rule: Object[DestinationRule], service: Service) -> bool:
    host = rule.value.spec.host
    return matches(full_name(host, rule.value.namespace), service.host) or (
        host.lower() == service.host
    )


def _merged(fitting: list[Object[DestinationRule]]) -> Rules:
    for_workload = [rule for rule in fitting if rule.value.spec.workloadSelector is not None]
    if for_workload:
        fitting = for_workload[:1]
    best = max(fitting, key=lambda rule: specificity(_name(rule)))
    host, export_to = _name(best), sorted(best.value.spec.exportTo)
    merged = Rules()
    for rule in fitting:
        if _name(rule) != host or sorted(rule.value.spec.exportTo) != export_to:
            continue
        merged.objects.append(rule)
        spec = rule.value.spec
        if merged.policy is None and spec.trafficPolicy is not None:
            merged.policy = Policy(spec.trafficPolicy, rule / "trafficPolicy")
        for index, subset in enumerate(spec.subsets):
            merged.subsets.setdefault(subset.name, (subset, rule / "subsets" / index))
    return merged


def _name(rule: Object[DestinationRule]) -> str:
    return full_name(rule.value.spec.host, rule.value.namespace)
