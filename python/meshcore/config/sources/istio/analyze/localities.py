"""Failover between localities: what starts it unasked, and what it does nothing without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.analyze.destination_rules import services_of
from meshcore.config.sources.istio.analyze.scopes import Scope, scopes
from meshcore.config.sources.istio.translate.names import selects

if TYPE_CHECKING:
    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model import DestinationRule
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.istio.translate.clusters.registry import Service


def localities(analysis: Analysis) -> None:
    """Look at each policy."""
    for rule in analysis.objects.destination_rules:
        services = services_of(analysis, rule)
        for scope in scopes(rule):
            _without_detection(analysis, rule, scope)
            _unasked(analysis, rule, scope, services)


def _without_detection(analysis: Analysis, rule: Object[DestinationRule], scope: Scope) -> None:
    balancer = scope.policy.loadBalancer
    setting = balancer.localityLbSetting if balancer is not None else None
    fails_over = setting is not None and (setting.failover or setting.failoverPriority)
    detection = scope.policy.outlierDetection or (
        scope.inherited is not None and scope.inherited.outlierDetection
    )
    if fails_over and not detection:
        message = "without outlierDetection only a failed connect fails over"
        place = scope.at / "loadBalancer" / "localityLbSetting"
        analysis.find("MC0006", rule, place, message)


def _unasked(
    analysis: Analysis, rule: Object[DestinationRule], scope: Scope, services: list[Service]
) -> None:
    balancer = scope.policy.loadBalancer
    if balancer is None and scope.inherited is not None:
        balancer = scope.inherited.loadBalancer
    said = balancer is not None and (balancer.localityLbSetting or balancer.zoneAwareLbSetting)
    if scope.policy.outlierDetection is None or said:
        return
    for service in services:
        places = {
            member.entry.locality
            for member in service.members
            if selects(scope.labels, member.entry.labels)
        }
        if len(places) > 1:
            message = f"{service.host} has endpoints in several localities"
            analysis.find("MC0007", rule, scope.at / "outlierDetection", message)
