"""What an HTTP rule does, as the keys of a native route."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshcore.config.sources.istio.model.scalars import milliseconds
from meshcore.config.sources.istio.translate.http.headers import put_headers
from meshcore.config.sources.istio.translate.http.match import text

if TYPE_CHECKING:
    from meshcore.config.sources.istio.model.http_actions import (
        CorsPolicy,
        DirectResponse,
        Fault,
        Redirect,
        Retry,
        Rewrite,
    )
    from meshcore.config.sources.istio.model.string_match import StringMatch
    from meshcore.config.sources.istio.model.virtual_service import HttpRule
    from meshcore.config.sources.istio.translate.client import Client
    from meshcore.config.sources.istio.translate.made import Made
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

_DEFAULT_PORTS = {"http": 80, "https": 443}
_EVERYTHING = 100


def put_actions(made: Made, rule: HttpRule, at: At) -> None:
    """Write what doesn't depend on the match."""
    # Istio's routes that inject faults have neither.
    if rule.fault is None:
        if rule.timeout is not None:
            made.put("timeout", milliseconds(rule.timeout), at / "timeout")
        if rule.retries is not None:
            _put_retries(made, rule.retries, at / "retries")
    else:
        _put_fault(made, rule.fault, at / "fault")
    if rule.directResponse is not None:
        _put_direct_response(made, rule.directResponse, at / "directResponse")
    if rule.corsPolicy is not None:
        _put_cors(made, rule.corsPolicy, at / "corsPolicy")
    if rule.headers is not None:
        put_headers(made, rule.headers, at / "headers")


def put_rewrite(made: Made, rewrite: Rewrite, uri: StringMatch | None, at: At) -> None:
    """What is replaced depends on how the path was matched."""
    if rewrite.authority:
        made.put("rewrite.host", rewrite.authority, at / "authority")
    if rewrite.uriRegexRewrite is not None:
        here = at / "uriRegexRewrite"
        made.put("rewrite.regex.pattern", rewrite.uriRegexRewrite.match, here / "match")
        made.put("rewrite.regex.substitution", rewrite.uriRegexRewrite.rewrite, here / "rewrite")
    elif rewrite.uri:
        whole = uri is not None and (uri.exact is not None or uri.regex is not None)
        made.put("rewrite.path" if whole else "rewrite.prefix", rewrite.uri, at / "uri")
        if not whole and not made.has("match.path"):
            made.put("match.path.string_prefix", "/")


def put_redirect(made: Made, redirect: Redirect, client: Client, at: At) -> None:
    """An answer that sends the client elsewhere."""
    made.put("redirect", {}, at)
    made.put("redirect.scheme", redirect.scheme or None, at / "scheme")
    made.put("redirect.host", redirect.authority or None, at / "authority")
    made.put("redirect.path", redirect.uri, at / "uri")
    made.put("redirect.prefix", redirect.prefixRewrite, at / "prefixRewrite")
    if redirect.prefixRewrite is not None and not made.has("match.path"):
        made.put("match.path.string_prefix", "/")
    made.put("redirect.port", redirect.port or _derived_port(redirect, client), at)
    made.put("redirect.code", redirect.redirectCode or 301, at / "redirectCode")


def _derived_port(redirect: Redirect, client: Client) -> int | None:
    if redirect.derivePort == "FROM_REQUEST_PORT":
        return client.stands_for or None
    if redirect.derivePort == "FROM_PROTOCOL_DEFAULT":
        scheme = redirect.scheme or ("https" if client.has_tls else "http")
        return _DEFAULT_PORTS.get(scheme)
    return None


def _put_direct_response(made: Made, answer: DirectResponse, at: At) -> None:
    made.put("direct_response.status", answer.status, at / "status")
    if (body := answer.body) is not None:
        if body.bytes is not None:
            made.put("direct_response.body_base64", body.bytes, at / "body" / "bytes")
        else:
            made.put("direct_response.body", body.string, at / "body" / "string")


def _put_retries(made: Made, retries: Retry, at: At) -> None:
    made.put("retries.attempts", retries.attempts, at / "attempts")
    if retries.perTryTimeout is not None:
        wait = milliseconds(retries.perTryTimeout)
        made.put("retries.per_try_timeout", wait, at / "perTryTimeout")
    words = [word.strip() for word in retries.retryOn.split(",") if word.strip()]
    codes: list[Value] = [int(word) for word in words if word.isdigit()]
    conditions: list[Value] = [word for word in words if not word.isdigit()]
    if codes:
        made.put("retries.retriable_status_codes", codes, at / "retryOn")
        if "retriable-status-codes" not in conditions:
            conditions.append("retriable-status-codes")
    if conditions:
        made.put("retries.retry_on", conditions, at / "retryOn")
    if retries.retryRemoteLocalities:
        made.put("retries.other_localities", True, at / "retryRemoteLocalities")
    others = retries.retryIgnorePreviousHosts
    made.put("retries.other_hosts", others, at / "retryIgnorePreviousHosts")
    if retries.backoff is not None:
        made.put("retries.back_off.base", milliseconds(retries.backoff), at / "backoff")


def _put_fault(made: Made, fault: Fault, at: At) -> None:
    if (delay := fault.delay) is not None:
        share = delay.percentage.value if delay.percentage is not None else delay.percent or 0
        if delay.fixedDelay is not None:
            made.put("fault.delay.fixed", milliseconds(delay.fixedDelay), at / "delay")
            made.put("fault.delay.percentage", share, at / "delay")
    if (abort := fault.abort) is not None:
        share = abort.percentage.value if abort.percentage is not None else 0
        made.put("fault.abort.status", abort.httpStatus, at / "abort")
        made.put("fault.abort.grpc_status", abort.grpcStatus or None, at / "abort")
        made.put("fault.abort.percentage", share, at / "abort")


def _put_cors(made: Made, cors: CorsPolicy, at: At) -> None:
    origins: list[Value] = [text(origin) for origin in cors.allowOrigins]
    origins += [{"exact": origin} for origin in cors.allowOrigin if origin != "*"]
    if "*" in cors.allowOrigin:
        origins.append({"exact": "*"})
    made.put("cors.allow_origins", origins, at)
    lists = {
        "allow_methods": cors.allowMethods,
        "allow_headers": cors.allowHeaders,
        "expose_headers": cors.exposeHeaders,
    }
    for key, words in lists.items():
        made.put(f"cors.{key}", [*words] if words else None, at)
    if cors.maxAge is not None:
        made.put("cors.max_age", milliseconds(cors.maxAge), at / "maxAge")
    if cors.allowCredentials:
        made.put("cors.allow_credentials", True, at / "allowCredentials")
    if cors.unmatchedPreflights == "IGNORE":
        made.put("cors.unmatched_preflights", "ignore", at / "unmatchedPreflights")
