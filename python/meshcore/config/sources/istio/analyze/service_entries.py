"""ServiceEntries: ports without protocol or address, contradictions; and deprecated fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.support import To, mark_of
from meshcore.config.sources.istio.translate.clusters.registry import HTTP, TLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.merged import At

_DEPRECATED = "deprecated: "


def service_entries(analysis: Analysis) -> None:
    """Look at each."""
    protocols: dict[tuple[str, int], tuple[str, str]] = {}
    for entry in analysis.objects.service_entries:
        spec = entry.value.spec
        for index, port in enumerate(spec.ports):
            at = entry / "ports" / index
            protocol = port.protocol.upper()
            if not protocol:
                message = f"port {port.number} has no protocol: it is taken for HTTP"
                analysis.find("IST0118", entry, at, message)
            elif protocol not in HTTP | TLS and not spec.addresses:
                message = f"port {port.number} is {protocol}, and there are no addresses"
                analysis.find("IST0134", entry, at, message)
            for host in spec.hosts:
                key = (host.lower(), port.number)
                name = f"{entry.value.namespace}/{entry.value.name}"
                known = protocols.setdefault(key, (protocol, name))
                if known[0] != protocol:
                    message = f"ServiceEntry {known[1]} says {known[0] or 'nothing'}"
                    analysis.find("IST0177", entry, at / "protocol", message)


def deprecated(analysis: Analysis) -> None:
    """Fields that still work, and have a successor."""
    for service in analysis.objects.virtual_services:
        for at, name, new in _given(service.value.spec, service.at / "spec"):
            analysis.find("IST0133", service, at, f"{name} is deprecated: write {new}")
    for rule in analysis.objects.destination_rules:
        for at, name, new in _given(rule.value.spec, rule.at / "spec"):
            analysis.find("IST0133", rule, at, f"{name} is deprecated: write {new}")


def _given(part: Part, at: At) -> Iterator[tuple[At, str, str]]:
    for name, info in type(part).model_fields.items():
        value = getattr(part, name)
        if name not in part.model_fields_set or value is None:
            continue
        mark = mark_of(info)
        if isinstance(mark, To) and mark.note.startswith(_DEPRECATED):
            yield at / name, name, mark.note.removeprefix(_DEPRECATED)
        yield from _inside(value, at / (info.alias or name))


def _inside(value: object, at: At) -> Iterator[tuple[At, str, str]]:
    if isinstance(value, Part):
        yield from _given(value, at)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _inside(item, at / index)
