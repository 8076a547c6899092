"""What the HTTP rules of a VirtualService do besides routing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.sources.istio.model.destination import Destination
from meshcore.config.sources.istio.model.scalars import Duration, Integer, Number, PortNumber
from meshcore.config.sources.istio.model.string_match import StringMatch
from meshcore.config.sources.istio.model.support import Read, Refused, To


class Percent(Part):
    """A percentage."""

    value: Annotated[Number, Read("0 to 100")] = 0


class HeaderOperations(Part):
    """Changes of one head; `host` and `:authority` rewrite the authority."""

    set: Annotated[dict[StrictStr, StrictStr], To("route.request_headers.set")] = Field(
        default_factory=dict
    )
    add: Annotated[dict[StrictStr, StrictStr], To("route.request_headers.add")] = Field(
        default_factory=dict
    )
    remove: Annotated[tuple[StrictStr, ...], To("route.request_headers.remove")] = ()


class Headers(Part):
    """Changes of heads."""

    request: Annotated[HeaderOperations | None, To("route.request_headers")] = None
    response: Annotated[HeaderOperations | None, To("route.response_headers")] = None


class Redirect(Part):
    """An answer that sends the client elsewhere."""

    uri: Annotated[StrictStr | None, To("route.redirect.path")] = None
    prefixRewrite: Annotated[StrictStr | None, To("route.redirect.prefix")] = None
    authority: Annotated[StrictStr, To("route.redirect.host")] = ""
    port: Annotated[PortNumber | None, To("route.redirect.port")] = None
    derivePort: Annotated[
        Literal["FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT"] | None, To("route.redirect.port")
    ] = None
    scheme: Annotated[StrictStr, To("route.redirect.scheme")] = ""
    redirectCode: Annotated[Integer, To("route.redirect.code")] = 301


class ResponseBody(Part):
    """A body."""

    string: Annotated[StrictStr | None, To("route.direct_response.body")] = None
    bytes: Annotated[StrictStr | None, To("route.direct_response.body_base64")] = None


class DirectResponse(Part):
    """An answer without an upstream."""

    status: Annotated[StrictInt, Field(ge=200, le=599), To("route.direct_response.status")]
    body: Annotated[ResponseBody | None, To("route.direct_response.body")] = None


class RegexRewrite(Part):
    """A replacement in the path."""

    match: Annotated[StrictStr, To("route.rewrite.regex.pattern")]
    rewrite: Annotated[StrictStr, To("route.rewrite.regex.substitution")] = ""


class Rewrite(Part):
    """What the upstream sees instead."""

    uri: Annotated[StrictStr, To("route.rewrite.path route.rewrite.prefix")] = ""
    uriRegexRewrite: Annotated[RegexRewrite | None, To("route.rewrite.regex")] = None
    authority: Annotated[StrictStr, To("route.rewrite.host")] = ""


class Retry(Part):
    """How often, and after what."""

    attempts: Annotated[Integer, To("route.retries.attempts")] = 2
    perTryTimeout: Annotated[Duration | None, To("route.retries.per_try_timeout")] = None
    retryOn: Annotated[StrictStr, To("route.retries.retry_on")] = ""
    retryRemoteLocalities: Annotated[
        StrictBool, To("route.retries.other_localities", "false is the default")
    ] = False
    retryIgnorePreviousHosts: Annotated[StrictBool | None, To("route.retries.other_hosts")] = None
    backoff: Annotated[Duration | None, To("route.retries.back_off.base")] = None


class Delay(Part):
    """Requests wait."""

    fixedDelay: Annotated[Duration | None, To("route.fault.delay.fixed")] = None
    exponentialDelay: Annotated[Duration | None, Refused("Istio refuses it too")] = None
    percentage: Annotated[Percent | None, To("route.fault.delay.percentage")] = None
    percent: Annotated[
        Integer | None, To("route.fault.delay.percentage", "deprecated: percentage")
    ] = None


class Abort(Part):
    """Requests fail."""

    httpStatus: Annotated[StrictInt | None, To("route.fault.abort.status")] = None
    grpcStatus: Annotated[StrictStr, To("route.fault.abort.grpc_status")] = ""
    http2Error: Annotated[StrictStr, Refused("Istio refuses it too")] = ""
    percentage: Annotated[Percent | None, To("route.fault.abort.percentage")] = None


class Fault(Part):
    """Faults that are injected."""

    delay: Annotated[Delay | None, To("route.fault.delay")] = None
    abort: Annotated[Abort | None, To("route.fault.abort")] = None


class Mirror(Part):
    """A destination that gets a copy."""

    destination: Annotated[Destination, To("route.mirrors.cluster")]
    percentage: Annotated[Percent | None, To("route.mirrors.percentage")] = None


class CorsPolicy(Part):
    """Which origins may ask."""

    allowOrigin: Annotated[
        tuple[StrictStr, ...], To("route.cors.allow_origins", "deprecated: allowOrigins")
    ] = ()
    allowOrigins: Annotated[tuple[StringMatch, ...], To("route.cors.allow_origins")] = ()
    allowMethods: Annotated[tuple[StrictStr, ...], To("route.cors.allow_methods")] = ()
    allowHeaders: Annotated[tuple[StrictStr, ...], To("route.cors.allow_headers")] = ()
    exposeHeaders: Annotated[tuple[StrictStr, ...], To("route.cors.expose_headers")] = ()
    maxAge: Annotated[Duration | None, To("route.cors.max_age")] = None
    allowCredentials: Annotated[StrictBool, To("route.cors.allow_credentials")] = False
    unmatchedPreflights: Annotated[
        Literal["UNSPECIFIED", "FORWARD", "IGNORE"], To("route.cors.unmatched_preflights")
    ] = "UNSPECIFIED"
