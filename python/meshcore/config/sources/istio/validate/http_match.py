"""Istio's rules on the match blocks of HTTP rules."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from meshcore.config.origin import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshcore.config.origin import Loc
    from meshcore.config.sources.istio.model.string_match import StringMatch
    from meshcore.config.sources.istio.model.virtual_service import HttpMatch

CLAIMS = "@request.auth.claims"
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def http_match(match: HttpMatch, loc: Loc, *, in_mesh: bool) -> Iterator[Trouble]:
    """All that is wrong with one."""
    yield from _texts(match, loc)
    for key in ("headers", "withoutHeaders"):
        for name in getattr(match, key):
            yield from _header(name, (*loc, key, name))
    if not in_mesh:
        for key in ("sourceLabels", "sourceNamespace"):
            if getattr(match, key):
                message = f"{key} is about workloads of the mesh, and this is for gateways alone"
                hint = "leave it out, or add mesh to the gateways"
                yield Trouble((*loc, key), "key_not_allowed", message, hint, at_key=True)
    if match.ignoreUriCase and match.uri is not None and match.uri.regex is not None:
        hint = "begin the regex with (?i)"
        message = "ignoreUriCase is for exact and prefix"
        yield Trouble((*loc, "ignoreUriCase"), "key_not_allowed", message, hint, at_key=True)


def _texts(match: HttpMatch, loc: Loc) -> Iterator[Trouble]:
    for key in ("uri", "scheme", "method", "authority"):
        wanted: StringMatch | None = getattr(match, key)
        if wanted is None:
            continue
        at = (*loc, key)
        if wanted.exact is None and wanted.prefix is None and wanted.regex is None:
            hint = f"write {key}: {{exact: …}}"
            yield Trouble(at, "one_of", "needs one of exact, prefix, regex", hint)
        elif wanted.exact == "" or wanted.regex == "" or (wanted.prefix == "" and key != "uri"):
            yield Trouble(at, "match_empty", "an empty text can't be meant", "leave it out")
        elif key == "uri":
            yield from _path(wanted, at)


def _path(uri: StringMatch, loc: Loc) -> Iterator[Trouble]:
    for kind in ("exact", "prefix"):
        path = getattr(uri, kind)
        if path and not path.startswith("/"):
            message = f"{path!r} matches no path: they begin with /"
            yield Trouble((*loc, kind), "invalid_path", message, f"write /{path}")


def _header(name: str, loc: Loc) -> Iterator[Trouble]:
    if name.startswith(CLAIMS):
        message = "matching by the claims of tokens is not supported yet"
        hint = "it needs RequestAuthentication"
        yield Trouble(loc, "not_supported", message, hint, at_key=True)
    elif not _HEADER.fullmatch(name):
        yield Trouble(loc, "invalid_header_name", f"{name!r} is not a header name", at_key=True)
    elif name.lower() != name:
        hint = f"write {name.lower()}"
        message = f"{name!r} must be in lower case"
        yield Trouble(loc, "invalid_header_name", message, hint, at_key=True)
