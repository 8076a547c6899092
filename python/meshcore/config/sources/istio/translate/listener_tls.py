"""TLS that ends at a gateway's listener: the certificates of every server of its port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.gateways import PlacedServer, servers
from meshcore.config.sources.istio.translate.made import Made

if TYPE_CHECKING:
    from meshcore.config.sources.istio.model.gateway import ServerTls
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.clusters.destinations import Destinations
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

_ENDS = frozenset({"SIMPLE", "MUTUAL"})


def terminating(destinations: Destinations, client: Client) -> list[PlacedServer]:
    """The servers of a listener at which TLS ends."""
    return [
        server
        for server in servers(destinations.objects, client)
        if server.server.tls is not None and server.server.tls.mode in _ENDS
    ]


def listener_tls(destinations: Destinations, client: Client) -> Made | None:
    """The listener's `tls`; None where none of its servers ends TLS."""
    found = terminating(destinations, client)
    if not found:
        return None
    made = Made("listener.tls", found[0].at / "tls")
    pairs: list[Value] = []
    for server in found:
        tls = server.server.tls
        assert tls is not None
        for certificate, key, at in _pairs(tls, server.at / "tls"):
            pair: Value = {"certificate": certificate, "key": key}
            if pair not in pairs:
                made.origins["certificates", len(pairs)] = at
                pairs.append(pair)
        if tls.mode == "MUTUAL":
            place = server.at / "tls" / "caCertificates"
            made.put("client_ca", tls.caCertificates or None, place)
        if tls.minProtocolVersion == "TLSV1_3":
            made.put("min_version", "1.3", server.at / "tls" / "minProtocolVersion")
    made.put("certificates", pairs)
    return made


def _pairs(tls: ServerTls, at: At) -> list[tuple[str, str, At]]:
    if tls.tlsCertificates:
        return [
            (pair.serverCertificate, pair.privateKey, at / "tlsCertificates" / index)
            for index, pair in enumerate(tls.tlsCertificates)
        ]
    return [(tls.serverCertificate, tls.privateKey, at)]
