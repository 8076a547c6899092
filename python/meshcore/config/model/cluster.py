"""Clusters: a named group of endpoints and how to reach and choose among them."""

from __future__ import annotations

from datetime import timedelta
from math import isqrt
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
)

from meshcore.config.model.adaptive import AdaptiveConcurrency
from meshcore.config.model.base import Part
from meshcore.config.model.health_check import HealthCheck
from meshcore.config.model.http2 import Http2
from meshcore.config.model.locality import Locality
from meshcore.config.model.resilience import (
    Breaker,
    EndpointLimits,
    Limits,
    OutlierDetection,
)
from meshcore.config.model.retries import RetryBudget
from meshcore.config.model.units import Count, Duration, EndpointAddress, Name, Percent, refused


class Endpoint(Part):
    """One address of a cluster; a plain string is its `address`."""

    address: EndpointAddress
    """`127.0.0.1:9001`, `[::1]:9001`, `host.name:9001` or `unix:/path`."""
    weight: Annotated[StrictInt, Field(ge=1, le=0xFFFF)] = 1
    """The relative share, 1 to 65535."""
    locality: StrictStr = ""
    """`region/zone/subzone`."""
    labels: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    """What it is called by, `{version: v1}`."""
    priority: Annotated[StrictInt, Field(ge=0, le=128)] = 0
    """The lower comes first: others get what those can't take. From 0 to 128."""
    draining: StrictBool = False
    """`true`: it takes nothing new, but keeps the sessions that name it."""


class SubsetOf(Part):
    """Some of another cluster's endpoints."""

    cluster: Name
    """The cluster that has them."""
    labels: Annotated[dict[StrictStr, StrictStr], Field(min_length=1)]
    """An endpoint is in it that has all of these: `{version: v1}`."""


class ClusterTls(Part):
    """TLS towards the endpoints."""

    ca: StrictStr | None = None
    """A PEM file with the trusted roots; left out, the system's."""
    server_name: StrictStr | None = None
    """The name that the certificate must carry, and SNI; left out, the endpoint's host name."""
    certificate: StrictStr | None = None
    """A PEM file: the certificate that we show when asked."""
    key: StrictStr | None = None
    """A PEM file: its key."""
    alpn: tuple[StrictStr, ...] = ()
    """Protocol names offered, in order of preference; left out, those of the cluster's protocol."""


class ClusterTimeouts(Part):
    """Waits."""

    connect: Duration = timedelta(seconds=5)
    """For the TCP and TLS handshakes together."""
    idle: Duration = timedelta(seconds=60)
    """A pooled connection without a request is closed after this; `0s` is off."""


class Pool(Part):
    """Bounds of the connection pool."""

    max_idle: Count = 128
    """Idle connections kept for each endpoint and worker."""
    max_connections: Count = 0
    """Connections to one endpoint, over all workers; 0 is off. Beyond it: 503. A connection of
    HTTP/2 belongs to one worker, so allow one for each at least."""
    max_age: Duration = timedelta(0)
    """A connection is not used again when older than this, or up to an eighth less by chance;
    `0s` is off. One of HTTP/2 that is in use is replaced: the new one is there before the old one
    takes no more, and that ends with its last stream."""
    max_requests: Count = 0
    """Requests on one connection before it is closed; 0 is off."""


class Dns(Part):
    """How host names are resolved again: when their TTL ends, within these bounds."""

    min_ttl: Duration = timedelta(seconds=1)
    """Never sooner than this."""
    max_ttl: Duration = timedelta(seconds=60)
    """Never later than this; also the wait after a failure."""


class TcpKeepalive(Part):
    """Whether the kernel asks silent endpoints if they are still there (RFC 1122 §4.2.3.6)."""

    probes: Annotated[StrictInt, Field(ge=0, le=127)] = 0
    """Probes without an answer before the connection is given up; 0 is the system's."""
    time: Duration = timedelta(0)
    """Silence before the first probe, in whole seconds; `0s` is the system's."""
    interval: Duration = timedelta(0)
    """Between two probes, in whole seconds; `0s` is the system's."""


_RING_SIZE_MAX = 65_536
_TABLE_SIZE_MAX = 5_000_011
_LOAD_FACTOR_MAX = 1_000


def _prime(value: int) -> int:
    if value > 1 and all(value % divisor for divisor in range(2, isqrt(value) + 1)):
        return value
    raise refused("invalid_prime", f"{value} is not a prime number", "write for example 65537")


def _load_factor(value: float) -> float:
    if value == 0 or 1 <= value <= _LOAD_FACTOR_MAX:
        return value
    hint = "write for example 1.25, or 0 for no bound"
    raise refused("invalid_factor", f"{value:g} is neither 0 nor from 1 to 1000", hint)


def _above_zero(value: timedelta) -> timedelta:
    if not value:
        hint = "write for example 30s, or leave slow_start out"
        raise refused("timeout_zero", "nothing grows in 0s", hint)
    return value


class Hash(Part):
    """How keys are spread, with the balance `ring_hash` or `maglev`."""

    ring_size: Annotated[StrictInt, Field(ge=1, le=_RING_SIZE_MAX)] = 1_024
    """`ring_hash`: points on the ring of four endpoints, up to 65536. Each has a quarter of them,
    by its weight, however many endpoints there are."""
    table_size: Annotated[StrictInt, Field(le=_TABLE_SIZE_MAX), AfterValidator(_prime)] = 65_537
    """`maglev`: slots of the table, a prime up to 5000011; a hundred for each endpoint at least."""
    load_factor: Annotated[float, Field(strict=True), AfterValidator(_load_factor)] = 0
    """No endpoint gets more than this times the mean of active requests: from 1.0, for example
    1.25; what it can't take goes to the next place. 0 is off."""


class SlowStart(Part):
    """Endpoints that are new, or have come back, get their share of requests little by little."""

    window: Annotated[Duration, AfterValidator(_above_zero)] = timedelta(seconds=30)
    """After this the share is whole."""
    aggression: Annotated[StrictInt | StrictFloat, Field(ge=0.1, le=10)] = 1.0
    """The share is (time / window) ^ (1 / aggression): a straight line at 1.0, above it faster at
    first; 0.1 to 10."""
    min_weight_percent: Annotated[StrictInt, Field(ge=1, le=100)] = 10
    """What an endpoint gets from the beginning, of its weight."""


def _plain_is_address(value: object) -> object:
    return {"address": value} if isinstance(value, str) else value


EndpointItem = Annotated[
    Endpoint, BeforeValidator(_plain_is_address, json_schema_input_type=str | Endpoint)
]
"""An address, or `{address, weight, locality}`."""


class Cluster(Part):
    """A named group of endpoints."""

    name: Name
    """What routes call it."""
    protocol: Literal["http1", "http2", "auto", "same"] = "http1"
    """What is spoken to the endpoints of HTTP routes; `http2` needs no TLS, `auto` is what the
    endpoint chooses by ALPN (HTTP/1.1 without TLS), `same` is what the client spoke."""
    balance: Literal[
        "round_robin", "random", "least_request", "p2c_ewma", "ring_hash", "maglev"
    ] = "round_robin"
    """How an endpoint is chosen; `ring_hash` and `maglev` by the key of a route's `hash_on`."""
    hash: Hash = Hash.empty()
    """How keys are spread, with the balance `ring_hash` or `maglev`."""
    endpoints: tuple[EndpointItem, ...] = ()
    """Addresses, or `{address, weight, locality, labels}`; none answers 503."""
    locality: Locality | None = None
    """Which endpoints come first, by where they are; left out, places don't count."""
    subset_of: SubsetOf | None = None
    """In place of `endpoints`: those of another cluster that have certain labels. All else is this
    cluster's own."""
    tls: ClusterTls | None = None
    """TLS towards the endpoints."""
    timeouts: ClusterTimeouts = ClusterTimeouts.empty()
    """Waits."""
    pool: Pool = Pool.empty()
    """Bounds of the connection pool."""
    http2: Http2 = Http2.empty()
    """Bounds of HTTP/2 connections."""
    proxy_protocol: Literal["v1", "v2"] | None = None
    """A PROXY protocol header at the start of each connection; with `http1` only."""
    dns: Dns = Dns.empty()
    """How host names are resolved again."""
    limits: Limits | None = None
    """How much of the cluster may be in use at once; left out, nothing is limited."""
    endpoint_limits: EndpointLimits | None = None
    """How much of each endpoint may be in use at once."""
    breaker: Breaker | None = None
    """When requests are kept away from what fails; left out, never."""
    outlier_detection: OutlierDetection | None = None
    """When an endpoint is left out for a while; left out, never."""
    tcp_keepalive: TcpKeepalive | None = None
    """Whether the kernel asks silent endpoints if they are still there; left out, it doesn't."""
    retry_budget: RetryBudget = RetryBudget.empty()
    """How many requests may be retries at once."""
    health_checks: tuple[HealthCheck, ...] = ()
    """What every endpoint is asked, whether it has traffic or not; one that fails gets no requests.
    All must pass where there are several."""
    honor_retry_after: StrictBool = False
    """Whether an endpoint that answers 503 or 429 with `Retry-After`, or a gRPC call with
    `grpc-retry-pushback-ms`, is left alone for so long, at most 30s, while others are left. Off,
    since what one caller is told would hold for all."""
    slow_start: SlowStart | None = None
    """Endpoints that are new, or have come back, get their share little by little; not where a key
    decides."""
    adaptive_concurrency: AdaptiveConcurrency | None = None
    """How many requests it may work on at once, learned from how long it takes to answer; left out,
    any number."""
    panic_threshold: Percent = 0
    """Where less than this percentage of the endpoints is available, all are used; 0 is off, and a
    cluster without an available endpoint answers 503."""
