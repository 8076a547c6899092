"""Istio's rules on what HTTP rules do besides routing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meshcore.config.check import did_you_mean
from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.translate.http.headers import AUTHORITY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model.http_actions import (
        Abort,
        CorsPolicy,
        Delay,
        Fault,
        Headers,
        Percent,
        Retry,
    )

RETRY_ON = (
    "5xx", "gateway-error", "reset", "reset-before-request", "connect-failure",
    "envoy-ratelimited", "retriable-4xx", "refused-stream", "retriable-status-codes",
    "retriable-headers", "http3-post-connect-failure", "cancelled", "deadline-exceeded",
    "internal", "resource-exhausted", "unavailable",
)  # fmt: skip
GRPC_STATUSES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "*"}
)
_STATUSES = range(200, 600)
_CODES = range(100, 600)
_HEADER = re.compile(r":?[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_WHOLE = 100


def check_retries(retries: Retry, loc: Loc) -> Iterator[Trouble]:
    """Conditions that exist; nothing beside `attempts: 0`."""
    for word in filter(None, (word.strip() for word in retries.retryOn.split(","))):
        known = int(word) in _CODES if word.isdigit() else word in RETRY_ON
        if not known:
            hint = did_you_mean(word, RETRY_ON) or f"known are {', '.join(RETRY_ON)} and statuses"
            message = f"{word!r} is no condition"
            yield Trouble((*loc, "retryOn"), "invalid_choice", message, hint)
    if retries.attempts == 0:
        for name in ("retryOn", "perTryTimeout", "retryRemoteLocalities", "backoff"):
            if getattr(retries, name):
                message = f"with attempts: 0 nothing is tried again: {name} does nothing"
                yield Trouble((*loc, name), "key_not_allowed", message, at_key=True)
    yield from _positive(retries.perTryTimeout, (*loc, "perTryTimeout"))
    yield from _positive(retries.backoff, (*loc, "backoff"))


def _positive(value: timedelta | None, loc: Loc) -> Iterator[Trouble]:
    if value is not None and not value:
        yield Trouble(loc, "invalid_duration", "must be 1ms at least", "leave it out")


def check_fault(fault: Fault, loc: Loc) -> Iterator[Trouble]:
    """A delay or an abort, each complete."""
    if fault.delay is None and fault.abort is None:
        hint = "write fault: {delay: …} or fault: {abort: …}"
        yield Trouble(loc, "missing_key", "needs a delay or an abort", hint)
    if fault.delay is not None:
        yield from _delay(fault.delay, (*loc, "delay"))
    if fault.abort is not None:
        yield from _abort(fault.abort, (*loc, "abort"))


def _delay(delay: Delay, at: Loc) -> Iterator[Trouble]:
    if delay.fixedDelay is None and delay.exponentialDelay is None:
        yield Trouble(at, "missing_key", "needs fixedDelay", "write fixedDelay: 5s")
    yield from _positive(delay.fixedDelay, (*at, "fixedDelay"))
    yield from _percent(delay.percentage, (*at, "percentage"))
    if (delay.percent or 0) > _WHOLE:
        yield Trouble((*at, "percent"), "invalid_range", "must be 0 to 100")


def _abort(abort: Abort, at: Loc) -> Iterator[Trouble]:
    if (abort.httpStatus is None) == (not abort.grpcStatus):
        message = "needs exactly one of httpStatus and grpcStatus"
        yield Trouble(at, "one_of", message, "write httpStatus: 503")
    if abort.httpStatus is not None and abort.httpStatus not in _STATUSES:
        message = f"{abort.httpStatus} is no status of an answer"
        yield Trouble((*at, "httpStatus"), "invalid_range", message, "200 to 599")
    if abort.grpcStatus and abort.grpcStatus not in GRPC_STATUSES:
        close = did_you_mean(abort.grpcStatus.upper(), GRPC_STATUSES)
        hint = close or f"one of {', '.join(GRPC_STATUSES)}"
        message = f"{abort.grpcStatus!r} is no status of gRPC"
        yield Trouble((*at, "grpcStatus"), "invalid_choice", message, hint)
    yield from _percent(abort.percentage, (*at, "percentage"))


def _percent(percent: Percent | None, loc: Loc) -> Iterator[Trouble]:
    if percent is not None and not 0 <= percent.value <= _WHOLE:
        yield Trouble((*loc, "value"), "invalid_range", f"{percent.value} is not from 0 to 100")


def check_cors(cors: CorsPolicy, loc: Loc) -> Iterator[Trouble]:
    """Methods that exist, whole seconds, conditions that say something."""
    for index, method in enumerate(cors.allowMethods):
        if method not in _METHODS:
            message = f"{method!r} is not a method"
            hint = "write for example GET, or *"
            yield Trouble((*loc, "allowMethods", index), "invalid_method", message, hint)
    if cors.maxAge is not None and cors.maxAge.microseconds:
        message = "must be whole seconds"
        yield Trouble((*loc, "maxAge"), "invalid_duration", message)
    for index, origin in enumerate(cors.allowOrigins):
        if origin.exact is None and origin.prefix is None and origin.regex is None:
            hint = "write {exact: https://example.com}"
            at = (*loc, "allowOrigins", index)
            yield Trouble(at, "one_of", "needs one of exact, prefix, regex", hint)


def check_headers(headers: Headers, loc: Loc) -> Iterator[Trouble]:
    """Names of headers; the authority in one place."""
    for side in ("request", "response"):
        changes = getattr(headers, side)
        if changes is None:
            continue
        for key in ("set", "add", "remove"):
            for index, name in enumerate(getattr(changes, key)):
                step = index if key == "remove" else name
                if not _HEADER.fullmatch(name):
                    at = (*loc, side, key, step)
                    message = f"{name!r} is not a header name"
                    yield Trouble(at, "invalid_header_name", message)
                elif key == "remove" and name.lower() in AUTHORITY:
                    at = (*loc, side, key, step)
                    message = "no request is without an authority"
                    yield Trouble(at, "key_not_allowed", message, "leave it out")
