"""Istio's own rules on its documents, beyond their form: what breaks one is refused there too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.validate.destination_rule import destination_rule
from meshcore.config.sources.istio.validate.gateway import gateway
from meshcore.config.sources.istio.validate.service_entry import service_entry, workload_entry
from meshcore.config.sources.istio.validate.virtual_service import virtual_service

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshcore.config.origin import Trouble
    from meshcore.config.sources.istio.objects import Objects
    from meshcore.config.sources.merged import At

__all__ = ["validate"]


def validate(objects: Objects) -> None:
    """Note all that is wrong with sound-looking objects."""
    for rules in objects.virtual_services:
        _note(objects, rules.at, virtual_service(rules.value))
    for policy in objects.destination_rules:
        _note(objects, policy.at, destination_rule(policy.value))
    for entry in objects.service_entries:
        _note(objects, entry.at, service_entry(entry.value))
    for workload in objects.workload_entries:
        _note(objects, workload.at, workload_entry(workload.value))
    for found in objects.gateways:
        _note(objects, found.at, gateway(found.value))


def _note(objects: Objects, at: At, troubles: Iterable[Trouble]) -> None:
    for trouble in troubles:
        objects.refuse(at, trouble)
