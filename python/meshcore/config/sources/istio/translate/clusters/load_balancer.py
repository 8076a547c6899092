"""A load balancer setting as the keys of a cluster, and as what its routes hash on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.model.scalars import milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshcore.config.sources.istio.model.load_balancer import (
        ConsistentHash,
        Failover,
        HttpCookie,
        LoadBalancer,
        LocalitySetting,
        ZoneAwareSetting,
    )
    from meshcore.config.sources.istio.translate.made import Made
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

_BALANCE = {
    "RANDOM": "random",
    "ROUND_ROBIN": "round_robin",
    "LEAST_REQUEST": "least_request",
    "LEAST_CONN": "least_request",
}


def put_load_balancer(made: Made, balancer: LoadBalancer, at: At) -> None:
    """Write it into the cluster."""
    if balancer.simple in _BALANCE:
        made.put("balance", _BALANCE[balancer.simple], at / "simple")
    if balancer.consistentHash is not None:
        _consistent_hash(made, balancer.consistentHash, at / "consistentHash")
    if balancer.localityLbSetting is not None:
        _locality(made, balancer.localityLbSetting, at / "localityLbSetting")
    if balancer.zoneAwareLbSetting is not None:
        _zone_aware(made, balancer.zoneAwareLbSetting, at / "zoneAwareLbSetting")
    if (warmup := balancer.warmup) is not None:
        here = at / "warmup"
        made.put("slow_start.window", milliseconds(warmup.duration), here / "duration")
        minimum = max(1, round(warmup.minimumPercent))
        made.put("slow_start.min_weight_percent", minimum, here / "minimumPercent")
        made.put("slow_start.aggression", warmup.aggression, here / "aggression")
    elif balancer.warmupDurationSecs is not None:
        window = milliseconds(balancer.warmupDurationSecs)
        made.put("slow_start.window", window, at / "warmupDurationSecs")


def _consistent_hash(made: Made, hashing: ConsistentHash, at: At) -> None:
    if hashing.maglev is not None:
        made.put("balance", "maglev", at / "maglev")
        made.put("hash.table_size", hashing.maglev.tableSize, at / "maglev" / "tableSize")
        return
    made.put("balance", "ring_hash", at)
    if hashing.ringHash is not None:
        size, here = hashing.ringHash.minimumRingSize, at / "ringHash" / "minimumRingSize"
    else:
        size, here = hashing.minimumRingSize, at / "minimumRingSize"
    made.put("hash.ring_size", size or None, here)


def hash_on(hashing: ConsistentHash) -> list[Value]:
    """What a route to such a cluster hashes."""
    if hashing.httpHeaderName:
        return [{"header": hashing.httpHeaderName}]
    if hashing.httpCookie is not None:
        return [{"cookie": _cookie(hashing.httpCookie)}]
    if hashing.httpQueryParameterName:
        return [{"query": hashing.httpQueryParameterName}]
    return [{"source_address": True}] if hashing.useSourceIp else []


def _cookie(cookie: HttpCookie) -> dict[str, Value]:
    made: dict[str, Value] = {"name": cookie.name}
    if cookie.path:
        made["path"] = cookie.path
    if cookie.ttl is not None:
        made["ttl"] = milliseconds(cookie.ttl)
    if cookie.attributes:
        made["attributes"] = {item.name: item.value for item in cookie.attributes}
    return made


def _locality(made: Made, setting: LocalitySetting, at: At) -> None:
    if setting.enabled is False:
        made.put("locality.enabled", False, at / "enabled")
        return
    made.put("locality", {}, at)
    if setting.distribute:
        shares: list[Value] = [
            {"from": entry.from_, "to": {**entry.to}} for entry in setting.distribute
        ]
        made.put("locality.distribute", shares, at / "distribute")
    _failover(made, setting.failover, setting.failoverPriority, at)


def _zone_aware(made: Made, setting: ZoneAwareSetting, at: At) -> None:
    if setting.enabled is False:
        return
    made.put("locality.zone_aware", {}, at)
    size = setting.minClusterSize
    made.put("locality.zone_aware.min_cluster_size", size, at / "minClusterSize")
    _failover(made, setting.failover, setting.failoverPriority, at)


def _failover(made: Made, failover: Iterable[Failover], labels: Iterable[str], at: At) -> None:
    ways: list[Value] = [{"from": way.from_, "to": way.to} for way in failover]
    if ways:
        made.put("locality.failover", ways, at / "failover")
    if priority := list(labels):
        made.put("locality.failover_priority", [*priority], at / "failoverPriority")
