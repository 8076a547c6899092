"""VirtualService: how requests to a host are routed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.destination import Destination
from meshcore.config.sources.istio.model.http_actions import (
    CorsPolicy,
    DirectResponse,
    Fault,
    Headers,
    Mirror,
    Percent,
    Redirect,
    Retry,
    Rewrite,
)
from meshcore.config.sources.istio.model.metadata import Kind, NetworkingVersion
from meshcore.config.sources.istio.model.scalars import Duration, Integer, PortNumber
from meshcore.config.sources.istio.model.string_match import StringMatch, TextMatches
from meshcore.config.sources.istio.model.support import Inside, Read, Refused, To

_CLAIMS = "@request.auth.claims keys are refused: needs RequestAuthentication"


class HttpMatch(Part):
    """All that is given must hold."""

    name: Annotated[StrictStr, Read("part of the route's name")] = ""
    uri: Annotated[
        StringMatch | None,
        To("route.match.path.exact route.match.path.string_prefix route.match.path.regex"),
    ] = None
    ignoreUriCase: Annotated[StrictBool, To("route.match.path.ignore_case")] = False
    scheme: Annotated[StringMatch | None, To("route.match.scheme")] = None
    method: Annotated[StringMatch | None, To("route.match.method_match")] = None
    authority: Annotated[StringMatch | None, To("route.match.authority")] = None
    headers: Annotated[TextMatches, To("route.match.headers", _CLAIMS)] = Field(
        default_factory=dict
    )
    withoutHeaders: Annotated[TextMatches, To("route.match.without_headers", _CLAIMS)] = Field(
        default_factory=dict
    )
    queryParams: Annotated[TextMatches, To("route.match.query")] = Field(default_factory=dict)
    port: Annotated[PortNumber | None, Read("for which port the rule is built")] = None
    sourceLabels: Annotated[
        dict[StrictStr, StrictStr], Read("the rule is built for listeners with these labels")
    ] = Field(default_factory=dict)
    sourceNamespace: Annotated[
        StrictStr, Read("the rule is built for listeners of this mesh.namespace")
    ] = ""
    gateways: Annotated[tuple[StrictStr, ...], Read("instead of the object's gateways")] = ()
    statPrefix: Annotated[
        StrictStr, Read("metrics are per cluster and route; no prefix is needed")
    ] = ""


class HttpTarget(Part):
    """A share of a rule."""

    destination: Annotated[Destination, Inside()]
    weight: Annotated[Integer, To("route.to.weight")] = 0
    headers: Annotated[Headers | None, Inside("for this destination alone")] = None


class Delegate(Part):
    """Another VirtualService that holds the rules."""

    name: Annotated[StrictStr, Field(min_length=1), Read("the delegate")]
    namespace: Annotated[StrictStr, Read("left out, the root's")] = ""


class HttpRule(Part):
    """One rule; the first that matches wins."""

    name: Annotated[StrictStr, To("route.name")] = ""
    match: Annotated[
        tuple[HttpMatch, ...], To("listener.route_order", "a route for each block")
    ] = ()
    route: Annotated[tuple[HttpTarget, ...], To("route.to.cluster")] = ()
    redirect: Annotated[Redirect | None, To("route.redirect")] = None
    directResponse: Annotated[DirectResponse | None, To("route.direct_response")] = None
    delegate: Annotated[Delegate | None, Inside("one level")] = None
    rewrite: Annotated[Rewrite | None, To("route.rewrite")] = None
    timeout: Annotated[Duration | None, To("route.timeout")] = None
    retries: Annotated[Retry | None, To("route.retries")] = None
    fault: Annotated[Fault | None, To("route.fault")] = None
    mirror: Annotated[Destination | None, To("route.mirrors.cluster")] = None
    mirrorPercentage: Annotated[Percent | None, To("route.mirrors.percentage")] = None
    mirrorPercent: Annotated[
        Integer | None, To("route.mirrors.percentage", "deprecated: mirrorPercentage")
    ] = None
    mirrors: Annotated[tuple[Mirror, ...], To("route.mirrors")] = ()
    corsPolicy: Annotated[CorsPolicy | None, To("route.cors")] = None
    headers: Annotated[Headers | None, Inside()] = None


class TlsMatch(Part):
    """All that is given must hold."""

    sniHosts: Annotated[tuple[StrictStr, ...], Field(min_length=1), To("route.match.sni")]
    destinationSubnets: Annotated[
        tuple[StrictStr, ...], Refused("connections are not captured by their destination yet")
    ] = ()
    port: Annotated[PortNumber | None, Read("for which port the rule is built")] = None
    sourceLabels: Annotated[
        dict[StrictStr, StrictStr], Read("the rule is built for listeners with these labels")
    ] = Field(default_factory=dict)
    sourceNamespace: Annotated[
        StrictStr, Read("the rule is built for listeners of this mesh.namespace")
    ] = ""
    gateways: Annotated[tuple[StrictStr, ...], Read("instead of the object's gateways")] = ()


class TcpMatch(Part):
    """All that is given must hold."""

    destinationSubnets: Annotated[
        tuple[StrictStr, ...], Refused("connections are not captured by their destination yet")
    ] = ()
    port: Annotated[PortNumber | None, Read("for which port the rule is built")] = None
    sourceSubnet: Annotated[StrictStr, Refused("Istio has not implemented it either")] = ""
    sourceLabels: Annotated[
        dict[StrictStr, StrictStr], Read("the rule is built for listeners with these labels")
    ] = Field(default_factory=dict)
    sourceNamespace: Annotated[
        StrictStr, Read("the rule is built for listeners of this mesh.namespace")
    ] = ""
    gateways: Annotated[tuple[StrictStr, ...], Read("instead of the object's gateways")] = ()


class StreamTarget(Part):
    """A share of a rule for connections."""

    destination: Annotated[Destination, Inside()]
    weight: Annotated[Integer, To("route.to.weight")] = 0


class TlsRule(Part):
    """A rule for TLS that passes through."""

    match: Annotated[tuple[TlsMatch, ...], Field(min_length=1), Inside()]
    route: Annotated[tuple[StreamTarget, ...], To("route.to.cluster")] = ()


class TcpRule(Part):
    """A rule for plain connections."""

    match: Annotated[tuple[TcpMatch, ...], Inside()] = ()
    route: Annotated[tuple[StreamTarget, ...], To("listener.to.cluster")] = ()


class VirtualServiceSpec(Part):
    """What a VirtualService says."""

    hosts: Annotated[tuple[StrictStr, ...], To("route.match.host")] = ()
    gateways: Annotated[tuple[StrictStr, ...], Read("left out, mesh")] = ()
    http: Annotated[tuple[HttpRule, ...], Inside()] = ()
    tls: Annotated[tuple[TlsRule, ...], Inside()] = ()
    tcp: Annotated[tuple[TcpRule, ...], Inside()] = ()
    exportTo: Annotated[tuple[StrictStr, ...], Read("which mesh.namespace sees it")] = ()


class VirtualService(Kind):
    """How requests to a host are routed."""

    apiVersion: Annotated[NetworkingVersion, Read("all served versions have one form")]
    kind: Annotated[Literal["VirtualService"], Read("the kind")]
    spec: Annotated[VirtualServiceSpec, Inside()]
