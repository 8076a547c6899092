"""How many requests of a route pass, and who counts them for several proxies."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.model.match import OneOf
from meshcore.config.model.units import Count, Duration, Name, refused

_KEY = re.compile(r"route|source_address|identity|header\.[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        hint = "write route, source_address, identity or header.<name>"
        raise refused("invalid_key", f"{value!r} is nothing that could have a bucket", hint)
    return value


class Rate(Part):
    """A rate over all that share it, up to 1,000,000 a second."""

    requests: Annotated[Count, Field(ge=1)]
    """So many."""
    per: Duration = timedelta(seconds=1)
    """In this time."""
    burst: Annotated[Count, Field(ge=1)] | None = None
    """How many may come at once after a pause; left out, `requests`."""


class RateLimit(Part):
    """A limit on a route's requests: `local`, or counted by a `service`."""

    name: Name
    """Tells the route's limits apart; by it a limit goes on when the document changes. A service
    counts limits of one name together, whichever route and proxy they belong to."""
    local: Rate | None = None
    """How many requests pass this proxy; with `service`, while that can't be asked and has
    `on_error: local`."""
    shared: Rate | None = None
    """How many requests pass all proxies that ask the same Redis."""
    service: StrictStr | None = None
    """Who counts for several proxies: one of `rate_limit_services`."""
    key: Annotated[StrictStr, AfterValidator(_key)] = "route"
    """What has a bucket of its own: `route` (all share one), `source_address`, `identity` or
    `header.<name>`."""
    status: Annotated[StrictInt, Field(ge=400, le=599)] = 429
    """What refused requests are answered with."""
    response_headers: StrictBool = True
    """Whether answers have `x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset`."""


class Redis(Part):
    """A Redis that keeps the buckets."""

    cluster: StrictStr
    """Where it is."""
    key_prefix: StrictStr = "meshcore:"
    """What its keys begin with; the limit's name and what has the bucket follow."""
    username: StrictStr | None = None
    """Who the proxy is there; left out, the default user."""
    password_file: StrictStr | None = None
    """The file of the password, read for each connection."""


class Grpc(Part):
    """A service that speaks `envoy.service.ratelimit.v3.RateLimitService`."""

    cluster: StrictStr
    """Where it is; it speaks HTTP/2."""
    domain: StrictStr
    """Whose rules it goes by."""


class RateLimitService(OneOf):
    """Who counts requests for several proxies: `redis` or `grpc`."""

    beside = frozenset({"name", "timeout", "on_error"})

    name: Name
    """What limits call it."""
    redis: Redis | None = None
    """A Redis; its limits have `shared` rates."""
    grpc: Grpc | None = None
    """Envoy's rate limit service; it has the rates itself."""
    timeout: Duration = timedelta(milliseconds=20)
    """The longest that a request waits for its decision, over all of its limits; 1ms to 10s."""
    on_error: Literal["open", "closed", "local"] = "open"
    """What becomes of a request that it doesn't decide on in time: it passes, is refused with 503,
    or the limit's `local` rate decides."""
