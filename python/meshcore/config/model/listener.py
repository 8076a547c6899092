"""Listeners: an address that accepts, and what is done with what it accepts."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.model.hook import HookUses
from meshcore.config.model.http2 import Http2
from meshcore.config.model.route import Route, Targets
from meshcore.config.model.tcp_fault import TcpFault
from meshcore.config.model.units import Count, Duration, ListenAddress, Name, Size


class CertificateFiles(Part):
    """A certificate chain and its key."""

    certificate: StrictStr
    """A PEM file: the certificate, then its intermediates."""
    key: StrictStr
    """A PEM file: the certificate's key."""


def _version(value: object) -> object:
    return str(value) if isinstance(value, float) else value  # nobody quotes 1.3


class ListenerTls(Part):
    """TLS termination."""

    certificate: StrictStr | None = None
    """A PEM file: the certificate, then its intermediates."""
    key: StrictStr | None = None
    """A PEM file: the certificate's key."""
    certificates: tuple[CertificateFiles, ...] = ()
    """Several, chosen by server name and key type; the first is the default."""
    client_ca: StrictStr | None = None
    """A PEM file with the roots that clients must chain to; makes TLS mutual."""
    alpn: tuple[StrictStr, ...] = ()
    """Protocol names accepted, in order of preference; left out, those of the listener's protocol:
    for `http` they are `h2`, `http/1.1` and `http/1.0`."""
    min_version: Annotated[Literal["1.2", "1.3"], BeforeValidator(_version)] = "1.2"
    """The lowest version accepted."""
    session_resumption: Literal["on", "off"] = "on"
    """Tickets; they end with the trust configuration that issued them."""


class ListenerTimeouts(Part):
    """Waits; `0s` switches one off."""

    header: Duration = timedelta(seconds=10)
    """From a request's first byte to its head's end (408); also TLS handshake, PROXY header, and
    the acknowledgement of our HTTP/2 SETTINGS."""
    idle: Duration = timedelta(seconds=60)
    """A kept-alive connection without a request."""
    stream_idle: Duration = timedelta(minutes=5)
    """A request, response or TCP connection on which no byte moves (408 or 504)."""
    window_stall: Duration = timedelta(seconds=30)
    """An HTTP/2 stream whose receiver takes less than 16 KiB of what waits for it: a client's is
    reset, an endpoint's ends with 504."""
    max_connection_age: Duration = timedelta(0)
    """An HTTP connection older than this is told to end after what it carries; `0s` is off."""


class ListenerLimits(Part):
    """Bounds."""

    head_bytes: Size = 32 * 1024
    """Bytes of a head, request line included (431)."""
    head_count: Count = 100
    """Fields of a head (431)."""
    target_bytes: Size = 8 * 1024
    """Bytes of a request target (414)."""
    body_bytes: Size = 0
    """Bytes of a request body (413); 0 is off."""
    connections: Count = 0
    """Open connections over all workers; 0 is off. Beyond it: closed at once."""


class Http(Part):
    """How HTTP heads are treated."""

    trusted_hops: Count = 0
    """Proxies before us whose `X-Forwarded-*` we keep, counted from the right; 0 replaces them."""
    request_id: StrictBool = True
    """Make an `X-Request-Id` where none came, or one came from outside the trusted hops."""
    via: StrictStr | None = None
    """The pseudonym to add as `Via`; left out, none is added."""
    allow_connect: StrictBool = False
    """Accept CONNECT."""
    half_close: Literal["probe", "keep", "abort"] = "probe"
    """A client of HTTP/1 that ends its direction (FIN) before it has its answer may be gone, or
    wait for it. `probe` asks by an interim 100 and cancels the request of who is gone, and takes an
    end in a pause of the answer for the end of all; `keep` serves it until a reset comes; `abort`
    cancels at once, as `option abortonclose` of HAProxy does."""
    underscores: Literal["reject", "drop", "keep"] = "reject"
    """What happens to header names with an underscore: 400, the field is dropped, or it passes."""
    path_normalization: Literal["none", "base", "merge_slashes", "decode_and_merge_slashes"] = (
        "base"
    )
    """How paths are normalised before routing, after Istio's modes."""
    explain_errors: StrictBool = False
    """Name the response flag and the route in the answers that the proxy itself makes."""
    grpc_web: StrictBool = False
    """Bridge gRPC-Web, binary and text, to gRPC where the cluster speaks HTTP/2; to others it
    passes as it is."""


class AccessLog(Part):
    """Where a line for each request goes."""

    path: StrictStr
    """A file, `/dev/stdout` or `/dev/stderr`."""
    format: Literal["text", "json"] = "text"
    """Envoy's default line, or an object a line."""


class Mesh(Part):
    """Which traffic of a mesh the listener takes; a plain string is its `traffic`."""

    traffic: Literal["outbound", "gateway"]
    """`outbound` is what workloads send: routes come from VirtualServices of the mesh; `gateway` is
    what comes from outside: routes come from Gateways and the VirtualServices bound to them."""
    port: Annotated[StrictInt, Field(ge=1, le=65_535)] | None = None
    """The service's or Gateway's port that the listener stands for; left out, that of its address,
    and for `outbound` with `http` every port, told apart by the request's `Host`."""
    namespace: StrictStr = "default"
    """Where the proxy stands: what short names and visibility refer to."""


def _plain_is_traffic(value: object) -> object:
    return {"traffic": value} if isinstance(value, str) else value


class Listener(Part):
    """An address that accepts."""

    name: Name
    """What it is called in logs and metrics."""
    address: ListenAddress
    """`127.0.0.1:8080`, `[::]:8080` or `unix:/path`; port 0 takes a free one."""
    protocol: Literal["http", "http2", "tcp", "tls-passthrough", "auto"] = "http"
    """What is spoken; `http` is HTTP/1 and HTTP/2, `http2` the latter alone; `auto` decides by the
    first bytes."""
    tls: ListenerTls | None = None
    """TLS termination, for `http`, `http2` and `tcp`."""
    proxy_protocol: StrictBool = False
    """Every connection must begin with a PROXY protocol header, version 1 or 2."""
    timeouts: ListenerTimeouts = ListenerTimeouts.empty()
    """Waits."""
    limits: ListenerLimits = ListenerLimits.empty()
    """Bounds."""
    http: Http = Http.empty()
    """How HTTP heads are treated."""
    http2: Http2 = Http2.empty()
    """Bounds of HTTP/2 connections."""
    hooks: HookUses = ()
    """Who is asked about its connections and requests, in this order: names of `hooks`, or
    `{name, on_error}`; those of `tcp` and `tls-passthrough` are asked about connections alone."""
    routes: tuple[Route, ...] = Field(default=())
    """Routes of `http`; with `match.sni`, of `tls-passthrough` and `auto`."""
    route_order: Literal["specific", "document"] = "specific"
    """Which of several matching routes is taken: the most specific one, as Gateway API orders them;
    or the first of those that name the most specific host, and none where none of these matches."""
    to: Targets = ()
    """Where `tcp` goes; the default of `tls-passthrough` and `auto`."""
    fault: TcpFault | None = None
    """What is done on purpose to connections that pass as bytes; a route's `fault` is for those of
    HTTP."""
    access_log: AccessLog | None = None
    """Left out, none is written."""
    mesh: (
        Annotated[Mesh, BeforeValidator(_plain_is_traffic, json_schema_input_type=str | Mesh)]
        | None
    ) = None
    """Takes its routes from Istio's documents too, after its own."""
    labels: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    """What Istio's documents select it by, for example `{istio: ingressgateway}`."""
