"""Traffic policies: blocks that another policy replaces whole, and TLS without roots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.analyze.scopes import Scope, scopes
from meshcore.config.sources.istio.model.destination_rule import PortPolicy

if TYPE_CHECKING:
    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model import DestinationRule
    from meshcore.config.sources.istio.objects import Object

_BLOCKS = ("loadBalancer", "connectionPool", "outlierDetection", "tls")
_WITHIN = ("localityLbSetting", "zoneAwareLbSetting", "warmup", "warmupDurationSecs")
_TLS = frozenset({"SIMPLE", "MUTUAL"})


def policies(analysis: Analysis) -> None:
    """Look at each."""
    for rule in analysis.objects.destination_rules:
        for scope in scopes(rule):
            _tls(analysis, rule, scope)
            _balancer(analysis, rule, scope)
            if isinstance(scope.policy, PortPolicy):
                _port(analysis, rule, scope, scope.policy)
            else:
                _ports_of_service(analysis, rule, scope)


def _tls(analysis: Analysis, rule: Object[DestinationRule], scope: Scope) -> None:
    tls = scope.policy.tls
    if tls is not None and tls.mode in _TLS and not tls.caCertificates:
        code = "IST0129" if isinstance(scope.policy, PortPolicy) else "IST0128"
        message = f"{tls.mode} without caCertificates: the system's roots are trusted"
        analysis.find(code, rule, scope.at / "tls", message)


def _port(
    analysis: Analysis, rule: Object[DestinationRule], scope: Scope, of_port: PortPolicy
) -> None:
    """Blocks that a port doesn't repeat."""
    for name in _BLOCKS:
        if getattr(scope.above, name) is not None and getattr(of_port, name) is None:
            message = f"the policy's {name} does not apply to {scope}"
            analysis.find("MC0004", rule, scope.at, message)


def _ports_of_service(analysis: Analysis, rule: Object[DestinationRule], scope: Scope) -> None:
    """Blocks of a subset that the service's settings of a port replace."""
    if scope.above is None:
        return
    own = {of_port.port.number for of_port in getattr(scope.policy, "portLevelSettings", ())}
    for of_port in scope.above.portLevelSettings:
        number = of_port.port.number
        for name in _BLOCKS if number not in own else ():
            if getattr(scope.policy, name) is not None:
                message = f"{name} of {scope} does not apply to port {number}"
                analysis.find("MC0004", rule, scope.at / name, message)


def _balancer(analysis: Analysis, rule: Object[DestinationRule], scope: Scope) -> None:
    """A load balancer that loses what the one above has."""
    above, own = scope.above, scope.policy.loadBalancer
    if above is None or above.loadBalancer is None or own is None:
        return
    for name in _WITHIN:
        if getattr(above.loadBalancer, name) and not getattr(own, name):
            message = f"the policy's {name} does not apply to {scope}"
            analysis.find("MC0005", rule, scope.at / "loadBalancer", message)
