"""The traffic policies of a DestinationRule, each with the one that it stands in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.model.destination_rule import PortPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.model import DestinationRule
    from meshcore.config.sources.istio.model.destination_rule import Subset, TrafficPolicy
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.merged import At


@dataclass(frozen=True, slots=True)
class Scope:
    """A policy: of the service, of a subset, or of a port in one of them."""

    policy: TrafficPolicy | PortPolicy
    at: At
    subset: Subset | None
    """None: for all endpoints."""
    above: TrafficPolicy | None
    """Of a subset: the service's; of a port: the one that it stands in."""

    @property
    def inherited(self) -> TrafficPolicy | None:
        """Where the blocks come from that it hasn't itself; a port inherits none."""
        return None if isinstance(self.policy, PortPolicy) else self.above

    @property
    def labels(self) -> dict[str, str]:
        """Of the endpoints that it is for."""
        return {} if self.subset is None else self.subset.labels

    def __str__(self) -> str:
        """What it is for."""
        if isinstance(self.policy, PortPolicy):
            return f"port {self.policy.port.number}"
        return "the service" if self.subset is None else f"subset {self.subset.name!r}"


def scopes(rule: Object[DestinationRule]) -> Iterator[Scope]:
    """Every policy of a rule, in the order of the document."""
    spec = rule.value.spec
    if spec.trafficPolicy is not None:
        yield from _with_ports(Scope(spec.trafficPolicy, rule / "trafficPolicy", None, None))
    for index, subset in enumerate(spec.subsets):
        if (policy := subset.trafficPolicy) is not None:
            at = rule / "subsets" / index / "trafficPolicy"
            yield from _with_ports(Scope(policy, at, subset, spec.trafficPolicy))


def _with_ports(scope: Scope) -> Iterator[Scope]:
    yield scope
    assert not isinstance(scope.policy, PortPolicy)
    for index, of_port in enumerate(scope.policy.portLevelSettings):
        at = scope.at / "portLevelSettings" / index
        yield Scope(of_port, at, scope.subset, scope.policy)
