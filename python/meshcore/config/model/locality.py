"""Where endpoints and the proxy are, and what a cluster makes of it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StrictStr, model_validator

from meshcore.config.model.base import Part
from meshcore.config.model.units import refused

_PARTS_MAX = 3
_ALL = 100
_OVERPROVISIONING_MAX = 1_000


def is_locality(value: str) -> bool:
    """Whether it is one, or nothing."""
    parts = value.split("/")
    return not value or (len(parts) <= _PARTS_MAX and all(parts))


def _locality(value: str) -> str:
    if not is_locality(value):
        hint = "write region, region/zone or region/zone/subzone"
        raise refused("invalid_locality", f"{value!r} is no locality", hint)
    return value


def _factor(value: float) -> float:
    if 1 <= value <= _OVERPROVISIONING_MAX:
        return value
    raise refused("invalid_factor", f"{value:g} is not from 1 to 1000", "the default is 1.4")


LocalityName = Annotated[StrictStr, AfterValidator(_locality)]
"""`region/zone/subzone`, from the left as much as is known."""


class Failover(Part):
    """A region and the one that takes over from it."""

    from_: Annotated[StrictStr, Field(alias="from", min_length=1)]
    """The proxy's region."""
    to: Annotated[StrictStr, Field(min_length=1)]
    """The region that comes next."""


class Distribute(Part):
    """What localities get of the requests of one."""

    from_: Annotated[LocalityName, Field(alias="from", min_length=1)]
    """Where the proxy runs; a `*`, or what is left out, is any. The first that fits counts."""
    to: dict[LocalityName, Annotated[StrictInt, Field(ge=0, le=_ALL)]]
    """Percentages by locality, `{eu/a/*: 80, us: 20}`, together 100. An endpoint belongs to the one
    that names its place best; to none, and it gets nothing."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (total := sum(self.to.values())) != _ALL:
            message = f"the shares add up to {total}, not to 100"
            raise refused("invalid_shares", message, "write percentages of all requests")
        return self


class ZoneAware(Part):
    """Requests stay in the proxy's zone as far as its endpoints can take them."""

    min_cluster_size: Annotated[StrictInt, Field(ge=0, le=0xFFFF)] = 6
    """Fewer endpoints share all requests, wherever they are."""


class Locality(Part):
    """Which endpoints come first, where the proxy's own `locality` is known."""

    enabled: StrictBool = True
    """`false`: places don't count."""
    failover: tuple[Failover, ...] = ()
    """Regions that take over before all others, in this order."""
    failover_priority: tuple[Annotated[StrictStr, Field(min_length=1)], ...] = ()
    """Labels, the most important first, each `name` (as the proxy's own) or `name=value`: endpoints
    that agree in more of them, from the first on, come before others, wherever they are."""
    distribute: tuple[Distribute, ...] = ()
    """Shares instead of an order."""
    zone_aware: ZoneAware | None = None
    """The zones of the proxy's region count as one, and requests stay in the own as far as its
    endpoints can take them."""
    overprovisioning_factor: Annotated[float, Field(strict=True), AfterValidator(_factor)] = 1.4
    """A level gives to the next what is beyond this times the part of its endpoints that are
    available: at 1.4, from the moment when fewer than 72 % are."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ordered = self.failover or self.failover_priority or self.zone_aware is not None
        if self.distribute and ordered:
            message = "distribute stands beside an order of localities"
            hint = "keep either distribute, or failover, failover_priority and zone_aware"
            raise refused("ambiguous_locality", message, hint)
        return self
