"""Istio's rules on ServiceEntries and WorkloadEntries."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.translate.clusters.registry import HTTP, TLS
from meshcore.config.sources.istio.validate.hosts import check_export_to, check_host, is_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model import ServiceEntry, WorkloadEntry
    from meshcore.config.sources.istio.model.service_entry import (
        ServiceEntrySpec,
        WorkloadEntrySpec,
    )

_NO_DESTINATION = {
    "NONE": "NONE sends each connection where it was headed",
    "DYNAMIC_DNS": "DYNAMIC_DNS resolves the name that each request has",
}
_BY_NAME = frozenset({"DNS", "DNS_ROUND_ROBIN"})


def service_entry(found: ServiceEntry) -> Iterator[Trouble]:
    """All that is wrong with one."""
    spec = found.spec
    at: Loc = ("spec",)
    for index, host in enumerate(spec.hosts):
        if host == "*":
            message = "* would be every host"
            yield Trouble((*at, "hosts", index), "invalid_host", message, "name them")
        else:
            yield from check_host(host, (*at, "hosts", index))
    yield from _addresses(spec, at)
    yield from _ports(spec, at)
    yield from _resolution(spec, at)
    yield from check_export_to(spec.exportTo, (*at, "exportTo"))
    for index, endpoint in enumerate(spec.endpoints):
        here = (*at, "endpoints", index)
        yield from _endpoint(endpoint, here, spec.resolution)
        names = {port.name for port in spec.ports}
        for name in endpoint.ports.keys() - names:
            hint = f"it has {', '.join(sorted(names))}"
            message = f"the service has no port {name!r}"
            yield Trouble((*here, "ports", name), "unknown_port", message, hint, at_key=True)


def workload_entry(found: WorkloadEntry) -> Iterator[Trouble]:
    """All that is wrong with one."""
    yield from _endpoint(found.spec, ("spec",), "STATIC" if _is_ip(found.spec.address) else "DNS")


def _addresses(spec: ServiceEntrySpec, loc: Loc) -> Iterator[Trouble]:
    for index, address in enumerate(spec.addresses):
        try:
            ipaddress.ip_network(address, strict=False)
        except ValueError:
            at = (*loc, "addresses", index)
            message = f"{address!r} is neither an address nor a CIDR"
            yield Trouble(at, "invalid_address", message, "names stand under hosts")


def _ports(spec: ServiceEntrySpec, loc: Loc) -> Iterator[Trouble]:
    if not spec.ports:
        hint = "write ports: [{number: 80, name: http, protocol: HTTP}]"
        yield Trouble(loc, "missing_key", "needs ports", hint)
    for key in ("number", "name"):
        seen: dict[object, int] = {}
        for index, port in enumerate(spec.ports):
            value = getattr(port, key)
            if value and seen.setdefault(value, index) != index:
                message = f"{value!r} is already the {key} of ports[{seen[value]}]"
                yield Trouble((*loc, "ports", index, key), "duplicate_name", message)
    plain = [
        index
        for index, port in enumerate(spec.ports)
        if port.protocol.upper() not in HTTP | TLS | {""}
    ]
    if len(spec.hosts) > 1 and plain and spec.resolution != "NONE":
        message = "connections without HTTP or TLS don't say which of several hosts they are for"
        at = (*loc, "ports", plain[0], "protocol")
        yield Trouble(at, "invalid_choice", message, "write a ServiceEntry for each host")


def _resolution(spec: ServiceEntrySpec, loc: Loc) -> Iterator[Trouble]:
    at = (*loc, "resolution")
    if (reason := _NO_DESTINATION.get(spec.resolution)) is not None:
        message = f"{reason}, which needs captured connections: not supported yet"
        yield Trouble(at, "not_supported", message, "write STATIC with endpoints, or DNS")
    if spec.endpoints and spec.workloadSelector is not None:
        message = "has both endpoints and workloadSelector"
        here = (*loc, "workloadSelector")
        yield Trouble(here, "one_of", message, "keep one of them", at_key=True)
    if spec.resolution == "STATIC" and not spec.endpoints and spec.workloadSelector is None:
        message = "STATIC needs endpoints or a workloadSelector"
        yield Trouble(at, "missing_key", message, "write endpoints: [{address: 127.0.0.1}]")
    if spec.resolution == "DNS_ROUND_ROBIN" and len(spec.endpoints) > 1:
        message = "DNS_ROUND_ROBIN takes one endpoint"
        yield Trouble((*loc, "endpoints"), "invalid_value", message, "write resolution: DNS")
    if spec.resolution in _BY_NAME and not spec.endpoints and spec.workloadSelector is None:
        for index, host in enumerate(spec.hosts):
            if host.startswith("*"):
                message = "a wildcard can't be resolved"
                hint = "name endpoints, or the hosts"
                yield Trouble((*loc, "hosts", index), "invalid_host", message, hint)


def _endpoint(endpoint: WorkloadEntrySpec, loc: Loc, resolution: str) -> Iterator[Trouble]:
    at = (*loc, "address")
    address = endpoint.address
    if not address:
        yield Trouble(loc, "missing_key", "needs an address", "write address: 127.0.0.1")
    elif address.startswith("unix://"):
        if endpoint.ports:
            yield Trouble((*loc, "ports"), "key_not_allowed", "a socket has no ports", at_key=True)
    elif not _is_ip(address) and (resolution not in _BY_NAME or not is_host(address)):
        message = f"{address!r} is no IP address"
        hint = "names need resolution: DNS" if is_host(address) else "write for example 127.0.0.1"
        yield Trouble(at, "invalid_address", message, hint)


def _is_ip(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
