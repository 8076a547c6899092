"""meshcore: the native document, as YAML or as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.peers import Command, Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.environment import Tool
    from harness.plan import Plan

Json = dict[str, object]
#: Requests of these users go by routes of their own, which all others are compared with first.
USERS = ("jason", "kay")
#: Limits that are counted and never reached.
MANY = 20_000


def meshcore(tool: Tool, *, yaml: bool = False) -> Peer:
    """Return meshcore as a peer, started from JSON or from YAML."""
    name = "meshcore-yaml" if yaml else "meshcore"
    return Peer(name, _command(tool, yaml), tool.version("version"), tool.variables)


def _command(tool: Tool, yaml: bool) -> Callable[[Plan, Path], Command]:
    def command(plan: Plan, folder: Path) -> Command:
        path = write(plan, folder, yaml=yaml)
        return [tool.path, "proxy", "-c", path, "--workers", str(plan.workers)]

    return command


def write(plan: Plan, folder: Path, *, yaml: bool = False) -> Path:
    """Write the plan's document and return its path."""
    document = _document(plan)
    path = folder / ("proxy.yaml" if yaml else "proxy.json")
    path.write_text("\n".join(_yaml(document, "")) + "\n" if yaml else json.dumps(document))
    return path


def _document(plan: Plan) -> Json:
    listener: Json = {
        "name": "web",
        "address": f"127.0.0.1:{plan.listen}",
        "protocol": plan.protocol,
    }
    if plan.protocol == "tcp":
        listener["to"] = "all"
    else:
        listener["routes"] = _routes(plan)
    if plan.tls_in != "none":
        pem = plan.pem()
        listener["tls"] = {"certificate": str(pem.certificate), "key": str(pem.key)} | (
            {"client_ca": str(pem.ca)} if plan.tls_in == "mutual" else {}
        )
    document: Json = {"listeners": [listener], "clusters": _clusters(plan)}
    if plan.admin:
        document["admin"] = {"address": f"127.0.0.1:{plan.admin}"}
    return document


def _routes(plan: Plan) -> list[Json]:
    if plan.hosts:
        return [{"match": {"host": f"h{n}.test"}, "to": f"b{n}"} for n in range(plan.hosts)]
    if plan.routes:
        return [{"match": {"path": {"prefix": f"/p{n}"}}, "to": "all"} for n in range(plan.routes)]
    if plan.policies:
        rate = {"requests": 1_000_000, "per": "1s"}
        # Envoy doesn't tell clients of it either, unless it is told to.
        limit = {"name": "all", "local": rate, "response_headers": False}
        by_user = [
            {"match": {"path": {"prefix": "/"}, "headers": {"end-user": user}}, "to": "all"}
            for user in USERS
        ]
        return [*by_user, {"match": {"path": {"prefix": "/"}}, "to": "all", "rate_limits": [limit]}]
    return [{"to": "all"}]


def _clusters(plan: Plan) -> list[Json]:
    if plan.hosts:
        return [{"name": f"b{n}", "endpoints": [plan.host_address(n)]} for n in range(plan.hosts)]
    cluster: Json = {"name": "all", "endpoints": [f"127.0.0.1:{plan.target}"]}
    if plan.http2:
        cluster["protocol"] = "http2"
    if plan.policies:
        cluster["limits"] = {"max_connections": MANY, "max_requests": MANY}
        cluster["breaker"] = {"scope": "both"}
        cluster["outlier_detection"] = {"consecutive_5xx": 5, "consecutive_gateway_failure": 5}
    if plan.tls_out:
        pem = plan.pem()
        cluster["tls"] = {
            "ca": str(pem.ca),
            "server_name": "localhost",
            "certificate": str(pem.certificate),
            "key": str(pem.key),
        }
    return [cluster]


def _yaml(value: object, indent: str) -> Iterator[str]:
    """Write block style, as people do; every scalar here is safe as a quoted string or a number."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                yield f"{indent}{key}:"
                yield from _yaml(inner, indent + "  ")
            else:
                yield f"{indent}{key}: {json.dumps(inner)}"
    elif isinstance(value, list):
        for inner in value:
            first, *others = _yaml(inner, indent + "  ")
            yield f"{indent}- {first.lstrip()}"
            yield from others
    else:
        yield f"{indent}{json.dumps(value)}"
