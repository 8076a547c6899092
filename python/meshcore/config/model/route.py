"""Routes of a listener: what they match and where each match goes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictStr, model_validator

from meshcore.config.model.base import Part
from meshcore.config.model.units import Duration, Name, Weight, refused

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Target(Part):
    """A share of what a route takes."""

    cluster: Name
    """The cluster's name."""
    weight: Weight = 1
    """The relative share; 0 takes nothing."""


class _OneOf(Part):
    """Has exactly one of its keys."""

    @model_validator(mode="after")
    def _exactly_one(self) -> _OneOf:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            known = ", ".join(type(self).model_fields)
            found = " and ".join(given) or "none"
            raise refused(
                "one_of", f"needs exactly one of {known}; has {found}", "keep one of them"
            )
        return self


class PathMatch(_OneOf):
    """How a path is compared, without its query."""

    exact: StrictStr | None = None
    """The whole path."""
    prefix: StrictStr | None = None
    """Whole segments: `/api` matches `/api` and `/api/x`, not `/apix`."""
    regex: StrictStr | None = None
    """The whole path, in linear time."""


class StringMatch(_OneOf):
    """How a value is compared; a plain string is `exact`."""

    exact: StrictStr | None = None
    """Equal."""
    prefix: StrictStr | None = None
    """Begins with."""
    suffix: StrictStr | None = None
    """Ends with."""
    contains: StrictStr | None = None
    """Contains."""
    regex: StrictStr | None = None
    """The whole value matches, in linear time."""
    present: StrictBool | None = None
    """`true`: is there, whatever its value; `false`: is absent."""


def _one_or_more(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _targets(value: object) -> object:
    if isinstance(value, str):
        return ({"cluster": value},)
    if isinstance(value, (dict, Target)):
        return (value,)
    if isinstance(value, (list, tuple)):
        return tuple({"cluster": item} if isinstance(item, str) else item for item in value)
    return value


def _plain_is_exact(value: object) -> object:
    if isinstance(value, (bool, int, float)):
        shown = str(value).lower()
        message = f"must be a string or a mapping, not {shown}"
        raise refused("invalid_type", message, f'put it in quotes: "{shown}"')
    return {"exact": value} if isinstance(value, str) else value


def _method(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise refused("invalid_method", f"{value!r} is not a method", "for example GET or POST")
    if value.upper() != value and value.upper() in _METHODS:
        hint = f"methods are case-sensitive: {value.upper()}"
        raise refused("invalid_method", f"{value!r} is not a method", hint)
    return value


_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT"}
)


def _header_name(value: str) -> str:
    if not _TOKEN.fullmatch(value):
        raise refused("invalid_header_name", f"{value!r} is not a header name")
    return value


Strings = Annotated[
    tuple[StrictStr, ...],
    BeforeValidator(_one_or_more, json_schema_input_type=str | tuple[str, ...]),
]
"""One string or a list of them."""

Methods = Annotated[
    tuple[Annotated[StrictStr, AfterValidator(_method)], ...],
    BeforeValidator(_one_or_more, json_schema_input_type=str | tuple[str, ...]),
]
"""One method or a list of them."""

Targets = Annotated[
    tuple[Target, ...],
    BeforeValidator(_targets, json_schema_input_type=str | Target | tuple[str | Target, ...]),
]
"""A cluster's name, or a list of `{cluster, weight}`."""

Condition = Annotated[
    StringMatch, BeforeValidator(_plain_is_exact, json_schema_input_type=str | StringMatch)
]
"""A plain string (exact), or one of exact, prefix, suffix, contains, regex, present."""

HeaderName = Annotated[StrictStr, AfterValidator(_header_name)]


class Match(Part):
    """The conditions of a route; all that are given must hold, none matches everything."""

    host: Strings = ()
    """`example.com`, `*.example.com` or `*`; any of them."""
    path: PathMatch | None = None
    """The path, without the query."""
    method: Methods = ()
    """Any of these methods."""
    headers: dict[HeaderName, Condition] = Field(default_factory=dict)
    """Header name to condition; all must hold."""
    query: dict[StrictStr, Condition] = Field(default_factory=dict)
    """Query parameter to condition; all must hold."""
    identity: Condition | None = None
    """The identity that the client's certificate proved: its URI name, else its first DNS name."""
    sni: Strings = ()
    """Server names of TLS, for `tls-passthrough` and `auto` listeners; any of them."""


class Route(Part):
    """One route; the most specific match wins, then the order of the document."""

    name: Name | None = None
    """Stands in logs and metrics; left out, it is `<listener>/<index>`."""
    match: Match = Match()
    """What it takes; left out, everything."""
    to: Targets
    """Where it goes: a cluster's name, or a list of `{cluster, weight}`."""
    timeout: Duration = timedelta(0)
    """From the end of the request's head to the end of the response; `0s` is off."""
    response_header_timeout: Duration = timedelta(0)
    """From the end of the request to the end of the response's head, the time to its first byte
    (504); `0s` is off."""
