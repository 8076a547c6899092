"""Istio's rules on HTTP rules: which actions go together, and their values."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble
from meshcore.config.sources.istio.validate.http_actions import (
    check_cors,
    check_fault,
    check_headers,
    check_retries,
)
from meshcore.config.sources.istio.validate.route import check_destination, check_targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model.http_actions import DirectResponse, Percent, Redirect
    from meshcore.config.sources.istio.model.virtual_service import HttpRule

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# What an answer without an upstream may weigh.
_LARGEST_BODY = 1 << 20
_WHOLE = 100


def http_rule(rule: HttpRule, loc: Loc, *, is_delegate: bool) -> Iterator[Trouble]:
    """All that is wrong with one."""
    yield from _exclusive(rule, loc, is_delegate=is_delegate)
    yield from check_targets(rule.route, (*loc, "route"), required=False)
    yield from _rewrite(rule, loc)
    if rule.redirect is not None:
        yield from _redirect(rule.redirect, rule, (*loc, "redirect"))
    if rule.directResponse is not None:
        yield from _direct_response(rule.directResponse, (*loc, "directResponse"))
    if rule.retries is not None:
        yield from check_retries(rule.retries, (*loc, "retries"))
    if rule.fault is not None:
        yield from check_fault(rule.fault, (*loc, "fault"))
    if rule.corsPolicy is not None:
        yield from check_cors(rule.corsPolicy, (*loc, "corsPolicy"))
    yield from _headers(rule, loc)
    yield from _mirrors(rule, loc)


def _headers(rule: HttpRule, loc: Loc) -> Iterator[Trouble]:
    if rule.headers is not None:
        yield from check_headers(rule.headers, (*loc, "headers"))
    for index, target in enumerate(rule.route):
        if target.headers is not None:
            yield from check_headers(target.headers, (*loc, "route", index, "headers"))


def _exclusive(rule: HttpRule, loc: Loc, *, is_delegate: bool) -> Iterator[Trouble]:
    given = [
        name for name in ("route", "redirect", "directResponse", "delegate") if getattr(rule, name)
    ]
    if not given and is_delegate:
        return
    if len(given) != 1:
        found = " and ".join(given) or "none"
        message = f"needs exactly one of route, redirect, directResponse, delegate; has {found}"
        hint = "keep one of them" if given else "write route: [{destination: {host: reviews}}]"
        yield Trouble(loc, "one_of", message, hint)
    if rule.delegate is not None and is_delegate:
        message = "a delegate can't delegate further"
        yield Trouble((*loc, "delegate"), "key_not_allowed", message, at_key=True)
    if rule.redirect is not None or rule.directResponse is not None:
        for name in ("rewrite", "fault") if rule.redirect is not None else ("rewrite",):
            if getattr(rule, name) is not None:
                message = f"{name} has no sense without an upstream"
                yield Trouble((*loc, name), "key_not_allowed", message, at_key=True)


def _rewrite(rule: HttpRule, loc: Loc) -> Iterator[Trouble]:
    rewrite = rule.rewrite
    if rewrite is None:
        return
    at = (*loc, "rewrite")
    if rewrite.uri and rewrite.uriRegexRewrite is not None:
        message = "has both uri and uriRegexRewrite"
        yield Trouble((*at, "uri"), "one_of", message, "keep one of them", at_key=True)
    if not (rewrite.uri or rewrite.uriRegexRewrite or rewrite.authority):
        message = "rewrites nothing"
        yield Trouble(at, "missing_key", message, "write uri, uriRegexRewrite or authority")
    if rewrite.uri and not rewrite.uri.startswith("/"):
        message = f"{rewrite.uri!r} is no path"
        yield Trouble((*at, "uri"), "invalid_path", message, f"write /{rewrite.uri}")


def _redirect(redirect: Redirect, rule: HttpRule, loc: Loc) -> Iterator[Trouble]:
    if redirect.uri is not None and redirect.prefixRewrite is not None:
        message = "has both uri and prefixRewrite"
        yield Trouble((*loc, "uri"), "one_of", message, "keep one of them", at_key=True)
    if redirect.port is not None and redirect.derivePort is not None:
        message = "has both port and derivePort"
        yield Trouble((*loc, "port"), "one_of", message, "keep one of them", at_key=True)
    if redirect.redirectCode not in {0, *_REDIRECTS}:
        message = f"{redirect.redirectCode} is no redirect that clients follow"
        hint = "write 301, 302, 303, 307 or 308"
        yield Trouble((*loc, "redirectCode"), "invalid_choice", message, hint)
    anything = (redirect.uri, redirect.prefixRewrite, redirect.authority, redirect.scheme)
    if not any(anything) and redirect.port is None:
        message = "changes nothing: clients would come back for ever"
        hint = "write uri, prefixRewrite, authority, scheme or port"
        yield Trouble(loc, "missing_key", message, hint)
    if redirect.prefixRewrite is not None:
        for match in rule.match:
            if match.uri is not None and match.uri.prefix is None:
                message = "prefixRewrite needs matches by prefix"
                hint = "write uri: {prefix: …} in every match"
                yield Trouble((*loc, "prefixRewrite"), "key_not_allowed", message, hint)
                break


def _direct_response(answer: DirectResponse, loc: Loc) -> Iterator[Trouble]:
    if (body := answer.body) is None:
        return
    at = (*loc, "body")
    if (body.string is None) == (body.bytes is None):
        hint = "write body: {string: …}"
        yield Trouble(at, "one_of", "needs exactly one of string and bytes", hint)
    size = len((body.string or "").encode())
    if body.bytes is not None:
        try:
            size = len(base64.b64decode(body.bytes, validate=True))
        except (binascii.Error, ValueError):
            message = "is not base64"
            yield Trouble((*at, "bytes"), "invalid_value", message, "write string instead")
    if size > _LARGEST_BODY:
        message = f"the body has more than {_LARGEST_BODY >> 20} MiB"
        yield Trouble(at, "too_large", message, "serve it from an upstream")


def _mirrors(rule: HttpRule, loc: Loc) -> Iterator[Trouble]:
    if rule.mirror is not None:
        yield from check_destination(rule.mirror, (*loc, "mirror"))
        if rule.mirrors:
            message = "has both mirror and mirrors"
            hint = "put every copy into mirrors"
            yield Trouble((*loc, "mirror"), "one_of", message, hint, at_key=True)
    elif rule.mirrorPercentage is not None or rule.mirrorPercent is not None:
        name = "mirrorPercentage" if rule.mirrorPercentage is not None else "mirrorPercent"
        message = f"{name} without mirror does nothing"
        yield Trouble((*loc, name), "key_not_allowed", message, at_key=True)
    yield from check_percent(rule.mirrorPercentage, (*loc, "mirrorPercentage"))
    if (rule.mirrorPercent or 0) > _WHOLE:
        yield Trouble((*loc, "mirrorPercent"), "invalid_range", "must be 0 to 100")
    for index, mirror in enumerate(rule.mirrors):
        at = (*loc, "mirrors", index)
        yield from check_destination(mirror.destination, (*at, "destination"))
        yield from check_percent(mirror.percentage, (*at, "percentage"))


def check_percent(percent: Percent | None, loc: Loc) -> Iterator[Trouble]:
    """0 to 100."""
    if percent is not None and not 0 <= percent.value <= _WHOLE:
        yield Trouble((*loc, "value"), "invalid_range", f"{percent.value} is not from 0 to 100")
