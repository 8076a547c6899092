"""Istio's rules on Gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.validate.hosts import check_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model import Gateway
    from meshcore.config.sources.istio.model.gateway import Server, ServerTls

_SECURE = frozenset({"HTTPS", "TLS"})
_LATER = {
    "AUTO_PASSTHROUGH": "it routes by names that only mesh sidecars send",
    "ISTIO_MUTUAL": "there are no mesh certificates",
    "OPTIONAL_MUTUAL": "clients either must show a certificate or are not asked",
}


def gateway(found: Gateway) -> Iterator[Trouble]:
    """All that is wrong with one."""
    seen: dict[str, int] = {}
    for index, server in enumerate(found.spec.servers):
        at: Loc = ("spec", "servers", index)
        name = server.port.name
        if seen.setdefault(name, index) != index:
            message = f"{name!r} is already the name of the port of servers[{seen[name]}]"
            yield Trouble((*at, "port", "name"), "duplicate_name", message, "names are single")
        for number, host in enumerate(server.hosts):
            yield from check_host(host.rpartition("/")[2], (*at, "hosts", number))
        yield from _server(server, at)


def _server(server: Server, loc: Loc) -> Iterator[Trouble]:
    secure = server.port.protocol.upper() in _SECURE
    at = (*loc, "tls")
    if server.tls is None:
        if secure:
            message = f"a server with protocol {server.port.protocol} needs tls"
            yield Trouble(loc, "missing_key", message, "write tls: {mode: SIMPLE, …}")
        return
    if not secure:
        given = server.tls.model_fields_set - {"httpsRedirect"}
        for name in sorted(given):
            message = f"a server with protocol {server.port.protocol} has no {name!r}"
            hint = "write protocol: HTTPS, or leave it out"
            yield Trouble((*at, name), "key_not_allowed", message, hint, at_key=True)
        return
    yield from _tls(server.tls, at)


def _tls(tls: ServerTls, loc: Loc) -> Iterator[Trouble]:
    if tls.mode is None:
        message = "without mode Istio takes tls for PASSTHROUGH: say what is meant"
        yield Trouble(loc, "missing_key", message, "write mode: SIMPLE, MUTUAL or PASSTHROUGH")
    elif tls.mode in _LATER:
        message = f"{tls.mode} is not supported yet: {_LATER[tls.mode]}"
        yield Trouble((*loc, "mode"), "not_supported", message)
    elif tls.mode == "PASSTHROUGH":
        for name in ("serverCertificate", "privateKey", "caCertificates", "tlsCertificates"):
            if getattr(tls, name):
                message = f"with PASSTHROUGH TLS ends elsewhere: {name} does nothing"
                yield Trouble((*loc, name), "key_not_allowed", message, at_key=True)
    else:
        yield from _certificates(tls, loc)
    if tls.minProtocolVersion in {"TLSV1_0", "TLSV1_1"}:
        message = "TLS 1.0 and 1.1 are not spoken"
        at = (*loc, "minProtocolVersion")
        yield Trouble(at, "not_supported", message, "write TLSV1_2 or TLSV1_3")
    if tls.maxProtocolVersion in {"TLSV1_0", "TLSV1_1", "TLSV1_2"}:
        message = "TLS 1.3 can't be switched off"
        yield Trouble((*loc, "maxProtocolVersion"), "not_supported", message, "leave it out")


def _certificates(tls: ServerTls, loc: Loc) -> Iterator[Trouble]:
    own = bool(tls.serverCertificate) or bool(tls.privateKey)
    if own and tls.tlsCertificates:
        message = "has both serverCertificate and tlsCertificates"
        hint = "put every pair into tlsCertificates"
        yield Trouble((*loc, "tlsCertificates"), "one_of", message, hint, at_key=True)
    secret = tls.credentialName or tls.credentialNames
    if not tls.tlsCertificates and not secret:
        for name in ("serverCertificate", "privateKey"):
            if not getattr(tls, name):
                message = f"{tls.mode} needs {name}"
                yield Trouble(loc, "missing_key", message, f"name its PEM file as {name}")
    yield from _pairs(tls, loc)
    if tls.mode == "MUTUAL" and not tls.caCertificates and not tls.caCertCredentialName:
        message = "MUTUAL needs caCertificates: nobody could be verified"
        yield Trouble(loc, "missing_key", message, "name a PEM file with the clients' roots")


def _pairs(tls: ServerTls, loc: Loc) -> Iterator[Trouble]:
    for index, pair in enumerate(tls.tlsCertificates):
        for name in ("serverCertificate", "privateKey"):
            if not getattr(pair, name):
                at = (*loc, "tlsCertificates", index)
                yield Trouble(at, "missing_key", f"needs {name}", f"name its PEM file as {name}")
