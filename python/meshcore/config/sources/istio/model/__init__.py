"""Istio's networking kinds as typed, immutable values; their names are Istio's."""

from __future__ import annotations

from meshcore.config.sources.istio.model.destination_rule import DestinationRule
from meshcore.config.sources.istio.model.gateway import Gateway
from meshcore.config.sources.istio.model.metadata import Kind
from meshcore.config.sources.istio.model.service_entry import ServiceEntry, WorkloadEntry
from meshcore.config.sources.istio.model.virtual_service import VirtualService

__all__ = [
    "KINDS",
    "DestinationRule",
    "Gateway",
    "Kind",
    "ServiceEntry",
    "VirtualService",
    "WorkloadEntry",
]

KINDS: dict[str, type[Kind]] = {
    "VirtualService": VirtualService,
    "DestinationRule": DestinationRule,
    "ServiceEntry": ServiceEntry,
    "WorkloadEntry": WorkloadEntry,
    "Gateway": Gateway,
}
"""Each kind by its name."""
