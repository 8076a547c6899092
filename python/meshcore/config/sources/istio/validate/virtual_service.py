"""Istio's rules on VirtualServices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.translate.names import MESH, intersection, is_ip
from meshcore.config.sources.istio.validate.hosts import (
    check_export_to,
    check_host,
    check_overlaps,
)
from meshcore.config.sources.istio.validate.http_match import http_match
from meshcore.config.sources.istio.validate.http_rule import http_rule
from meshcore.config.sources.istio.validate.route import check_targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model import VirtualService
    from meshcore.config.sources.istio.model.virtual_service import VirtualServiceSpec

_SPEC: Loc = ("spec",)


def virtual_service(found: VirtualService) -> Iterator[Trouble]:
    """All that is wrong with one."""
    spec = found.spec
    yield from _hosts(spec)
    yield from check_export_to(spec.exportTo, (*_SPEC, "exportTo"))
    if not (spec.http or spec.tls or spec.tcp):
        hint = "write http: [{route: [{destination: {host: reviews}}]}]"
        yield Trouble(_SPEC, "missing_key", "needs one of http, tls and tcp", hint)
    for index, rule in enumerate(spec.http):
        at = (*_SPEC, "http", index)
        yield from http_rule(rule, at, is_delegate=not spec.hosts)
        for number, match in enumerate(rule.match):
            in_mesh = MESH in (match.gateways or spec.gateways or (MESH,))
            yield from http_match(match, (*at, "match", number), in_mesh=in_mesh)
    for index, tls in enumerate(spec.tls):
        at = (*_SPEC, "tls", index)
        yield from check_targets(tls.route, (*at, "route"), required=True)
        for number, sni_match in enumerate(tls.match):
            yield from _sni(spec, sni_match.sniHosts, (*at, "match", number, "sniHosts"))
    for index, tcp in enumerate(spec.tcp):
        yield from check_targets(tcp.route, (*_SPEC, "tcp", index, "route"), required=True)


def _hosts(spec: VirtualServiceSpec) -> Iterator[Trouble]:
    at = (*_SPEC, "hosts")
    if not spec.hosts:
        for name in ("gateways", "tls", "tcp"):
            if getattr(spec, name):
                message = f"without hosts this is a delegate, which has no {name!r}"
                hint = "write hosts: […], or leave it out"
                yield Trouble((*_SPEC, name), "key_not_allowed", message, hint, at_key=True)
        return
    in_mesh = MESH in (spec.gateways or (MESH,))
    for index, host in enumerate(spec.hosts):
        if host == "*" and in_mesh:
            message = "* can't be a host of the mesh"
            hint = "name the hosts, or bind it to gateways alone: gateways: [my-gateway]"
            yield Trouble((*at, index), "invalid_host", message, hint)
        elif is_ip(host) and in_mesh:
            message = "an address can be a host at a gateway only"
            yield Trouble((*at, index), "invalid_host", message, "name the service")
        elif not is_ip(host):
            yield from check_host(host, (*at, index))
    yield from check_overlaps(spec.hosts, at)


def _sni(spec: VirtualServiceSpec, names: tuple[str, ...], loc: Loc) -> Iterator[Trouble]:
    for index, name in enumerate(names):
        yield from check_host(name, (*loc, index))
        hosts = [host.lower() for host in spec.hosts]
        if not any(intersection(name.lower(), host) == name.lower() for host in hosts):
            message = f"{name!r} is none of the object's hosts"
            hint = f"it has {', '.join(spec.hosts)}"
            yield Trouble((*loc, index), "invalid_host", message, hint)
