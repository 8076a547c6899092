"""Host names as Istio compares them: short names, wildcards, visibility."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DOMAIN = "cluster.local"
ROOT_NAMESPACE = "istio-system"
MESH = "mesh"


def is_ip(host: str) -> bool:
    """Whether it looks like an address rather than a name."""
    return ":" in host or host.replace(".", "").isdigit()


def full_name(host: str, namespace: str) -> str:
    """A host as the registry has it: one without dots is a service of `namespace`."""
    host = host.lower()
    if "." in host or "*" in host or is_ip(host):
        return host
    return f"{host}.{namespace}.svc.{DOMAIN}"


def matches(pattern: str, host: str) -> bool:
    """Whether `pattern`, which may be `*` or begin with `*.`, stands for `host`."""
    if pattern == "*":
        return True
    if pattern.startswith("*"):
        return len(host) > len(pattern) - 1 and host.endswith(pattern[1:])
    return pattern == host


def intersection(one: str, other: str) -> str | None:
    """The hosts that both stand for: the narrower of the two; None where there are none."""
    if one == other or matches(other, one):
        return one
    return other if matches(one, other) else None


def specificity(pattern: str) -> tuple[bool, int]:
    """Larger for what is more specific: exact names, then longer wildcards."""
    return not pattern.startswith("*"), len(pattern)


def most_specific(patterns: Iterable[str], host: str) -> str | None:
    """Which of `patterns` stands for `host` most specifically."""
    found = [pattern for pattern in patterns if matches(pattern, host)]
    return max(found, key=specificity, default=None)


def domains(host: str, namespace: str) -> list[str]:
    """What a request may call a service, from within `namespace`: the shorter names too."""
    labels = host.split(".")
    if host.startswith("*") or not host.endswith(f".svc.{DOMAIN}") or len(labels) != _OF_A_SERVICE:
        return [host]
    name, home = labels[:2]
    short = [name] if home == namespace else []
    return [host, f"{name}.{home}.svc", f"{name}.{home}", *short]


# name.namespace.svc.cluster.local
_OF_A_SERVICE = 5


def visible(export_to: tuple[str, ...], home: str, namespace: str) -> bool:
    """Whether what lies in the namespace `home` may be used in `namespace`."""
    return (
        not export_to
        or "*" in export_to
        or namespace in export_to
        or ("." in export_to and home == namespace)
    )


def gateway_name(name: str, namespace: str) -> str:
    """`namespace/name` of a gateway as an object of `namespace` names it."""
    if name == MESH or "/" in name:
        home, _, rest = name.rpartition("/")
        return f"{namespace}/{rest}" if home == "." else name
    first, dot, rest = name.partition(".")
    # The form of old: name.namespace.svc.cluster.local.
    return f"{rest.split('.')[0]}/{first}" if dot else f"{namespace}/{name}"


def selects(labels: dict[str, str], found: dict[str, str]) -> bool:
    """Whether something with the labels `found` is meant; no labels mean everything."""
    return all(found.get(key) == value for key, value in labels.items())
