"""Header operations of a rule or of one destination; the authority is rewritten by its own key."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshcore.config.sources.istio.model.http_actions import HeaderOperations, Headers
    from meshcore.config.sources.istio.translate.made import Made
    from meshcore.config.sources.merged import At
    from meshcore.config.sources.text import Value

AUTHORITY = frozenset({"host", ":authority"})


def put_headers(made: Made, headers: Headers, at: At) -> None:
    """Write a rule's operations into its route."""
    if headers.request is not None:
        here = at / "request"
        host = authority(headers.request)
        # `rewrite.authority` beats it.
        if host is not None and not made.has("rewrite.host"):
            made.put("rewrite.host", host, here)
        made.put("request_headers", operations(headers.request) or None, here)
    if headers.response is not None:
        here = at / "response"
        made.put("response_headers", operations(headers.response) or None, here)


def authority(headers: HeaderOperations) -> str | None:
    """What the authority becomes; `set` beats `add`."""
    for changes in (headers.set, headers.add):
        for name, value in changes.items():
            if name.lower() in AUTHORITY:
                return value
    return None


def operations(headers: HeaderOperations) -> dict[str, Value]:
    """In native words, without pseudo-headers, which no rule may change."""
    made: dict[str, Value] = {}
    for key, changes in (("set", headers.set), ("add", headers.add)):
        kept: dict[str, Value] = {
            name.lower(): value for name, value in changes.items() if is_plain(name)
        }
        if kept:
            made[key] = kept
    removed: list[Value] = [name.lower() for name in headers.remove if is_plain(name)]
    if removed:
        made["remove"] = removed
    return made


def is_plain(name: str) -> bool:
    """Whether it is a header like others."""
    return not name.startswith(":") and name.lower() not in AUTHORITY
