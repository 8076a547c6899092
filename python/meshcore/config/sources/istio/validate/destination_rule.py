"""Istio's rules on DestinationRules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.validate.hosts import check_export_to, check_host, check_name
from meshcore.config.sources.istio.validate.load_balancer import load_balancer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model import DestinationRule
    from meshcore.config.sources.istio.model.destination_rule import (
        ClientTls,
        ConnectionPool,
        OutlierDetection,
        PortPolicy,
        TrafficPolicy,
    )

_WHOLE = 100
_LARGEST_REQUESTS = 1 << 29
_CODES = range(100, 600)


def destination_rule(found: DestinationRule) -> Iterator[Trouble]:
    """All that is wrong with one."""
    spec = found.spec
    at: Loc = ("spec",)
    yield from check_host(spec.host, (*at, "host"))
    yield from check_export_to(spec.exportTo, (*at, "exportTo"))
    if spec.trafficPolicy is not None:
        yield from _policy(spec.trafficPolicy, (*at, "trafficPolicy"))
    seen: dict[str, int] = {}
    for index, subset in enumerate(spec.subsets):
        here = (*at, "subsets", index)
        yield from check_name(subset.name, (*here, "name"), "subset")
        if seen.setdefault(subset.name, index) != index:
            message = f"{subset.name!r} is already the name of subsets[{seen[subset.name]}]"
            yield Trouble((*here, "name"), "duplicate_name", message, "names are single")
        if subset.trafficPolicy is not None:
            yield from _policy(subset.trafficPolicy, (*here, "trafficPolicy"))


def _policy(policy: TrafficPolicy, loc: Loc) -> Iterator[Trouble]:
    if not any(getattr(policy, name) for name in type(policy).model_fields):
        hint = "leave it out, or write for example loadBalancer: {simple: RANDOM}"
        yield Trouble(loc, "missing_key", "a traffic policy that says nothing", hint)
    yield from _blocks(policy, loc)
    for index, of_port in enumerate(policy.portLevelSettings):
        yield from _blocks(of_port, (*loc, "portLevelSettings", index))
    if (budget := policy.retryBudget) is not None:
        at = (*loc, "retryBudget")
        if not 0 <= budget.percent <= _WHOLE:
            yield Trouble((*at, "percent"), "invalid_range", "must be 0 to 100")


def _blocks(policy: TrafficPolicy | PortPolicy, loc: Loc) -> Iterator[Trouble]:
    if policy.loadBalancer is not None:
        yield from load_balancer(policy.loadBalancer, (*loc, "loadBalancer"))
    if policy.connectionPool is not None:
        yield from _pool(policy.connectionPool, (*loc, "connectionPool"))
    if policy.outlierDetection is not None:
        yield from _outlier(policy.outlierDetection, (*loc, "outlierDetection"))
    if policy.tls is not None:
        yield from _tls(policy.tls, (*loc, "tls"))


def _pool(pool: ConnectionPool, loc: Loc) -> Iterator[Trouble]:
    if pool.tcp is None and pool.http is None:
        yield Trouble(loc, "missing_key", "needs tcp or http", "leave it out")
    if pool.http is None:
        return
    at = (*loc, "http")
    if pool.http.useClientProtocol and pool.http.h2UpgradePolicy == "UPGRADE":
        message = "useClientProtocol and h2UpgradePolicy: UPGRADE contradict each other"
        yield Trouble((*at, "useClientProtocol"), "one_of", message, "keep one of them")
    if pool.http.maxRequestsPerConnection > _LARGEST_REQUESTS:
        message = f"must be at most {_LARGEST_REQUESTS}"
        yield Trouble((*at, "maxRequestsPerConnection"), "invalid_range", message)
    keepalive = pool.http.http2KeepAlive
    if keepalive is not None and not (keepalive.interval and keepalive.timeout):
        message = "needs both interval and timeout"
        yield Trouble((*at, "http2KeepAlive"), "missing_key", message)


def _outlier(outlier: OutlierDetection, loc: Loc) -> Iterator[Trouble]:
    for name in ("maxEjectionPercent", "minHealthPercent"):
        value = getattr(outlier, name)
        if value is not None and value > _WHOLE:
            yield Trouble((*loc, name), "invalid_range", f"{value} is not from 0 to 100")
    split = outlier.splitExternalLocalOriginErrors
    if outlier.consecutiveLocalOriginFailures and not split:
        message = "counts only with splitExternalLocalOriginErrors: true"
        at = (*loc, "consecutiveLocalOriginFailures")
        yield Trouble(at, "key_not_allowed", message, "add that", at_key=True)
    for name in ("interval", "baseEjectionTime"):
        value = getattr(outlier, name)
        if value is not None and not value:
            yield Trouble((*loc, name), "invalid_duration", "must be 1ms at least")
    for index, code in enumerate(outlier.outlierDetectionHttpErrorCodes):
        if code not in _CODES:
            at = (*loc, "outlierDetectionHttpErrorCodes", index)
            yield Trouble(at, "invalid_range", f"{code} is no status", "100 to 599")


def _tls(tls: ClientTls, loc: Loc) -> Iterator[Trouble]:
    if tls.mode is None:
        message = "without mode Istio takes tls for DISABLE: say what is meant"
        hint = "write mode: SIMPLE, MUTUAL or DISABLE"
        yield Trouble(loc, "missing_key", message, hint)
    elif tls.mode == "ISTIO_MUTUAL":
        message = "ISTIO_MUTUAL is not supported yet: there are no mesh certificates"
        hint = "write mode: MUTUAL with files"
        yield Trouble((*loc, "mode"), "not_supported", message, hint)
    elif tls.mode == "MUTUAL":
        for name in ("clientCertificate", "privateKey"):
            if not getattr(tls, name) and not tls.credentialName:
                message = f"MUTUAL needs {name}"
                yield Trouble(loc, "missing_key", message, f"name its PEM file as {name}")
    elif tls.clientCertificate or tls.privateKey:
        message = f"{tls.mode} has no certificate of its own"
        yield Trouble(loc, "key_not_allowed", message, "write mode: MUTUAL, or leave it out")
    yield from _names(tls, loc)


def _names(tls: ClientTls, loc: Loc) -> Iterator[Trouble]:
    names = {*tls.subjectAltNames, *([tls.sni] if tls.sni else [])}
    if any("://" in name for name in tls.subjectAltNames):
        message = "URIs as names are not supported yet: only DNS names are verified"
        yield Trouble((*loc, "subjectAltNames"), "not_supported", message)
    elif len(names) > 1:
        message = "the certificate can be held to one name only, which is sent as SNI too"
        hint = "keep one name, the same in sni and subjectAltNames"
        yield Trouble((*loc, "subjectAltNames"), "not_supported", message, hint)
