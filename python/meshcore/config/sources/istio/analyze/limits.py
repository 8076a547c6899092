"""Limits of connection pools that don't limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.analyze.scopes import scopes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model.destination_rule import ConnectionPool
    from meshcore.config.sources.merged import At

_LIMITS = {
    "tcp": ("maxConnections",),
    "http": (
        "http1MaxPendingRequests",
        "http2MaxRequests",
        "maxRequestsPerConnection",
        "maxRetries",
    ),
}


def limits(analysis: Analysis) -> None:
    """Look at each pool."""
    for rule in analysis.objects.destination_rules:
        for scope in scopes(rule):
            pool, at = scope.policy.connectionPool, scope.at / "connectionPool"
            if pool is None:
                continue
            for place, name in _zeros(pool, at):
                message = f"{name}: 0 limits nothing: it says as much as leaving it out"
                analysis.find("MC0015", rule, place, message)
            if (waiting := _waiting_alone(pool)) is not None:
                message = f"{waiting} may wait, and connections and requests have no limit"
                place = at / "http" / "http1MaxPendingRequests"
                analysis.find("MC0020", rule, place, message)


def _zeros(pool: ConnectionPool, at: At) -> Iterator[tuple[At, str]]:
    for part, names in _LIMITS.items():
        found = getattr(pool, part)
        for name in names if isinstance(found, Part) else ():
            if name in found.model_fields_set and getattr(found, name) == 0:
                yield at / part / name, name


def _waiting_alone(pool: ConnectionPool) -> int | None:
    """How many requests may wait, where nothing limits what they would wait for."""
    if pool.http is None or (pool.tcp is not None and pool.tcp.maxConnections):
        return None
    return None if pool.http.http2MaxRequests else pool.http.http1MaxPendingRequests or None
