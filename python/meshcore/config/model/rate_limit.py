"""How many requests of a route pass."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.model.units import Count, Duration, Name, refused

_KEY = re.compile(r"route|source_address|identity|header\.[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        hint = "write route, source_address, identity or header.<name>"
        raise refused("invalid_key", f"{value!r} is nothing that could have a bucket", hint)
    return value


class LocalRate(Part):
    """A rate over all workers of one proxy, up to 1,000,000 a second."""

    requests: Annotated[Count, Field(ge=1)]
    """So many."""
    per: Duration = timedelta(seconds=1)
    """In this time."""
    burst: Annotated[Count, Field(ge=1)] | None = None
    """How many may come at once after a pause; left out, `requests`."""


class RateLimit(Part):
    """A limit on a route's requests."""

    name: Name
    """Tells the route's limits apart; by it a limit goes on when the document changes."""
    local: LocalRate
    """How many requests pass this proxy."""
    key: Annotated[StrictStr, AfterValidator(_key)] = "route"
    """What has a bucket of its own: `route` (all share one), `source_address`, `identity` or
    `header.<name>`."""
    status: Annotated[StrictInt, Field(ge=400, le=599)] = 429
    """What refused requests are answered with."""
    response_headers: StrictBool = True
    """Whether answers have `x-ratelimit-limit`, `x-ratelimit-remaining` and `x-ratelimit-reset`."""
