"""What must hold between rate limits, the services that count for them, and clusters."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from meshcore.config.check import did_you_mean
from meshcore.config.origin import Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from meshcore.config.model import Config, RateLimit, RateLimitService
    from meshcore.config.origin import Loc

_LONGEST = timedelta(seconds=10)


def check_rate_limits(config: Config, names: Collection[str]) -> Iterator[Trouble]:
    """All that is wrong with them."""
    services: dict[str, RateLimitService] = {}
    http1 = {cluster.name for cluster in config.clusters if cluster.protocol == "http1"}
    for index, service in enumerate(config.rate_limit_services):
        loc = ("rate_limit_services", index)
        if services.setdefault(service.name, service) is not service:
            message = f"{service.name!r} is already the name of another service"
            yield Trouble((*loc, "name"), "duplicate_name", message, "names are single")
        yield from _service(service, loc, names, http1)
    for at, listener in enumerate(config.listeners):
        for number, route in enumerate(listener.routes):
            for index, limit in enumerate(route.rate_limits):
                where = ("listeners", at, "routes", number, "rate_limits", index)
                yield from _limit(limit, where, services)


def _service(
    service: RateLimitService, loc: Loc, names: Collection[str], http1: Collection[str]
) -> Iterator[Trouble]:
    key, spoken = ("redis", service.redis) if service.redis else ("grpc", service.grpc)
    if spoken is not None and spoken.cluster not in names:
        hint = did_you_mean(spoken.cluster, names) or "name it under clusters"
        message = f"there is no cluster {spoken.cluster!r}"
        yield Trouble((*loc, key, "cluster"), "unknown_cluster", message, hint)
    redis = service.redis
    if redis is not None and redis.username is not None and redis.password_file is None:
        message = "a user needs a password"
        at = (*loc, "redis", "username")
        yield Trouble(at, "missing_key", message, "write password_file: redis.password")
    if service.grpc is not None and service.grpc.cluster in http1:
        message = "gRPC needs HTTP/2, and the cluster speaks HTTP/1"
        hint = f"write protocol: http2 on {service.grpc.cluster}"
        yield Trouble((*loc, "grpc", "cluster"), "grpc_unusable", message, hint)
    if not timedelta(milliseconds=1) <= service.timeout <= _LONGEST:
        message = "that is no time to wait for a decision"
        yield Trouble((*loc, "timeout"), "invalid_duration", message, "from 1ms to 10s")


def _limit(
    limit: RateLimit, loc: Loc, services: Mapping[str, RateLimitService]
) -> Iterator[Trouble]:
    if limit.service is None:
        if limit.shared is not None:
            message = "a shared rate needs somebody who counts for all"
            hint = "write service: <one of rate_limit_services>, or local: {requests: 100}"
            yield Trouble((*loc, "shared"), "key_not_allowed", message, hint, at_key=True)
        elif limit.local is None:
            message = "a limit needs local, or service"
            yield Trouble(loc, "missing_key", message, "write local: {requests: 100}")
        return
    service = services.get(limit.service)
    if service is None:
        hint = did_you_mean(limit.service, services) or "name it under rate_limit_services"
        message = f"there is no service {limit.service!r}"
        yield Trouble((*loc, "service"), "unknown_service", message, hint)
        return
    if service.redis is not None and limit.shared is None:
        message = f"{service.name!r} keeps buckets and has to know the rate"
        yield Trouble(loc, "missing_key", message, "write shared: {requests: 100}")
    if service.grpc is not None and limit.shared is not None:
        message = f"{service.name!r} has rates of its own"
        hint = "leave it out"
        yield Trouble((*loc, "shared"), "key_not_allowed", message, hint, at_key=True)
    if service.on_error == "local" and limit.local is None:
        message = f"{service.name!r} falls back on the local rate, and there is none"
        yield Trouble(loc, "missing_key", message, "write local: {requests: 100}")
