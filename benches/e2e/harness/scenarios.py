"""The scenarios: what each peer is set up for, what load it gets, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.plan import Certificates, Plan
from harness.processes import free_port

if TYPE_CHECKING:
    from pathlib import Path

HTTP_PEERS = ("relay", "splice", "haproxy", "nginx", "envoy", "envoy-mesh", "meshcore")
TLS_PEERS = ("haproxy", "nginx", "envoy", "envoy-mesh", "meshcore")
TCP_PEERS = ("relay", "splice", "haproxy", "nginx", "envoy", "meshcore")
#: nginx 1.22 speaks HTTP/2 to upstreams for gRPC only.
HTTP2_PEERS = ("haproxy", "envoy", "envoy-mesh", "meshcore")
GRPC_PEERS = ("haproxy", "nginx", "envoy", "envoy-mesh", "meshcore")
#: How many answers go on at once, over ten connections.
STREAMS = 1_000
#: How many hosts, clusters and routes the large scenarios have.
MANY = 10_000

Build = Callable[[int, Certificates], Sequence[Plan]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the tables."""

    name: str
    title: str
    peers: Sequence[str]
    build: Build
    load: Sequence[str]
    metrics: Sequence[str]
    kind: Literal["load", "latency", "streams", "workers", "idle", "start", "apply"] = "load"
    backend: Literal["http", "tcp", "http2", "grpc", "chunks"] = "http"
    tls: bool = False
    own_addresses: bool = False


def plain(target: int, certificates: Certificates) -> list[Plan]:
    """HTTP without TLS."""
    del certificates
    return [Plan(free_port(), target)]


def http2(target: int, certificates: Certificates) -> list[Plan]:
    """HTTP/2 without TLS, on both sides."""
    del certificates
    return [Plan(free_port(), target, http2=True)]


def grpc(target: int, certificates: Certificates) -> list[Plan]:
    """The same for gRPC."""
    del certificates
    return [Plan(free_port(), target, http2=True, grpc=True)]


def tcp(target: int, certificates: Certificates) -> list[Plan]:
    """TCP without TLS."""
    del certificates
    return [Plan(free_port(), target, protocol="tcp")]


def terminate(target: int, certificates: Certificates) -> list[Plan]:
    """TLS from the client, plain to the backend."""
    return [Plan(free_port(), target, tls_in="server", certificates=certificates)]


def pair(target: int, certificates: Certificates) -> list[Plan]:
    """Two proxies with mutual TLS between them."""
    inner = free_port()
    return [
        Plan(free_port(), inner, tls_out=True, certificates=certificates),
        Plan(inner, target, tls_in="mutual", certificates=certificates),
    ]


def hosts(target: int, certificates: Certificates) -> list[Plan]:
    """Ten thousand hosts with a cluster each."""
    del certificates
    return [Plan(free_port(), target, hosts=MANY)]


def routes(target: int, certificates: Certificates) -> list[Plan]:
    """Ten thousand prefixes, one cluster."""
    del certificates
    return [Plan(free_port(), target, routes=MANY)]


def policies(target: int, certificates: Certificates) -> list[Plan]:
    """HTTP without TLS, with all accounting on."""
    del certificates
    return [Plan(free_port(), target, policies=True)]


def client(folder: Path) -> list[str]:
    """Return the generator's flags for a TLS listener."""
    return ["--ca", str(folder / "ca.pem"), "--server-name", "localhost"]


KEPT = (
    "http",
    "--connections",
    "64",
    "--path",
    "/1k",
    "--expect-length",
    "1024",
    "--check-pattern",
)
TEN_BY_TEN = ("http2", "--connections", "10", "--streams", "10")
UNARY = ("--grpc", "--path", "/bench.Echo/Say", "--body-size", "100", "--expect-length", "105")
CHUNKS = (
    *("chunks", "--connections", "10", "--streams", str(STREAMS // 10)),
    *("--path", "/events", "--size", "128", "--period", "0.05"),
)
ADDED = ("added_p50_us", "added_p99_us")

SCENARIOS = (
    Scenario(
        "http1",
        "HTTP/1.1 keep-alive, 1 KiB, 64 connections",
        HTTP_PEERS,
        plain,
        KEPT,
        ("cpu_us", "rps", "busy"),
    ),
    Scenario(
        "policies",
        "the same with routing by headers, rate limit, circuit limits, outlier detection",
        ("envoy", "meshcore"),
        policies,
        KEPT,
        ("cpu_us", "rps", "busy"),
    ),
    Scenario(
        "one-connection",
        "one connection, closed loop",
        ("direct", *HTTP_PEERS),
        plain,
        ("http", "--connections", "1", "--expect-length", "1024"),
        ADDED,
        kind="latency",
    ),
    Scenario(
        "rate-1000",
        "1,000 requests/s, 16 connections",
        ("direct", *HTTP_PEERS),
        plain,
        ("http", "--connections", "16", "--rate", "1000", "--expect-length", "1024"),
        ADDED,
        kind="latency",
    ),
    Scenario(
        "rate-4000",
        "4,000 requests/s, 16 connections",
        ("direct", *HTTP_PEERS),
        plain,
        ("http", "--connections", "16", "--rate", "4000", "--expect-length", "1024"),
        ADDED,
        kind="latency",
    ),
    Scenario(
        "two-workers",
        "two workers against one",
        ("haproxy", "nginx", "envoy", "meshcore"),
        plain,
        KEPT,
        ("cpu_us_one", "cpu_us_two", "two_over_one"),
        kind="workers",
    ),
    Scenario(
        "body-64k",
        "64 KiB bodies",
        HTTP_PEERS,
        plain,
        ("http", "--connections", "16", "--path", "/64k", "--expect-length", "65536"),
        ("cpu_s_per_gib", "busy"),
    ),
    Scenario(
        "body-1m",
        "1 MiB bodies",
        HTTP_PEERS,
        plain,
        ("http", "--connections", "8", "--path", "/1m", "--expect-length", "1048576"),
        ("cpu_s_per_gib", "busy"),
    ),
    Scenario(
        "tls",
        "TLS 1.3 keep-alive, 1 KiB",
        TLS_PEERS,
        terminate,
        KEPT,
        ("cpu_us", "rps", "busy"),
        tls=True,
    ),
    Scenario(
        "tls-1m",
        "TLS 1 MiB bodies",
        TLS_PEERS,
        terminate,
        ("http", "--connections", "8", "--path", "/1m", "--expect-length", "1048576"),
        ("cpu_s_per_gib", "busy"),
        tls=True,
    ),
    Scenario(
        "tls-handshake",
        "TLS full handshake and an empty response",
        TLS_PEERS,
        terminate,
        ("http", "--connections", "16", "--path", "/empty", "--fresh", "--expect-length", "0"),
        ("cpu_us", "rps", "busy"),
        tls=True,
    ),
    Scenario(
        "pair",
        "sidecar pair, mutual TLS between",
        ("relay", "splice", *TLS_PEERS),
        pair,
        KEPT,
        ("cpu_us", "rps", "busy"),
    ),
    Scenario(
        "http2",
        "HTTP/2 cleartext, 1 KiB, 10 connections with 10 streams",
        HTTP2_PEERS,
        http2,
        (*TEN_BY_TEN, "--path", "/1k", "--expect-length", "1024", "--check-pattern"),
        ("cpu_us", "rps", "busy"),
        backend="http2",
    ),
    Scenario(
        "grpc",
        "gRPC-like unary, 100 bytes, 10 connections with 10 streams",
        GRPC_PEERS,
        grpc,
        (*TEN_BY_TEN, *UNARY),
        ("cpu_us", "rps", "busy"),
        backend="grpc",
    ),
    Scenario(
        "h2-streams",
        "1,000 HTTP/2 streams with 20 chunks/s each",
        ("direct", "relay", *HTTP2_PEERS),
        http2,
        CHUNKS,
        ("added_p99_us", "kib_per_stream", "cpu_us", "busy"),
        kind="streams",
        backend="chunks",
    ),
    Scenario(
        "tcp-1m",
        "TCP, 1 MiB responses",
        TCP_PEERS,
        tcp,
        ("tcp", "--connections", "8", "--size", "1048576"),
        ("cpu_s_per_gib", "busy"),
        backend="tcp",
    ),
    Scenario(
        "tcp-connect",
        "TCP, new connection and one exchange",
        TCP_PEERS,
        tcp,
        ("tcp", "--connections", "16", "--size", "64", "--fresh", "--sources", "32"),
        ("cpu_us", "rps", "busy"),
        backend="tcp",
    ),
    Scenario(
        "idle",
        "idle connections",
        ("relay", *TLS_PEERS),
        plain,
        ("idle", "--sources", "8"),
        ("rss_mib", "pss_mib", "mib_per_10k"),
        kind="idle",
    ),
    Scenario(
        "hosts-one",
        "10,000 hosts with a cluster each, one used",
        (*TLS_PEERS, "meshcore-yaml"),
        hosts,
        ("http", "--host", "h77.test", "--expect-length", "1024"),
        ("start_s", "pss_mib", "cpu_us"),
        kind="start",
        own_addresses=True,
    ),
    Scenario(
        "hosts-1000",
        "10,000 hosts with a cluster each, 1,000 used",
        TLS_PEERS,
        hosts,
        ("http", "--host", "h{0..999}.test", "--random", "--expect-length", "1024"),
        ("start_s", "pss_mib", "cpu_us"),
        kind="start",
        own_addresses=True,
    ),
    Scenario(
        "routes",
        "10,000 prefix routes, all used",
        TLS_PEERS,
        routes,
        ("http", "--path", f"/p{{0..{MANY - 1}}}/x", "--random", "--expect-length", "1024"),
        ("start_s", "pss_mib", "cpu_us"),
        kind="start",
    ),
    Scenario(
        "apply",
        "apply of one Endpoints among 10,000 clusters",
        ("meshcore",),
        hosts,
        (
            "http",
            "--host",
            "h{0..999}.test",
            "--random",
            "--expect-length",
            "1024",
            "--connections",
            "16",
            "--rate",
            "2000",
        ),
        ("apply_ms", "p99_9_quiet_us", "p99_9_applying_us", "applying_over_quiet"),
        kind="apply",
        own_addresses=True,
    ),
)
