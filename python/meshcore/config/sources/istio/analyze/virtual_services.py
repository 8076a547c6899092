"""What users of VirtualServices trip on: conflicts, prefixes, weights, retries, faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.names import (
    MESH,
    full_name,
    selects,
)

if TYPE_CHECKING:
    from meshcore.config.sources.istio.analyze.finding import Analysis
    from meshcore.config.sources.istio.model import VirtualService
    from meshcore.config.sources.istio.model.virtual_service import HttpRule
    from meshcore.config.sources.istio.objects import Object
    from meshcore.config.sources.merged import At

# They say nothing about whether a request was processed.
_DOUBTFUL = frozenset({"5xx", "gateway-error", "reset", "retriable-4xx", "deadline-exceeded"})
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
_WHOLE = 100


def virtual_services(analysis: Analysis) -> None:
    """Look at each."""
    _conflicts(analysis)
    for service in analysis.objects.virtual_services:
        _reach(analysis, service)
        for index, rule in enumerate(service.value.spec.http):
            at = service / "http" / index
            _matches(analysis, service, rule, at)
            _weights(analysis, service, rule, at)
            _retries(analysis, service, rule, at)
            _fault(analysis, service, rule, at)
            _rewrite(analysis, service, rule, at)


def in_mesh(service: Object[VirtualService]) -> bool:
    """Whether it is for calls within the mesh."""
    spec = service.value.spec
    return bool(spec.hosts) and MESH in (spec.gateways or (MESH,))


def _conflicts(analysis: Analysis) -> None:
    first: dict[str, Object[VirtualService]] = {}
    for service in analysis.objects.virtual_services:
        if not in_mesh(service):
            continue
        for index, host in enumerate(service.value.spec.hosts):
            name = full_name(host, service.value.namespace)
            older = first.setdefault(name, service)
            if older is not service and _meet(older, service):
                message = (
                    f"VirtualService {older.value.namespace}/{older.value.name} has {name} too"
                )
                message += ", and is the older one: it applies"
                analysis.find("IST0109", service, service / "hosts" / index, message)


def _meet(one: Object[VirtualService], other: Object[VirtualService]) -> bool:
    """Whether a namespace sees both."""
    seen = []
    for service in (one, other):
        names = service.value.spec.exportTo or ("*",)
        seen.append({service.value.namespace if name == "." else name for name in names})
    return "*" in seen[0] | seen[1] or bool(seen[0] & seen[1])


def _reach(analysis: Analysis, service: Object[VirtualService]) -> None:
    """Whom it is for: listeners of the mesh, gateways, or nobody."""
    spec = service.value.spec
    outbound = [client for client in analysis.clients if client.traffic == "outbound"]
    if in_mesh(service) and not outbound and not spec.gateways:
        message = "no listener has mesh: outbound"
        analysis.find("MC0019", service, service.at / "metadata" / "name", message)
    if not spec.hosts or in_mesh(service) or not outbound:
        return
    for index, host in enumerate(spec.hosts):
        if analysis.registry.find(host, service.value.namespace) is not None:
            message = f"calls to {host} from within the mesh do not follow it"
            analysis.find("MC0002", service, service / "hosts" / index, message)


def _matches(analysis: Analysis, service: Object[VirtualService], rule: HttpRule, at: At) -> None:
    clients = [client for client in analysis.clients if client.traffic == "outbound"]
    exact = {match.uri.exact for match in rule.match if match.uri is not None}
    for index, match in enumerate(rule.match):
        place = at / "match" / index
        prefix = match.uri.prefix if match.uri is not None else None
        if prefix and not prefix.endswith("/") and prefix not in exact:
            message = f"{prefix!r} matches {prefix + 'x'!r} too"
            analysis.find("MC0001", service, place / "uri" / "prefix", message)
        if not match.sourceLabels and not match.sourceNamespace:
            continue
        meant = [
            client
            for client in clients
            if selects(match.sourceLabels, client.labels)
            and match.sourceNamespace in {"", client.namespace}
        ]
        if not meant:
            key = "sourceLabels" if match.sourceLabels else "sourceNamespace"
            message = f"no mesh: outbound listener has this {key}"
            analysis.find("MC0008", service, place / key, message)


def _weights(analysis: Analysis, service: Object[VirtualService], rule: HttpRule, at: At) -> None:
    total = sum(target.weight for target in rule.route)
    if len(rule.route) > 1 and total not in {0, _WHOLE}:
        analysis.find("MC0016", service, at / "route", f"the weights sum to {total}")
    elif len(rule.route) == 1 and rule.route[0].weight not in {0, _WHOLE}:
        message = f"a single destination gets everything, not {rule.route[0].weight} %"
        analysis.find("MC0016", service, at / "route" / 0 / "weight", message)


def _retries(analysis: Analysis, service: Object[VirtualService], rule: HttpRule, at: At) -> None:
    if rule.retries is None or rule.retries.attempts == 0:
        return
    words = {word.strip() for word in rule.retries.retryOn.split(",") if word.strip()}
    doubtful = sorted(word for word in words if word in _DOUBTFUL or word.isdigit())
    methods = [match.method.exact if match.method is not None else None for match in rule.match]
    safe = bool(methods) and all(method in _IDEMPOTENT for method in methods)
    if doubtful and not safe:
        message = f"{', '.join(doubtful)}: not for a POST, which may have been processed"
        analysis.find("MC0012", service, at / "retries" / "retryOn", message)


def _fault(analysis: Analysis, service: Object[VirtualService], rule: HttpRule, at: At) -> None:
    fault = rule.fault
    if fault is None:
        return
    for name in ("timeout", "retries"):
        if getattr(rule, name) is not None:
            message = f"{name} does not apply to a rule with fault"
            analysis.find("MC0013", service, at / name, message)
    place = at / "fault"
    if fault.delay is not None and not fault.delay.percentage and not fault.delay.percent:
        analysis.find("MC0014", service, place / "delay", "without percentage it never happens")
    if fault.abort is not None and not fault.abort.percentage:
        analysis.find("MC0014", service, place / "abort", "without percentage it never happens")


def _rewrite(analysis: Analysis, service: Object[VirtualService], rule: HttpRule, at: At) -> None:
    if rule.rewrite is not None and rule.rewrite.uri:
        new, place = rule.rewrite.uri, at / "rewrite" / "uri"
    elif rule.redirect is not None and rule.redirect.prefixRewrite:
        new, place = rule.redirect.prefixRewrite, at / "redirect" / "prefixRewrite"
    else:
        return
    for match in rule.match:
        old = match.uri.prefix if match.uri is not None else None
        if old and old != "/" and not old.endswith("/") and new.endswith("/"):
            message = f"{old + '/x'} becomes {new + '/x'}"
            analysis.find("MC0017", service, place, message)
            return
