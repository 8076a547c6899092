"""What an analysis looks at, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshcore.config.sources.istio.analyze.catalogue import ENTRIES
from meshcore.config.sources.istio.model.metadata import SUPPRESS

if TYPE_CHECKING:
    from meshcore.config.sources.istio.analyze.catalogue import Level
    from meshcore.config.sources.istio.model import Kind
    from meshcore.config.sources.istio.objects import K, Object, Objects
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.registry import Registry
    from meshcore.config.sources.merged import At


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is probably not meant."""

    code: str
    about: str
    """The object: `VirtualService default/reviews`."""
    message: str
    at: At

    @property
    def level(self) -> Level:
        """How bad it is."""
        return ENTRIES[self.code].level


@dataclass(slots=True)
class Analysis:
    """The objects, whom they are for, and the findings until now."""

    objects: Objects
    registry: Registry
    clients: list[Client]
    findings: list[Finding] = field(default_factory=list)

    def find(self, code: str, found: Object[K], at: At, message: str) -> None:
        """Note a finding, unless the object's annotation suppresses it."""
        if not _suppressed(found.value, code):
            self.findings.append(Finding(code, about(found.value), message, at))


def about(value: Kind) -> str:
    """`VirtualService default/reviews`."""
    return f"{type(value).__name__} {value.namespace}/{value.name}"


def _suppressed(value: Kind, code: str) -> bool:
    listed = value.metadata.annotations.get(SUPPRESS, "")
    words = {word.strip() for word in listed.split(",")}
    return "*" in words or code in words
