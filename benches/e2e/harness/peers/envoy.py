"""Envoy: one worker thread; once as it is, once with what a sidecar has on its path."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from harness.peers import Command, Peer
from harness.peers.meshcore import USERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.environment import Tool
    from harness.plan import Plan

Json = dict[str, object]
TYPES = "type.googleapis.com/envoy.extensions"
FILTERS = f"{TYPES}.filters.http"
#: Enough for any scenario; Envoy's own default is 1,024.
MANY = 20_000
#: What the backend allows on a connection; more would be refused before Envoy is told of it.
STREAMS = 100


def envoy(tool: Tool, *, mesh: bool) -> Peer:
    """Return Envoy as a peer, with or without a mesh's filters."""
    name = "envoy-mesh" if mesh else "envoy"
    return Peer(name, _command(tool, mesh), tool.version("--version").rpartition(": ")[2], {})


def _command(tool: Tool, mesh: bool) -> Callable[[Plan, Path], Command]:
    def command(plan: Plan, folder: Path) -> Command:
        path = folder / "envoy.json"
        path.write_text(json.dumps(_render(plan, mesh)))
        return [
            tool.path, "--config-path", path, "--concurrency", str(plan.workers),
            "--disable-hot-restart", "--log-level", "error",
        ]  # fmt: skip

    return command


def _render(plan: Plan, mesh: bool) -> Json:
    names = [(f"b{n}", plan.host_address(n)) for n in range(plan.hosts)]
    clusters = [_cluster(plan, *item) for item in names or [("all", f"127.0.0.1:{plan.target}")]]
    network = _manager(plan, mesh) if plan.protocol == "http" else _tcp()
    chain: Json = {"filters": [network]}
    if plan.tls_in != "none":
        chain["transport_socket"] = _tls_in(plan)
    listener = {
        "name": "web",
        "address": _address(f"127.0.0.1:{plan.listen}"),
        "filter_chains": [chain],
    }
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _address(text: str) -> Json:
    host, _, port = text.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}


def _typed(name: str, kind: str, **fields: object) -> Json:
    return {"name": name, "typed_config": {"@type": kind, **fields}}


def _cluster(plan: Plan, name: str, address: str) -> Json:
    limit = {"max_connections": MANY, "max_requests": MANY, "max_pending_requests": MANY}
    endpoint = {"endpoint": {"address": _address(address)}}
    cluster: Json = {
        "name": name,
        "connect_timeout": "5s",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [limit]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if plan.policies:
        cluster["outlier_detection"] = {"consecutive_5xx": 5, "consecutive_gateway_failure": 5}
    if plan.http2:
        kind = f"{TYPES}.upstreams.http.v3.HttpProtocolOptions"
        http2 = {"http2_protocol_options": {"max_concurrent_streams": STREAMS}}
        options: Json = {"@type": kind, "explicit_http_config": http2}
        cluster["typed_extension_protocol_options"] = {kind.rpartition("/")[2]: options}
    if plan.tls_out:
        kind = f"{TYPES}.transport_sockets.tls.v3.UpstreamTlsContext"
        cluster["transport_socket"] = _typed(
            "tls", kind, sni="localhost", common_tls_context=_common(plan, trust=True)
        )
    return cluster


def _tls_in(plan: Plan) -> Json:
    mutual = plan.tls_in == "mutual"
    return _typed(
        "tls",
        f"{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext",
        common_tls_context=_common(plan, trust=mutual),
        require_client_certificate=mutual,
    )


def _common(plan: Plan, *, trust: bool) -> Json:
    pem = plan.pem()
    common: Json = {
        # Envoy's upstream side stops at 1.2 unless told.
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "tls_certificates": [
            {
                "certificate_chain": {"filename": str(pem.certificate)},
                "private_key": {"filename": str(pem.key)},
            }
        ],
    }
    if trust:
        common["validation_context"] = {"trusted_ca": {"filename": str(pem.ca)}}
    return common


def _tcp() -> Json:
    kind = f"{TYPES}.filters.network.tcp_proxy.v3.TcpProxy"
    return _typed("tcp", kind, stat_prefix="tcp", cluster="all")


def _manager(plan: Plan, mesh: bool) -> Json:
    router = _typed("envoy.filters.http.router", f"{FILTERS}.router.v3.Router")
    return _typed(
        "http",
        f"{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="web",
        codec_type="HTTP2" if plan.http2 else "AUTO",
        route_config={"name": "web", "virtual_hosts": _virtual_hosts(plan)},
        http_filters=[*_filters(plan, mesh=mesh), router],
    )


def _virtual_hosts(plan: Plan) -> list[Json]:
    if plan.hosts:
        return [_virtual_host(f"h{n}.test", [("/", f"b{n}")]) for n in range(plan.hosts)]
    prefixes = [(f"/p{n}/", "all") for n in range(plan.routes)] or [("/", "all")]
    host = _virtual_host("*", prefixes)
    if plan.policies:
        host["routes"] = [*map(_by_user, USERS), *cast("list[Json]", host["routes"])]
    return [host]


def _by_user(user: str) -> Json:
    header = {"name": "end-user", "string_match": {"exact": user}}
    return {"match": {"prefix": "/", "headers": [header]}, "route": {"cluster": "all"}}


def _filters(plan: Plan, *, mesh: bool) -> list[Json]:
    if plan.policies:
        return [_rate_limit()]
    return _mesh_filters() if mesh else []


def _virtual_host(domain: str, prefixes: list[tuple[str, str]]) -> Json:
    routes = [{"match": {"prefix": at}, "route": {"cluster": to}} for at, to in prefixes]
    return {"name": domain, "domains": [domain], "routes": routes}


def _mesh_filters() -> list[Json]:
    allow_all = {"permissions": [{"any": True}], "principals": [{"any": True}]}
    rules = {"action": "ALLOW", "policies": {"all": allow_all}}
    return [
        _typed("envoy.filters.http.rbac", f"{FILTERS}.rbac.v3.RBAC", rules=rules),
        _rate_limit(),
        _typed("envoy.filters.http.cors", f"{FILTERS}.cors.v3.Cors"),
        _typed("envoy.filters.http.fault", f"{FILTERS}.fault.v3.HTTPFault"),
        _typed("envoy.filters.http.grpc_stats", f"{FILTERS}.grpc_stats.v3.FilterConfig"),
    ]


def _rate_limit() -> Json:
    full = {"numerator": 100, "denominator": "HUNDRED"}
    bucket = {"max_tokens": 4_000_000, "tokens_per_fill": 4_000_000, "fill_interval": "1s"}
    limit = cast("Json", {
        "stat_prefix": "limit",
        "token_bucket": bucket,
        "filter_enabled": {"default_value": full},
        "filter_enforced": {"default_value": full},
    })  # fmt: skip
    kind = f"{FILTERS}.local_ratelimit.v3.LocalRateLimit"
    return _typed("envoy.filters.http.local_ratelimit", kind, **limit)
