"""A traffic policy as the keys of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.model.destination_rule import (
    ClientTls,
    ConnectionPool,
    HttpPool,
    OutlierDetection,
    ProxyProtocol,
    RetryBudget,
    TcpPool,
)
from meshcore.config.sources.istio.model.load_balancer import LoadBalancer
from meshcore.config.sources.istio.model.scalars import milliseconds
from meshcore.config.sources.istio.translate.clusters.load_balancer import put_load_balancer
from meshcore.config.sources.istio.translate.names import is_ip

if TYPE_CHECKING:
    from datetime import timedelta

    from meshcore.config.model.base import Part
    from meshcore.config.sources.istio.translate.clusters.registry import Service
    from meshcore.config.sources.istio.translate.made import Made
    from meshcore.config.sources.merged import At


def put_policy(made: Made, blocks: dict[str, tuple[Part, At]], service: Service) -> None:
    """Write every block into the cluster."""
    # What Istio does without a word.
    made.put("balance", "least_request")
    for block, at in blocks.values():
        match block:
            case ConnectionPool():
                _connection_pool(made, block, at)
            case LoadBalancer():
                put_load_balancer(made, block, at)
            case OutlierDetection():
                _outlier_detection(made, block, at)
            case ClientTls():
                _tls(made, block, service, at)
            case ProxyProtocol():
                made.put("proxy_protocol", block.version.lower(), at)
            case RetryBudget():
                _retry_budget(made, block, at)
            case _:
                raise TypeError(type(block).__name__)


def _connection_pool(made: Made, pool: ConnectionPool, at: At) -> None:
    if pool.tcp is not None:
        _tcp_pool(made, pool.tcp, at / "tcp")
    if pool.http is not None:
        _http_pool(made, pool.http, at / "http")


def _tcp_pool(made: Made, tcp: TcpPool, at: At) -> None:
    made.put("limits.max_connections", tcp.maxConnections or None, at / "maxConnections")
    _duration(made, "timeouts.connect", tcp.connectTimeout, at / "connectTimeout")
    _duration(made, "timeouts.idle", tcp.idleTimeout, at / "idleTimeout")
    _duration(made, "pool.max_age", tcp.maxConnectionDuration, at / "maxConnectionDuration")
    if (keepalive := tcp.tcpKeepalive) is not None:
        here = at / "tcpKeepalive"
        made.put("tcp_keepalive", {}, here)
        made.put("tcp_keepalive.probes", keepalive.probes or None, here / "probes")
        _duration(made, "tcp_keepalive.time", keepalive.time, here / "time")
        _duration(made, "tcp_keepalive.interval", keepalive.interval, here / "interval")


def _http_pool(made: Made, http: HttpPool, at: At) -> None:
    bounds = {
        "limits.max_pending_requests": "http1MaxPendingRequests",
        "limits.max_requests": "http2MaxRequests",
        "limits.max_retries": "maxRetries",
        "pool.max_requests": "maxRequestsPerConnection",
        "http2.max_concurrent_streams": "maxConcurrentStreams",
    }
    for key, name in bounds.items():
        made.put(key, getattr(http, name) or None, at / name)
    # After tcp.idleTimeout, which it stands before.
    _duration(made, "timeouts.idle", http.idleTimeout, at / "idleTimeout")
    if http.h2UpgradePolicy == "UPGRADE":
        made.put("protocol", "http2", at / "h2UpgradePolicy")
    if http.useClientProtocol:
        made.put("protocol", "same", at / "useClientProtocol")
    if (keepalive := http.http2KeepAlive) is not None:
        here = at / "http2KeepAlive"
        _duration(made, "http2.keepalive_interval", keepalive.interval, here / "interval")
        _duration(made, "http2.keepalive_timeout", keepalive.timeout, here / "timeout")


def _outlier_detection(made: Made, outlier: OutlierDetection, at: At) -> None:
    made.put("outlier_detection", {}, at)
    # Places count as soon as something finds failing endpoints, unless a rule says otherwise.
    if not made.has("locality"):
        made.put("locality", {})
    counts = {
        "consecutive_5xx": "consecutive5xxErrors",
        "consecutive_local_origin_failure": "consecutiveLocalOriginFailures",
        "max_ejection_percent": "maxEjectionPercent",
    }
    for key, name in counts.items():
        made.put(f"outlier_detection.{key}", getattr(outlier, name), at / name)
    for name in ("consecutiveErrors", "consecutiveGatewayErrors"):
        gateway = getattr(outlier, name)
        made.put("outlier_detection.consecutive_gateway_failure", gateway, at / name)
    _duration(made, "outlier_detection.interval", outlier.interval, at / "interval")
    ejection = outlier.baseEjectionTime
    _duration(made, "outlier_detection.base_ejection_time", ejection, at / "baseEjectionTime")
    if outlier.splitExternalLocalOriginErrors:
        key = "outlier_detection.split_external_local_origin_errors"
        made.put(key, True, at / "splitExternalLocalOriginErrors")
    if outlier.outlierDetectionHttpErrorCodes:
        codes = list(outlier.outlierDetectionHttpErrorCodes)
        key = "outlier_detection.status_codes"
        made.put(key, [*codes], at / "outlierDetectionHttpErrorCodes")
    made.put("panic_threshold", outlier.minHealthPercent, at / "minHealthPercent")


def _tls(made: Made, tls: ClientTls, service: Service, at: At) -> None:
    if tls.mode not in {"SIMPLE", "MUTUAL"}:
        return
    made.put("tls", {}, at)
    made.put("tls.ca", tls.caCertificates or None, at / "caCertificates")
    made.put("tls.certificate", tls.clientCertificate or None, at / "clientCertificate")
    made.put("tls.key", tls.privateKey or None, at / "privateKey")
    names = tls.subjectAltNames or service.entry.value.spec.subjectAltNames
    own = service.host
    if tls.sni:
        made.put("tls.server_name", tls.sni, at / "sni")
    elif names:
        made.put("tls.server_name", names[0], at / "subjectAltNames")
    elif not own.startswith("*") and not is_ip(own):
        made.put("tls.server_name", own, at)


def _retry_budget(made: Made, budget: RetryBudget, at: At) -> None:
    made.put("retry_budget", {}, at)
    made.put("retry_budget.percent", budget.percent, at / "percent")
    concurrency = budget.minRetryConcurrency
    made.put("retry_budget.min_concurrency", concurrency, at / "minRetryConcurrency")
    _duration(made, "retry_budget.interval", budget.budgetInterval, at / "budgetInterval")


def _duration(made: Made, key: str, value: timedelta | None, at: At) -> None:
    if value is not None:
        made.put(key, milliseconds(value), at)
