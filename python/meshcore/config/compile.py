"""A checked configuration becomes resources: the only place that knows both forms.

What the document leaves out is left out of the resources too: the engine's wire types hold the
defaults. Does no I/O: credentials are given, read from their files.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from json import JSONEncoder
from pathlib import PurePath
from typing import TYPE_CHECKING, TypeAlias

from meshcore.config.model import (
    Cluster,
    Config,
    Hash,
    Listener,
    ListenerTls,
    Locality,
    Match,
    Part,
    RateLimit,
    RateLimitService,
    Route,
    SlowStart,
    Target,
)
from meshcore.config.resources import CLUSTER, ENDPOINTS, LISTENER, OVERLOAD, ROUTE_TABLE, Compiled
from meshcore.config.subset import with_endpoints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from meshcore.config.resources import Key, Pem

Wire: TypeAlias = "dict[str, Wire] | list[Wire] | str | int | float | bool | None"

Services: TypeAlias = "Mapping[str, dict[str, Wire]]"
"""Rate limit services by their names: the engine has them in the limits that ask them."""

Here = tuple[str, "Mapping[str, str]"]
"""The proxy's locality and its labels."""

Files = tuple[str, str | None]
"""A certificate's file and its key's, as the document has them; None: trust anchors."""

_encode = JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_MILLISECOND = timedelta(milliseconds=1)
# Written otherwise there, or of no use to the engine.
_OF_CLUSTER = ("tls", "endpoints", "subset_of", "hash", "locality", "slow_start")
_NOT_ON_THE_WIRE = ("protocol", "tls", "routes", "route_order", "to", "mesh", "labels")


def compile_config(
    config: Config, names: Mapping[Files, str], credentials: dict[str, Pem]
) -> Compiled:
    """All resources of a configuration that `check` found nothing wrong with.

    Args:
        config: The configuration.
        names: The name of each credential by its files.
        credentials: Each credential by its name.
    """
    compiled = Compiled(credentials=credentials)
    services = {it.name: _service(it, config) for it in config.rate_limit_services}
    for listener in config.listeners:
        _add_listener(compiled, listener, names, services)
    for cluster in with_endpoints(config.clusters):
        _add_cluster(compiled, cluster, names, here_of(config))
    if (it := config.overload) is not None:
        compiled.add((OVERLOAD, "overload"), _encode({"name": "overload", **_fields(it)}).encode())
    return compiled


def here_of(config: Config) -> Here:
    """Where the proxy runs, and what it is called by."""
    return config.locality, config.labels


def recompile_clusters(
    compiled: Compiled, clusters: Iterable[Cluster], names: Mapping[Files, str], here: Here
) -> tuple[Compiled, list[Key]]:
    """The same with these clusters replaced, and what differs then."""
    changed = compiled.copy(compiled.credentials)
    keys: list[Key] = []
    for cluster in clusters:
        _add_cluster(changed, cluster, names, here)
        keys += ((CLUSTER, cluster.name), (ENDPOINTS, cluster.name))
    return changed, [key for key in keys if changed.digests[key] != compiled.digests.get(key)]


def sni_routes(listener: Listener) -> list[tuple[int, Route]]:
    """The routes that the server name decides, each with its index in the document."""
    return [(at, route) for at, route in enumerate(listener.routes) if route.match.sni]


def http_routes(listener: Listener) -> list[tuple[int, Route]]:
    """The routes of the listener's table, each with its index in the document."""
    return [(at, route) for at, route in enumerate(listener.routes) if not route.match.sni]


def _add_listener(
    compiled: Compiled, listener: Listener, names: Mapping[Files, str], services: Services
) -> None:
    wire = _fields(listener, leave=_NOT_ON_THE_WIRE)
    uses: list[str] = []
    if "protocol" in listener.model_fields_set:
        wire["protocol"] = listener.protocol.replace("-", "_")
    if listener.tls is not None:
        wire["tls"], uses = _listener_tls(listener.tls, names)
    if listener.to:
        wire["to"] = _targets(listener.to)
    if by_name := sni_routes(listener):
        wire["sni_routes"] = [
            {"sni": list(route.match.sni), "to": _targets(route.to)} for _, route in by_name
        ]
    table = http_routes(listener)
    # What Istio's documents say may be nothing yet; then every request is answered with 404.
    of_mesh = listener.mesh is not None and listener.protocol != "auto"
    if (table or of_mesh) and listener.protocol in {"http", "http2", "auto"}:
        wire["route_table"] = listener.name
        routes: list[Wire] = [_route(listener.name, at, route, services) for at, route in table]
        found: dict[str, Wire] = {"name": listener.name, "routes": routes}
        if "route_order" in listener.model_fields_set:
            found["order"] = listener.route_order
        body = _encode(found)
        compiled.add((ROUTE_TABLE, listener.name), body.encode())
    compiled.add((LISTENER, listener.name), _encode(wire).encode(), tuple(uses))


def _add_cluster(
    compiled: Compiled, cluster: Cluster, names: Mapping[Files, str], here: Here
) -> None:
    wire = _fields(cluster, leave=_OF_CLUSTER)
    if cluster.locality is not None:
        wire["locality"] = _locality(cluster.locality, here)
    if "hash" in cluster.model_fields_set:
        wire["hash"] = _hash(cluster.hash)
    if cluster.slow_start is not None:
        wire["slow_start"] = _slow_start(cluster.slow_start)
    uses: list[str] = []
    if (tls := cluster.tls) is not None:
        shown = _fields(tls, leave=("ca", "certificate", "key"))
        if tls.ca is not None:
            uses.append(names[tls.ca, None])
            shown["ca"] = uses[-1]
        if tls.certificate is not None:
            uses.append(names[tls.certificate, tls.key])
            shown["certificate"] = uses[-1]
        wire["tls"] = shown
    compiled.add((CLUSTER, cluster.name), _encode(wire).encode(), tuple(uses))
    endpoints: list[Wire] = [_fields(endpoint) for endpoint in cluster.endpoints]
    body = _encode({"name": cluster.name, "endpoints": endpoints})
    compiled.add((ENDPOINTS, cluster.name), body.encode())


def _hash(hashing: Hash) -> Wire:
    wire = _fields(hashing, leave=("load_factor",))
    if "load_factor" in hashing.model_fields_set:
        wire["load_factor_percent"] = round(hashing.load_factor * 100)
    return wire


def _slow_start(slow_start: SlowStart) -> Wire:
    wire = _fields(slow_start, leave=("aggression",))
    if "aggression" in slow_start.model_fields_set:
        wire["aggression_percent"] = round(slow_start.aggression * 100)
    return wire


def _locality(locality: Locality, here: Here) -> Wire:
    wire = _fields(locality, leave=("overprovisioning_factor",))
    if "overprovisioning_factor" in locality.model_fields_set:
        wire["overprovisioning_percent"] = round(locality.overprovisioning_factor * 100)
    where, labels = here
    wire["here"] = where
    # Others would make a cluster another one whenever a label changes.
    if locality.failover_priority and labels:
        wire["labels"] = dict(labels)
    return wire


def _listener_tls(tls: ListenerTls, names: Mapping[Files, str]) -> tuple[Wire, list[str]]:
    wire = _fields(tls, leave=("certificate", "key", "certificates", "client_ca"))
    uses = [names[files] for files in certificate_files(tls)]
    wire["certificates"] = list(uses)
    if tls.client_ca is not None:
        uses.append(names[tls.client_ca, None])
        wire["client_ca"] = uses[-1]
    return wire, uses


def certificate_files(tls: ListenerTls) -> list[Files]:
    """The pairs of a listener, in the order of the document."""
    if tls.certificate is not None and tls.key is not None:
        return [(tls.certificate, tls.key)]
    return [(pair.certificate, pair.key) for pair in tls.certificates]


def _route(listener: str, index: int, route: Route, services: Services) -> Wire:
    wire: dict[str, Wire] = {
        "name": route.name if route.name is not None else f"{listener}/{index}",
    }
    if route.to:
        wire["to"] = _targets(route.to)
    if route.match.model_fields_set:
        wire["match"] = _match(route.match)
    if not route.model_fields_set <= _COMMON_OF_ROUTE:
        wire |= _fields(route, leave=("name", "match", "to"))
    if route.rate_limits:
        wire["rate_limits"] = [_rate_limit(limit, services) for limit in route.rate_limits]
    return wire


def _service(service: RateLimitService, config: Config) -> dict[str, Wire]:
    wire = _fields(service, leave=("redis",))
    if (redis := service.redis) is not None:
        shown = _fields(redis, leave=("password_file",))
        if redis.password_file is not None:
            # The engine reads it when it connects.
            shown["password_file"] = str(PurePath(config.origin.base, redis.password_file))
        wire["redis"] = shown
    return wire


def _rate_limit(limit: RateLimit, services: Services) -> Wire:
    wire = _fields(limit, leave=("service",))
    if (service := services.get(limit.service or "")) is not None:
        wire["service"] = service
    return wire


# What nearly all have: tables of thousands of them take the short way.
_COMMON_OF_ROUTE = frozenset({"name", "match", "to"})
_COMMON_OF_TARGET = frozenset({"cluster", "weight"})


def _match(match: Match) -> Wire:
    wire = _fields(match, leave=("host", "path", "method", "headers", "without_headers", "sni"))
    if match.host:
        wire["hosts"] = list(match.host)
    if match.method:
        wire["methods"] = list(match.method)
    if match.path is not None:
        wire["path"] = _fields(match.path, leave=("ignore_case",))
        if match.path.ignore_case:
            wire["ignore_path_case"] = True
    for key, wanted in (("headers", match.headers), ("without_headers", match.without_headers)):
        if wanted:
            wire[key] = {name.lower(): _fields(condition) for name, condition in wanted.items()}
    return wire


def _targets(targets: tuple[Target, ...]) -> list[Wire]:
    return [_target(target) for target in targets]


def _target(target: Target) -> Wire:
    given = target.model_fields_set
    if not given <= _COMMON_OF_TARGET:
        return _fields(target)
    return {"cluster": target.cluster} | ({"weight": target.weight} if "weight" in given else {})


def _fields(part: Part, leave: tuple[str, ...] = ()) -> dict[str, Wire]:
    """The keys that the document gives, as the wire names them."""
    given = part.model_fields_set
    wire: dict[str, Wire] = {}
    for key, name in _names(type(part)):
        if key in given and key not in leave:
            value = getattr(part, key)
            if value is None:
                continue
            if isinstance(value, timedelta):
                wire[f"{name}_ms"] = value // _MILLISECOND
            else:
                wire[name] = _value(value)
    return wire


@cache
def _names(part: type[Part]) -> tuple[tuple[str, str], ...]:
    # In the order of the model: a set's own order changes from process to process, and with it
    # every content hash would.
    return tuple((key, field.alias or key) for key, field in part.model_fields.items())


def _value(value: object) -> Wire:
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Part):
        return _fields(value)
    if isinstance(value, dict):
        return {str(key): _value(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_value(item) for item in value]
    message = f"{type(value).__name__} has no form on the wire"
    raise TypeError(message)
