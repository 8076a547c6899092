"""Istio's rules on load balancer settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model.load_balancer import (
        ConsistentHash,
        LoadBalancer,
        LocalitySetting,
    )

_WHOLE = 100
_LARGEST_TABLE = 5_000_011
_SLOW_START = frozenset({"ROUND_ROBIN", "LEAST_REQUEST", "LEAST_CONN", "UNSPECIFIED", None})


def load_balancer(balancer: LoadBalancer, loc: Loc) -> Iterator[Trouble]:
    """All that is wrong with one."""
    if balancer.simple == "PASSTHROUGH":
        message = "PASSTHROUGH is not supported yet: there is no original destination"
        yield Trouble((*loc, "simple"), "not_supported", message)
    if balancer.simple is not None and balancer.consistentHash is not None:
        message = "has both simple and consistentHash"
        yield Trouble((*loc, "simple"), "one_of", message, "keep one of them", at_key=True)
    if balancer.consistentHash is not None:
        yield from _consistent_hash(balancer.consistentHash, (*loc, "consistentHash"))
    if balancer.localityLbSetting is not None:
        yield from _locality(balancer.localityLbSetting, (*loc, "localityLbSetting"))
        if balancer.zoneAwareLbSetting is not None:
            message = "has both localityLbSetting and zoneAwareLbSetting"
            at = (*loc, "zoneAwareLbSetting")
            yield Trouble(at, "one_of", message, "keep one of them", at_key=True)
    warm = balancer.warmup or balancer.warmupDurationSecs
    if warm and (balancer.simple not in _SLOW_START or balancer.consistentHash is not None):
        message = "warmup works with ROUND_ROBIN and LEAST_REQUEST only"
        name = "warmup" if balancer.warmup is not None else "warmupDurationSecs"
        yield Trouble((*loc, name), "key_not_allowed", message, at_key=True)


def _consistent_hash(hashing: ConsistentHash, loc: Loc) -> Iterator[Trouble]:
    keys = ("httpHeaderName", "httpCookie", "useSourceIp", "httpQueryParameterName")
    given = [name for name in keys if getattr(hashing, name)]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        message = f"needs exactly one of {', '.join(keys)}; has {found}"
        yield Trouble(loc, "one_of", message, "keep one of them")
    rings = [name for name in ("ringHash", "maglev", "minimumRingSize") if getattr(hashing, name)]
    if len(rings) > 1:
        message = f"has {' and '.join(rings)}"
        yield Trouble((*loc, rings[-1]), "one_of", message, "keep one of them", at_key=True)
    if hashing.maglev is not None:
        size = hashing.maglev.tableSize
        if size >= _LARGEST_TABLE or not _is_prime(size):
            message = f"{size} is no prime below {_LARGEST_TABLE}"
            at = (*loc, "maglev", "tableSize")
            yield Trouble(at, "invalid_range", message, "write for example 65537")


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _locality(setting: LocalitySetting, loc: Loc) -> Iterator[Trouble]:
    if setting.distribute and setting.failover:
        message = "has both distribute and failover"
        at = (*loc, "failover")
        yield Trouble(at, "one_of", message, "keep one of them", at_key=True)
    for index, share in enumerate(setting.distribute):
        total = sum(share.to.values())
        if total != _WHOLE:
            at = (*loc, "distribute", index, "to")
            message = f"the shares sum to {total}, not to 100"
            yield Trouble(at, "invalid_range", message)
    for index, way in enumerate(setting.failover):
        at = (*loc, "failover", index)
        if way.from_ == way.to:
            message = f"from {way.from_!r} to itself"
            yield Trouble(at, "invalid_value", message, "name another region")
        for name, region in (("from", way.from_), ("to", way.to)):
            if "/" in region or "*" in region:
                message = "failover is between regions: no zones, no wildcards"
                yield Trouble(
                    (*at, name), "invalid_value", message, f"write {region.split('/')[0]}"
                )
