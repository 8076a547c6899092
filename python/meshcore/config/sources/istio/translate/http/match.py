"""One match block of an HTTP rule as the match of a native route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.translate.names import MESH, gateway_name, selects

if TYPE_CHECKING:
    from meshcore.config.sources.istio.model.string_match import StringMatch, TextMatches
    from meshcore.config.sources.istio.model.virtual_service import (
        HttpMatch,
        TcpMatch,
        TlsMatch,
        VirtualServiceSpec,
    )
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.made import Made
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

# Istio compares these by the fields of their own.
_NOT_HEADERS = frozenset({"uri", "scheme", "method", "authority"})


def concerns(
    match: HttpMatch | TlsMatch | TcpMatch,
    client: Client,
    bound: Bound,
    port: int,
) -> bool:
    """Whether the block is for this listener at all: what no request decides."""
    if match.gateways:
        names = {gateway_name(name, bound.namespace) for name in match.gateways}
        if not names & bound.gateways:
            return False
    elif not bound.everywhere:
        return False
    if match.port is not None and match.port != port:
        return False
    if client.traffic != "outbound":
        return True
    if match.sourceNamespace and match.sourceNamespace != client.namespace:
        return False
    return selects(match.sourceLabels, client.labels)


class Bound:
    """By which gateways a listener reaches a VirtualService."""

    def __init__(self, namespace: str, gateways: tuple[str, ...], by: frozenset[str]) -> None:
        """`by` are the gateways that the listener stands for, `mesh` among them."""
        self.namespace = namespace
        named = {gateway_name(name, namespace) for name in gateways or (MESH,)}
        self.gateways = by
        self.everywhere = bool(named & by)
        """Whether the object itself names one of them; a match block may too."""


def reach(spec: VirtualServiceSpec, namespace: str, by: frozenset[str]) -> Bound | None:
    """How a listener that stands for `by` reaches a VirtualService; None: not at all."""
    bound = Bound(namespace, spec.gateways, by)
    matches: list[HttpMatch | TlsMatch | TcpMatch] = []
    matches += [match for http in spec.http for match in http.match]
    matches += [match for tls in spec.tls for match in tls.match]
    matches += [match for tcp in spec.tcp for match in tcp.match]
    named = {gateway_name(name, namespace) for match in matches for name in match.gateways}
    return bound if bound.everywhere or named & by else None


def put_match(made: Made, match: HttpMatch, at: At) -> None:
    """Write it into the route."""
    if match.uri is not None:
        _put_path(made, match.uri, at / "uri")
        if match.ignoreUriCase and match.uri.regex is None:
            made.put("match.path.ignore_case", True, at / "ignoreUriCase")
    for key, name in (("method_match", "method"), ("scheme", "scheme"), ("authority", "authority")):
        wanted = getattr(match, name)
        if wanted is not None:
            made.put(f"match.{key}", text(wanted), at / name)
    _put_texts(made, "headers", match.headers, at / "headers")
    _put_texts(made, "without_headers", match.withoutHeaders, at / "withoutHeaders")
    _put_texts(made, "query", match.queryParams, at / "queryParams")


def _put_path(made: Made, uri: StringMatch, at: At) -> None:
    if uri.exact is not None:
        made.put("match.path.exact", uri.exact, at / "exact")
    elif uri.prefix is not None:
        made.put("match.path.string_prefix", uri.prefix or "/", at / "prefix")
    elif not uri.is_presence:
        made.put("match.path.regex", uri.regex, at / "regex")


def _put_texts(made: Made, key: str, wanted: TextMatches, at: At) -> None:
    if not wanted:
        return
    skip = _NOT_HEADERS if key != "query" else frozenset()
    texts: dict[str, Value] = {
        name if key == "query" else name.lower(): text(match)
        for name, match in wanted.items()
        if name not in skip
    }
    if texts:
        made.put(f"match.{key}", texts, at)
        for name in wanted:
            made.origins["match", key, name.lower()] = at / name


def text(match: StringMatch) -> dict[str, Value]:
    """A text condition in native words."""
    if match.is_presence or match.prefix == "":
        return {"present": True}
    if match.exact is not None:
        return {"exact": match.exact}
    return {"prefix": match.prefix} if match.prefix is not None else {"regex": match.regex}
