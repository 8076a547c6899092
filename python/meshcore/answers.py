"""What an engine tells its owner: counters, sockets, and why it didn't do what it was asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypedDict

from meshcore.errors import EngineError, Problem, RefusedResources

if TYPE_CHECKING:
    from meshcore.bridge import Payload


Numbers: TypeAlias = "dict[str, int | float]"


class Stats(TypedDict):
    """Counters since the start; docs/metrics.md lists them."""

    engine: Numbers
    workers: dict[str, Numbers]
    """By index."""
    listeners: dict[str, Numbers]
    routes: dict[str, dict[str, Numbers]]
    """By listener, then by route."""
    clusters: dict[str, Numbers]
    """Besides `endpoints`, by address, and `guard` and `health_checks` where there are any."""
    rate_limit_services: dict[str, Numbers]
    hooks: dict[str, Numbers]
    access_logs: dict[str, Numbers]
    overload: dict[str, Numbers]


class Socket(NamedTuple):
    """A listening socket."""

    listener: str
    """The listener's name."""
    address: str
    """As the document has it."""
    bound: str
    """What it is bound to: with port 0, the port that the system chose."""
    fd: int
    """The engine's own descriptor; valid until the engine stops."""


def refusal(kind: str, payload: Payload) -> EngineError | RefusedResources:
    """The error for a completion of another kind than the one that was hoped for."""
    raw = payload if isinstance(payload, bytes) else b""
    if kind == "refused":
        return RefusedResources(raw, [_unplaced(item) for item in json.loads(raw)])
    return EngineError(raw.decode(errors="replace") or f"the engine answered {kind}")


def _unplaced(item: dict[str, str]) -> Problem:
    path = f"{item['kind']} {item['name']}: {item['path']}"
    return Problem(item["code"], path, item["message"], item["hint"])
