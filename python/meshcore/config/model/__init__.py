"""The native document as typed, immutable values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, StrictStr

from meshcore.config.model.action import (
    Cors,
    DirectResponse,
    HeaderEdits,
    Redirect,
    RegexRewrite,
    Rewrite,
)
from meshcore.config.model.adaptive import AdaptiveConcurrency, MinRttCalc
from meshcore.config.model.admin import DEFAULT_ADMIN, Admin, Drain
from meshcore.config.model.base import Part
from meshcore.config.model.cluster import (
    Cluster,
    ClusterTimeouts,
    ClusterTls,
    Dns,
    Endpoint,
    Hash,
    Pool,
    SlowStart,
    SubsetOf,
    TcpKeepalive,
)
from meshcore.config.model.fault import Abort, Delay, Fault
from meshcore.config.model.hash_on import HashCookie, HashOn
from meshcore.config.model.health_check import (
    GrpcCheck,
    HealthCheck,
    HttpCheck,
    Payload,
    TcpCheck,
)
from meshcore.config.model.hook import Hook, HookCache, HookUse
from meshcore.config.model.http2 import Http2
from meshcore.config.model.listener import (
    AccessLog,
    CertificateFiles,
    Http,
    Listener,
    ListenerLimits,
    ListenerTimeouts,
    ListenerTls,
    Mesh,
)
from meshcore.config.model.locality import (
    Distribute,
    Failover,
    Locality,
    LocalityName,
    ZoneAware,
)
from meshcore.config.model.match import Match, PathMatch, StringMatch
from meshcore.config.model.mirror import Mirror
from meshcore.config.model.overload import Overload, OverloadStages
from meshcore.config.model.priority import RoutePriority
from meshcore.config.model.rate_limit import Grpc, Rate, RateLimit, RateLimitService, Redis
from meshcore.config.model.resilience import (
    Breaker,
    EndpointLimits,
    Limits,
    OutlierDetection,
)
from meshcore.config.model.retries import BackOff, Hedge, Retries, RetryBudget
from meshcore.config.model.route import Route, Target
from meshcore.config.model.session_affinity import SessionAffinity, SessionCookie
from meshcore.config.model.step import Step
from meshcore.config.model.tcp_fault import Bandwidth, TcpDelay, TcpFault, TcpReset
from meshcore.config.origin import Origin

__all__ = [
    "DEFAULT_ADMIN",
    "Abort",
    "AccessLog",
    "AdaptiveConcurrency",
    "Admin",
    "BackOff",
    "Bandwidth",
    "Breaker",
    "CertificateFiles",
    "Cluster",
    "ClusterTimeouts",
    "ClusterTls",
    "Config",
    "Cors",
    "Delay",
    "DirectResponse",
    "Distribute",
    "Dns",
    "Drain",
    "Endpoint",
    "EndpointLimits",
    "Failover",
    "Fault",
    "Grpc",
    "GrpcCheck",
    "Hash",
    "HashCookie",
    "HashOn",
    "HeaderEdits",
    "HealthCheck",
    "Hedge",
    "Hook",
    "HookCache",
    "HookUse",
    "Http",
    "Http2",
    "HttpCheck",
    "Limits",
    "Listener",
    "ListenerLimits",
    "ListenerTimeouts",
    "ListenerTls",
    "Locality",
    "Match",
    "Mesh",
    "MinRttCalc",
    "Mirror",
    "OutlierDetection",
    "Overload",
    "OverloadStages",
    "Part",
    "PathMatch",
    "Payload",
    "Pool",
    "Rate",
    "RateLimit",
    "RateLimitService",
    "Redirect",
    "Redis",
    "RegexRewrite",
    "Retries",
    "RetryBudget",
    "Rewrite",
    "Route",
    "RoutePriority",
    "SessionAffinity",
    "SessionCookie",
    "SlowStart",
    "StringMatch",
    "SubsetOf",
    "Target",
    "TcpCheck",
    "TcpDelay",
    "TcpFault",
    "TcpKeepalive",
    "TcpReset",
    "ZoneAware",
]


_AdminInput = Literal[False, "none"] | Admin


def _off(value: object) -> object:
    return {"address": None} if value is False or value == "none" else value


class Config(Part):
    """A complete configuration: the native document.

    Build it from a file with `meshcore.load`, or here: `Config(listeners=[…], clusters=[…])` takes
    the parts or what a document would hold. It is immutable; `model_copy(update=…)` and
    `with_endpoints` make changed ones, and an `apply` then costs only what differs.
    """

    listeners: tuple[Listener, ...] = ()
    """Addresses that accept."""
    clusters: tuple[Cluster, ...] = ()
    """Where it goes."""
    rate_limit_services: tuple[RateLimitService, ...] = ()
    """Who counts requests for several proxies."""
    hooks: tuple[Hook, ...] = ()
    """Policy that users write; listeners and routes name what they use of it."""
    admin: Annotated[Admin, BeforeValidator(_off, json_schema_input_type=_AdminInput)] | None = None
    """The admin endpoints; `false` switches them off, left out they listen on 127.0.0.1:15000."""
    drain: Drain = Drain.empty()
    """How the proxy ends."""
    overload: Overload | None = None
    """What the process may use, and what it refuses beyond; left out, any amount."""
    locality: LocalityName = ""
    """Where this proxy runs: `region/zone/subzone`; `meshcore proxy --locality` wins."""
    labels: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    """What this proxy is called by; a cluster's `locality.failover_priority` compares them."""

    _origin: Origin = PrivateAttr(default_factory=Origin)
    _step: Step = PrivateAttr(default_factory=Step)

    @property
    def origin(self) -> Origin:
        """Where it was read from; of use to place problems and to resolve file names."""
        return self._origin

    def read_from(self, origin: Origin) -> Config:
        """The same, read from there."""
        self._origin = origin
        return self

    @property
    def step(self) -> Step:
        """How its clusters came about, where `with_endpoints` made them."""
        return self._step

    def with_endpoints(self, cluster: str, endpoints: tuple[Endpoint | str, ...]) -> Config:
        """The same, but for the endpoints of one cluster.

        Raises:
            KeyError: There is no such cluster.
            pydantic.ValidationError: An address is not one.
        """
        group = tuple(
            Endpoint(address=item) if isinstance(item, str) else item for item in endpoints
        )
        for index, found in enumerate(self.clusters):
            if found.name == cluster:
                changed = found.model_copy(update={"endpoints": group})
                clusters = (*self.clusters[:index], changed, *self.clusters[index + 1 :])
                copy = self.model_copy(update={"clusters": clusters})
                copy._step = Step(self.clusters, clusters, index)
                return copy
        raise KeyError(cluster)
