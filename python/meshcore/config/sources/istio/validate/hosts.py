"""What a host, a label and a namespace may look like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.translate.names import intersection, is_ip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_HOST = 253


def is_host(host: str) -> bool:
    """A DNS name whose first label may be `*`."""
    name = host.removeprefix("*.") if host != "*" else "x"
    labels = name.removesuffix(".").split(".")
    return len(host) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, labels))


def check_host(host: str, loc: Loc) -> Iterator[Trouble]:
    """A trouble where `host` is none."""
    if not is_host(host):
        hint = "write a DNS name, for example reviews, api.example.com or *.example.com"
        yield Trouble(loc, "invalid_host", f"{host!r} is not a host", hint)


def check_name(name: str, loc: Loc, what: str) -> Iterator[Trouble]:
    """A trouble where `name` is no DNS label."""
    if not _DNS_LABEL.fullmatch(name):
        hint = "lower-case letters, digits and -, at most 63"
        yield Trouble(loc, "invalid_name", f"{name!r} is not a name of a {what}", hint)


def check_export_to(export_to: tuple[str, ...], loc: Loc) -> Iterator[Trouble]:
    """`.`, `*` or namespaces, each once."""
    for index, name in enumerate(export_to):
        if name not in {".", "*"} and not _DNS_LABEL.fullmatch(name):
            hint = "write ., * or a namespace"
            yield Trouble((*loc, index), "invalid_name", f"{name!r} is not a namespace", hint)
    if len(export_to) > 1 and "*" in export_to:
        message = "* already means every namespace"
        yield Trouble(loc, "invalid_value", message, "keep * alone, or leave it out")


def check_overlaps(hosts: tuple[str, ...], loc: Loc) -> Iterator[Trouble]:
    """Hosts of one object of which one stands for the other."""
    for index, host in enumerate(hosts):
        for other in hosts[:index]:
            if intersection(host.lower(), other.lower()) is not None and not is_ip(host):
                message = f"{host!r} and {other!r} overlap"
                yield Trouble((*loc, index), "duplicate_name", message, "keep the wider one")
                break
