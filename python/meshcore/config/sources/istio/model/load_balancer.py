"""How a DestinationRule chooses among endpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.scalars import Duration, Integer, Number
from meshcore.config.sources.istio.model.support import To


class CookieAttribute(Part):
    """An attribute of a cookie that we make."""

    name: Annotated[StrictStr, To("route.hash_on.cookie.attributes")]
    value: Annotated[StrictStr, To("route.hash_on.cookie.attributes")] = ""


class HttpCookie(Part):
    """A cookie whose value is hashed."""

    name: Annotated[StrictStr, Field(min_length=1), To("route.hash_on.cookie.name")]
    path: Annotated[StrictStr, To("route.hash_on.cookie.path")] = ""
    ttl: Annotated[Duration | None, To("route.hash_on.cookie.ttl")] = None
    attributes: Annotated[tuple[CookieAttribute, ...], To("route.hash_on.cookie.attributes")] = ()


class RingHash(Part):
    """Ketama's ring."""

    minimumRingSize: Annotated[Integer, To("cluster.hash.ring_size")] = 1024


class Maglev(Part):
    """Maglev's table."""

    tableSize: Annotated[Integer, To("cluster.hash.table_size")] = 65_537


class ConsistentHash(Part):
    """One key, and how endpoints are found by it."""

    httpHeaderName: Annotated[StrictStr, To("route.hash_on.header")] = ""
    httpCookie: Annotated[HttpCookie | None, To("route.hash_on.cookie")] = None
    useSourceIp: Annotated[StrictBool, To("route.hash_on.source_address")] = False
    httpQueryParameterName: Annotated[StrictStr, To("route.hash_on.query")] = ""
    ringHash: Annotated[RingHash | None, To("cluster.hash.ring_size")] = None
    maglev: Annotated[Maglev | None, To("cluster.hash.table_size")] = None
    minimumRingSize: Annotated[
        Integer, To("cluster.hash.ring_size", "deprecated: ringHash.minimumRingSize")
    ] = 0


class Distribute(Part):
    """Where the requests of a locality go."""

    from_: Annotated[StrictStr, Field(alias="from"), To("cluster.locality.distribute.from")]
    to: Annotated[dict[StrictStr, Integer], To("cluster.locality.distribute.to")]


class Failover(Part):
    """Where a region's requests go when its endpoints fail."""

    from_: Annotated[StrictStr, Field(alias="from"), To("cluster.locality.failover.from")]
    to: Annotated[StrictStr, To("cluster.locality.failover.to")]


class LocalitySetting(Part):
    """How localities count."""

    enabled: Annotated[StrictBool | None, To("cluster.locality")] = None
    distribute: Annotated[tuple[Distribute, ...], To("cluster.locality.distribute")] = ()
    failover: Annotated[tuple[Failover, ...], To("cluster.locality.failover")] = ()
    failoverPriority: Annotated[
        tuple[StrictStr, ...], To("cluster.locality.failover_priority")
    ] = ()


class ZoneAwareSetting(Part):
    """Requests stay in their zone where that is safe."""

    enabled: Annotated[StrictBool | None, To("cluster.locality.zone_aware")] = None
    failover: Annotated[tuple[Failover, ...], To("cluster.locality.failover")] = ()
    failoverPriority: Annotated[
        tuple[StrictStr, ...], To("cluster.locality.failover_priority")
    ] = ()
    minClusterSize: Annotated[Integer, To("cluster.locality.zone_aware.min_cluster_size")] = 6


class Warmup(Part):
    """New endpoints get their share little by little."""

    duration: Annotated[Duration, To("cluster.slow_start.window")]
    minimumPercent: Annotated[
        Number, To("cluster.slow_start.min_weight_percent", "in whole percent, 1 at least")
    ] = 10
    aggression: Annotated[Number, To("cluster.slow_start.aggression")] = 1.0


Simple = Literal[
    "UNSPECIFIED", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN"
]


class LoadBalancer(Part):
    """How an endpoint is chosen."""

    simple: Annotated[
        Simple | None,
        To("cluster.balance", "PASSTHROUGH is refused: there is no original destination yet"),
    ] = None
    consistentHash: Annotated[ConsistentHash | None, To("cluster.hash route.hash_on")] = None
    localityLbSetting: Annotated[LocalitySetting | None, To("cluster.locality")] = None
    zoneAwareLbSetting: Annotated[ZoneAwareSetting | None, To("cluster.locality.zone_aware")] = None
    warmup: Annotated[Warmup | None, To("cluster.slow_start")] = None
    warmupDurationSecs: Annotated[
        Duration | None, To("cluster.slow_start.window", "deprecated: warmup")
    ] = None
