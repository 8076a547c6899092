"""Listeners that bridge gRPC-Web, and have nobody to bridge it to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.model import Cluster, Config


def check_grpc_web(config: Config) -> Iterator[Trouble]:
    """Bridging that never happens, since every cluster takes HTTP/1 alone."""
    http1 = {cluster.name for cluster in config.clusters if not _may_speak_http2(cluster)}
    for index, listener in enumerate(config.listeners):
        targets = {target.cluster for route in listener.routes for target in route.to}
        if listener.http.grpc_web and targets and targets <= http1:
            message = "gRPC needs HTTP/2, and no cluster of this listener speaks it"
            hint = "write protocol: http2 on the cluster of the gRPC service"
            at = ("listeners", index, "http", "grpc_web")
            yield Trouble(at, "grpc_web_unusable", message, hint)


def _may_speak_http2(cluster: Cluster) -> bool:
    by_alpn = cluster.protocol == "auto" and cluster.tls is not None
    return by_alpn or cluster.protocol in {"http2", "same"}
