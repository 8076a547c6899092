"""What a document's shape can't say: names that must exist or be single, keys that belong together.

What needs a compiler (regexes, hosts, certificates) is left to the engine.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from meshcore.config.model import Cluster, Config, Listener, Route, Target
    from meshcore.config.origin import Loc

ABSENCES = frozenset({"no_destination", "no_listener"})
"""Codes that say that something is missing."""


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A hint when something known is close to `word`, else nothing."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.65)
    return f"did you mean {close[0]!r}?" if close else ""


def check(
    config: Config, cluster_names: Collection[str] = (), hook_names: Collection[str] = ()
) -> list[Trouble]:
    """All that is wrong with a well-formed configuration.

    Args:
        config: What to check.
        cluster_names: Clusters that exist besides those of `config`.
        hook_names: Hooks that exist besides those of `config`.
    """
    from meshcore.config.grpc_web import check_grpc_web
    from meshcore.config.hooks import check_hooks
    from meshcore.config.rate_limits import check_rate_limits  # which uses what stands here
    from meshcore.config.subset import check_subsets

    names = frozenset(cluster_names) | {cluster.name for cluster in config.clusters}
    troubles = list(_unique(config))
    for index, listener in enumerate(config.listeners):
        troubles += check_listener(listener, ("listeners", index), names)
    for index, cluster in enumerate(config.clusters):
        troubles += check_cluster(cluster, ("clusters", index))
    troubles += [*check_rate_limits(config, names), *check_subsets(config)]
    troubles += [*check_grpc_web(config), *check_hooks(config, hook_names)]
    if not config.listeners and not cluster_names:
        hint = "listeners: [{name: web, address: 127.0.0.1:8080, routes: [{to: api}]}]"
        troubles.append(Trouble((), "no_listener", "there is no listener", hint))
    return troubles


def _unique(config: Config) -> Iterator[Trouble]:
    named = {
        "listeners": [listener.name for listener in config.listeners],
        "clusters": [cluster.name for cluster in config.clusters],
    }
    for key, names in named.items():
        seen: dict[str, int] = {}
        for index, name in enumerate(names):
            first = seen.setdefault(name, index)
            if first != index:
                message = f"{name!r} is already the name of {key}[{first}]"
                yield Trouble((key, index, "name"), "duplicate_name", message, "names are single")
    bound: dict[str, int] = {}
    for index, listener in enumerate(config.listeners):
        if listener.address.endswith(":0"):
            continue
        first = bound.setdefault(listener.address, index)
        if first != index:
            message = f"listeners[{first}] already listens on {listener.address}"
            hint = "put both listeners' routes into one, or take another port"
            yield Trouble(("listeners", index, "address"), "duplicate_address", message, hint)


def check_listener(listener: Listener, loc: Loc, names: Collection[str]) -> Iterator[Trouble]:
    """All that is wrong with one listener."""
    yield from _keys_of_protocol(listener, loc)
    yield from _destination(listener, loc)
    yield from _listener_tls(listener, loc)
    yield from _targets(listener.to, (*loc, "to"), names)
    yield from _targets_of_bytes(listener.to, (*loc, "to"))
    seen: dict[str, int] = {}
    for index, route in enumerate(listener.routes):
        at = (*loc, "routes", index)
        yield from _route(listener, route, at)
        yield from _action(route, at)
        yield from _hash_on(route, at)
        yield from _targets(route.to, (*at, "to"), names)
        for number, mirror in enumerate(route.mirrors):
            yield from _known(mirror.cluster, (*at, "mirrors", number, "cluster"), names)
        if route.name is not None and seen.setdefault(route.name, index) != index:
            message = f"{route.name!r} is already the name of routes[{seen[route.name]}]"
            yield Trouble((*at, "name"), "duplicate_name", message, "names are single")


_NOT_FOR = {
    "tcp": ("routes", "http", "http2", "route_order"),
    "tls-passthrough": ("tls", "http", "http2", "route_order"),
    "auto": ("tls",),
    "http": ("to", "fault"),
    "http2": ("to", "fault"),
}
_INSTEAD = {
    ("tcp", "routes"): "write to: <cluster>, or protocol: http",
    ("http", "to"): "write routes: [{to: <cluster>}], or protocol: tcp",
    ("http2", "to"): "write routes: [{to: <cluster>}], or protocol: tcp",
    ("tls-passthrough", "tls"): "TLS ends at the endpoints; protocol: http or tcp ends it here",
    ("auto", "tls"): "auto passes TLS through; protocol: http or tcp ends it here",
}

_HTTP = frozenset({"http", "http2"})

# What an http listener can speak over TLS; http/1.0 alone would shut out nearly everybody.
_HTTP_NAMES = frozenset({"h2", "http/1.1"})


def _keys_of_protocol(listener: Listener, loc: Loc) -> Iterator[Trouble]:
    for key in _NOT_FOR[listener.protocol]:
        if key in listener.model_fields_set and getattr(listener, key):
            message = f"a listener with protocol {listener.protocol} has no {key!r}"
            hint = _INSTEAD.get((listener.protocol, key), "leave it out")
            yield Trouble((*loc, key), "key_not_allowed", message, hint, at_key=True)


def _destination(listener: Listener, loc: Loc) -> Iterator[Trouble]:
    if listener.protocol == "tcp" and not listener.to:
        message = "a listener with protocol tcp needs a destination"
        yield Trouble(loc, "no_destination", message, "write to: <cluster>")
    elif listener.protocol in _HTTP and listener.mesh is not None:
        return
    elif listener.protocol in _HTTP and not listener.routes and not listener.to:
        message = f"a listener with protocol {listener.protocol} needs routes"
        yield Trouble(loc, "no_destination", message, "write routes: [{to: <cluster>}]")
    elif not listener.to and not listener.routes:
        message = f"a listener with protocol {listener.protocol} needs routes or a destination"
        hint = "write to: <cluster>, or routes: [{match: {sni: example.com}, to: <cluster>}]"
        yield Trouble(loc, "no_destination", message, hint)


def _route(listener: Listener, route: Route, loc: Loc) -> Iterator[Trouble]:
    given = route.match.model_fields_set
    if "sni" not in given:
        if listener.protocol == "tls-passthrough":
            hint = "write match: {sni: example.com}; a default stands in the listener's to"
            message = "a route of tls-passthrough matches by sni"
            yield Trouble(loc, "no_sni", message, hint)
        return
    at = (*loc, "match", "sni")
    if listener.protocol in _HTTP:
        hint = "match host instead, or protocol: tls-passthrough or auto"
        message = "an http listener does not route by sni"
        yield Trouble(at, "key_not_allowed", message, hint, at_key=True)
    for key in sorted(given - {"sni"}):
        hint = "make it two routes"
        message = f"a route by sni can't also match {key}: it ends before any head is read"
        yield Trouble((*loc, "match", key), "key_not_allowed", message, hint, at_key=True)
    if not route.match.sni:
        yield Trouble(at, "no_sni", "no server name", "write for example sni: example.com")
    for key in sorted(route.model_fields_set - _OF_BYTES):
        message = f"a route by sni has no {key!r}: it passes bytes and ends before any head is read"
        yield Trouble((*loc, key), "key_not_allowed", message, "leave it out", at_key=True)
    yield from _targets_of_bytes(route.to, (*loc, "to"))


# What a route by server name can have.
_OF_BYTES = frozenset({"name", "match", "to", "timeout", "response_header_timeout"})

_PARTS_OF_KEYS = ("header", "cookie", "source_address", "query")


def _hash_on(route: Route, loc: Loc) -> Iterator[Trouble]:
    for index, part in enumerate(route.hash_on):
        given = [key for key in _PARTS_OF_KEYS if getattr(part, key)]
        at = (*loc, "hash_on", index)
        if not given:
            message = f"a part of a key is one of {', '.join(_PARTS_OF_KEYS)}"
            yield Trouble(at, "one_of", message, "write for example header: x-user")
        for key in given[1:]:
            message = f"a part of a key is one thing; this one is {' and '.join(given)}"
            hint = "make it two parts: they are combined in order"
            yield Trouble((*at, key), "one_of", message, hint, at_key=True)


_ACTIONS = ("to", "redirect", "direct_response")

# What changes nothing where no upstream is asked.
_OF_UPSTREAMS = ("rewrite", "request_headers", "hash_on", "session_affinity")


def _action(route: Route, loc: Loc) -> Iterator[Trouble]:
    given = [key for key in _ACTIONS if key in route.model_fields_set and getattr(route, key)]
    if not given:
        at = (*loc, "to") if "to" in route.model_fields_set else loc
        message = f"a route needs one of {', '.join(_ACTIONS)}"
        yield Trouble(at, "no_destination", message, "write to: <cluster>")
    for key in given[1:]:
        message = f"a route has one of {', '.join(_ACTIONS)}; this one has {' and '.join(given)}"
        yield Trouble((*loc, key), "one_of", message, "keep one of them", at_key=True)
    if given and given[0] != "to":
        for key in _OF_UPSTREAMS:
            if getattr(route, key):
                message = f"a route with {given[0]} has no {key!r}: it asks no upstream"
                yield Trouble((*loc, key), "key_not_allowed", message, "leave it out", at_key=True)


def _targets_of_bytes(targets: tuple[Target, ...], loc: Loc) -> Iterator[Trouble]:
    for index, target in enumerate(targets):
        for key in sorted(target.model_fields_set - {"cluster", "weight"}):
            message = f"a target of bytes has no {key!r}: no head is read"
            at = (*loc, index, key)
            yield Trouble(at, "key_not_allowed", message, "leave it out", at_key=True)


def _targets(targets: tuple[Target, ...], loc: Loc, names: Collection[str]) -> Iterator[Trouble]:
    for index, target in enumerate(targets):
        yield from _known(target.cluster, (*loc, index, "cluster"), names)
    if targets and not any(target.weight for target in targets):
        message = "every weight is 0, so nothing can be chosen"
        yield Trouble(loc, "no_weight", message, "give one cluster a weight of 1 or more")


def _known(cluster: str, loc: Loc, names: Collection[str]) -> Iterator[Trouble]:
    if cluster not in names:
        hint = did_you_mean(cluster, names) or "name it under clusters"
        yield Trouble(loc, "unknown_cluster", f"there is no cluster {cluster!r}", hint)


def _listener_tls(listener: Listener, loc: Loc) -> Iterator[Trouble]:
    tls = listener.tls
    if tls is None:
        return
    at = (*loc, "tls")
    if tls.certificates and (tls.certificate is not None or tls.key is not None):
        message = "has both certificate and certificates"
        hint = "put every pair into certificates"
        yield Trouble((*at, "certificates"), "one_of", message, hint, at_key=True)
    elif not tls.certificates:
        yield from _pair(tls.certificate, tls.key, at)
        if tls.certificate is None and tls.key is None:
            hint = "write certificate: web.pem and key: web.key"
            yield Trouble(at, "missing_key", "TLS needs a certificate", hint)
    spoken = {"http": _HTTP_NAMES, "http2": frozenset({"h2"})}.get(listener.protocol)
    if spoken is not None and tls.alpn and spoken.isdisjoint(tls.alpn):
        message = f"an {listener.protocol} listener speaks none of these: clients could not agree"
        hint = f"add {' or '.join(sorted(spoken))}, or leave alpn out"
        yield Trouble((*at, "alpn"), "alpn_unusable", message, hint)


def check_cluster(cluster: Cluster, loc: Loc) -> Iterator[Trouble]:
    """All that is wrong with one cluster."""
    if cluster.tls is not None:
        yield from _pair(cluster.tls.certificate, cluster.tls.key, (*loc, "tls"))
    if cluster.protocol != "http1":
        yield from _http2(cluster, loc)
    if cluster.dns.min_ttl > cluster.dns.max_ttl:
        message = "min_ttl is longer than max_ttl"
        yield Trouble((*loc, "dns"), "invalid_range", message, "swap them")


def _http2(cluster: Cluster, loc: Loc) -> Iterator[Trouble]:
    protocol = cluster.protocol
    if cluster.proxy_protocol is not None:
        message = (
            f"a cluster with protocol {protocol} has no 'proxy_protocol': "
            "one connection carries the requests of many clients"
        )
        hint = "leave one of them out; X-Forwarded-For names the client"
        yield Trouble((*loc, "proxy_protocol"), "key_not_allowed", message, hint, at_key=True)
    names = cluster.tls.alpn if cluster.tls is not None else ()
    if protocol != "auto" and names and "h2" not in names:
        message = f"with protocol {protocol} the endpoint must be able to agree on h2"
        hint = "add h2, or leave alpn out"
        yield Trouble((*loc, "tls", "alpn"), "alpn_unusable", message, hint)


def _pair(certificate: str | None, key: str | None, loc: Loc) -> Iterator[Trouble]:
    if certificate is not None and key is None:
        message = "the certificate has no key"
        yield Trouble((*loc, "certificate"), "missing_key", message, "name its PEM file as key")
    elif key is not None and certificate is None:
        message = "the key has no certificate"
        hint = "name its PEM file as certificate"
        yield Trouble((*loc, "key"), "missing_key", message, hint)
