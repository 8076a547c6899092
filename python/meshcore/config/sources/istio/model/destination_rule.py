"""DestinationRule: what happens to requests once their service is chosen."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.destination import PortSelector
from meshcore.config.sources.istio.model.load_balancer import LoadBalancer
from meshcore.config.sources.istio.model.metadata import Kind, NetworkingVersion
from meshcore.config.sources.istio.model.scalars import Duration, Integer, Number
from meshcore.config.sources.istio.model.support import Inside, Read, Refused, To


class TcpKeepalive(Part):
    """Probes of idle connections."""

    probes: Annotated[Integer, To("cluster.tcp_keepalive.probes")] = 0
    time: Annotated[Duration | None, To("cluster.tcp_keepalive.time")] = None
    interval: Annotated[Duration | None, To("cluster.tcp_keepalive.interval")] = None


class TcpPool(Part):
    """Bounds of connections."""

    maxConnections: Annotated[Integer, To("cluster.limits.max_connections")] = 0
    connectTimeout: Annotated[Duration | None, To("cluster.timeouts.connect")] = None
    tcpKeepalive: Annotated[TcpKeepalive | None, To("cluster.tcp_keepalive")] = None
    maxConnectionDuration: Annotated[
        Duration | None, To("cluster.pool.max_age", "of pooled connections")
    ] = None
    idleTimeout: Annotated[Duration | None, To("cluster.timeouts.idle")] = None


class Http2KeepAlive(Part):
    """Pings on idle connections."""

    interval: Annotated[Duration | None, To("cluster.http2.keepalive_interval")] = None
    timeout: Annotated[Duration | None, To("cluster.http2.keepalive_timeout")] = None


class HttpPool(Part):
    """Bounds of requests."""

    http1MaxPendingRequests: Annotated[Integer, To("cluster.limits.max_pending_requests")] = 0
    http2MaxRequests: Annotated[Integer, To("cluster.limits.max_requests")] = 0
    maxRequestsPerConnection: Annotated[Integer, To("cluster.pool.max_requests")] = 0
    maxRetries: Annotated[Integer, To("cluster.limits.max_retries")] = 0
    idleTimeout: Annotated[Duration | None, To("cluster.timeouts.idle")] = None
    h2UpgradePolicy: Annotated[
        Literal["DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"], To("cluster.protocol")
    ] = "DEFAULT"
    useClientProtocol: Annotated[StrictBool, To("cluster.protocol")] = False
    maxConcurrentStreams: Annotated[Integer, To("cluster.http2.max_concurrent_streams")] = 0
    http2KeepAlive: Annotated[Http2KeepAlive | None, Inside()] = None


class ConnectionPool(Part):
    """Bounds; 0 is none."""

    tcp: Annotated[TcpPool | None, Inside()] = None
    http: Annotated[HttpPool | None, Inside()] = None


class OutlierDetection(Part):
    """When an endpoint is left out for a while."""

    consecutive5xxErrors: Annotated[
        Integer | None, To("cluster.outlier_detection.consecutive_5xx")
    ] = None
    consecutiveErrors: Annotated[
        Integer | None,
        To(
            "cluster.outlier_detection.consecutive_gateway_failure",
            "deprecated: consecutiveGatewayErrors",
        ),
    ] = None
    consecutiveGatewayErrors: Annotated[
        Integer | None, To("cluster.outlier_detection.consecutive_gateway_failure")
    ] = None
    splitExternalLocalOriginErrors: Annotated[
        StrictBool, To("cluster.outlier_detection.split_external_local_origin_errors")
    ] = False
    consecutiveLocalOriginFailures: Annotated[
        Integer | None, To("cluster.outlier_detection.consecutive_local_origin_failure")
    ] = None
    interval: Annotated[Duration | None, To("cluster.outlier_detection.interval")] = None
    baseEjectionTime: Annotated[
        Duration | None, To("cluster.outlier_detection.base_ejection_time")
    ] = None
    maxEjectionPercent: Annotated[
        Integer | None, To("cluster.outlier_detection.max_ejection_percent")
    ] = None
    minHealthPercent: Annotated[Integer | None, To("cluster.panic_threshold")] = None
    outlierDetectionHttpErrorCodes: Annotated[
        tuple[Integer, ...], To("cluster.outlier_detection.status_codes")
    ] = ()


class ClientTls(Part):
    """TLS towards the endpoints."""

    mode: Annotated[
        Literal["DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"] | None,
        To("cluster.tls", "ISTIO_MUTUAL is refused: there are no mesh certificates yet"),
    ] = None
    clientCertificate: Annotated[StrictStr, To("cluster.tls.certificate")] = ""
    privateKey: Annotated[StrictStr, To("cluster.tls.key")] = ""
    caCertificates: Annotated[StrictStr, To("cluster.tls.ca")] = ""
    caCrl: Annotated[StrictStr, Refused("revocation lists are not looked at yet")] = ""
    credentialName: Annotated[
        StrictStr, Refused("there is no store of secrets: name files instead")
    ] = ""
    subjectAltNames: Annotated[
        tuple[StrictStr, ...],
        To("cluster.tls.server_name", "one DNS name; with sni it must be that name"),
    ] = ()
    sni: Annotated[StrictStr, To("cluster.tls.server_name")] = ""
    insecureSkipVerify: Annotated[
        StrictBool | None, Refused("whoever is not verified could be anyone")
    ] = None


class Tunnel(Part):
    """Connections inside of CONNECT."""

    protocol: Annotated[StrictStr, Refused("no tunnels yet")] = ""
    targetHost: Annotated[StrictStr, Refused("no tunnels yet")] = ""
    targetPort: Annotated[Integer, Refused("no tunnels yet")] = 0


class ProxyProtocol(Part):
    """A PROXY header before each connection's first byte."""

    version: Annotated[Literal["V1", "V2"], To("cluster.proxy_protocol")] = "V1"


class RetryBudget(Part):
    """Which share of the requests may be retries."""

    percent: Annotated[Number, To("cluster.retry_budget.percent")] = 20
    minRetryConcurrency: Annotated[Integer, To("cluster.retry_budget.min_concurrency")] = 3
    budgetInterval: Annotated[
        Duration | None, To("cluster.retry_budget.interval", "0s is the default")
    ] = None


class PortPolicy(Part):
    """Replaces four blocks of the policy for one port."""

    port: Annotated[PortSelector, Inside()]
    loadBalancer: Annotated[LoadBalancer | None, Inside()] = None
    connectionPool: Annotated[ConnectionPool | None, Inside()] = None
    outlierDetection: Annotated[OutlierDetection | None, To("cluster.outlier_detection")] = None
    tls: Annotated[ClientTls | None, Inside()] = None


class TrafficPolicy(Part):
    """What applies to a service or a subset."""

    loadBalancer: Annotated[LoadBalancer | None, Inside()] = None
    connectionPool: Annotated[ConnectionPool | None, Inside()] = None
    outlierDetection: Annotated[OutlierDetection | None, To("cluster.outlier_detection")] = None
    tls: Annotated[ClientTls | None, Inside()] = None
    portLevelSettings: Annotated[
        tuple[PortPolicy, ...], Field(max_length=4096), Inside("replaces the four blocks")
    ] = ()
    tunnel: Annotated[Tunnel | None, Refused("no tunnels yet")] = None
    proxyProtocol: Annotated[ProxyProtocol | None, Inside()] = None
    retryBudget: Annotated[RetryBudget | None, To("cluster.retry_budget")] = None


class Subset(Part):
    """Endpoints of a service by their labels."""

    name: Annotated[StrictStr, Read("part of the cluster's name")]
    labels: Annotated[dict[StrictStr, StrictStr], Read("an endpoint must have them all")] = Field(
        default_factory=dict
    )
    trafficPolicy: Annotated[TrafficPolicy | None, Inside("each block replaces the service's")] = (
        None
    )


class WorkloadSelector(Part):
    """Workloads by their labels."""

    matchLabels: Annotated[dict[StrictStr, StrictStr], Read("labels of the listener")] = Field(
        default_factory=dict
    )


class DestinationRuleSpec(Part):
    """What a DestinationRule says."""

    host: Annotated[StrictStr, Field(min_length=1), Read("the service")]
    trafficPolicy: Annotated[TrafficPolicy | None, Inside()] = None
    subsets: Annotated[tuple[Subset, ...], Inside("a cluster of each that a route names")] = ()
    exportTo: Annotated[tuple[StrictStr, ...], Read("which mesh.namespace sees it")] = ()
    workloadSelector: Annotated[
        WorkloadSelector | None, Inside("listeners of its own namespace")
    ] = None


class DestinationRule(Kind):
    """What happens to requests once their service is chosen."""

    apiVersion: Annotated[NetworkingVersion, Read("all served versions have one form")]
    kind: Annotated[Literal["DestinationRule"], Read("the kind")]
    spec: Annotated[DestinationRuleSpec, Inside()]
