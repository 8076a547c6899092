"""What a route takes."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictStr, model_validator

from meshcore.config.model.base import Part
from meshcore.config.model.units import refused

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class OneOf(Part):
    """Has exactly one of its keys, but for those that only say more."""

    beside: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _exactly_one(self) -> OneOf:
        choices = [name for name in type(self).model_fields if name not in self.beside]
        given = [name for name in choices if getattr(self, name) is not None]
        if len(given) != 1:
            known = ", ".join(choices)
            found = " and ".join(given) or "none"
            raise refused(
                "one_of", f"needs exactly one of {known}; has {found}", "keep one of them"
            )
        return self


class PathMatch(OneOf):
    """How a path is compared, without its query."""

    beside = frozenset({"ignore_case"})

    exact: StrictStr | None = None
    """The whole path."""
    prefix: StrictStr | None = None
    """Whole segments: `/api` matches `/api` and `/api/x`, not `/apix`."""
    string_prefix: StrictStr | None = None
    """Mere text: `/api` matches `/apix` too."""
    regex: StrictStr | None = None
    """The whole path, in linear time."""
    ignore_case: StrictBool = False
    """Upper and lower case are the same, for all but `regex`, which has `(?i)`."""

    @model_validator(mode="after")
    def _regex_has_its_own(self) -> PathMatch:
        if self.ignore_case and self.regex is not None:
            hint = f"write regex: (?i){self.regex}"
            raise refused("key_not_allowed", "a regex does not take ignore_case", hint)
        return self


class StringMatch(OneOf):
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
    method_match: Condition | None = None
    """The method, compared as a value is."""
    scheme: Condition | None = None
    """`http` or `https`: as the connection is, or a trusted proxy says in `X-Forwarded-Proto`."""
    authority: Condition | None = None
    """Host and port as the client named them."""
    headers: dict[HeaderName, Condition] = Field(default_factory=dict)
    """Header name to condition; all must hold."""
    without_headers: dict[HeaderName, Condition] = Field(default_factory=dict)
    """Header name to condition; none may hold. An absent header counts as an empty one."""
    query: dict[StrictStr, Condition] = Field(default_factory=dict)
    """Query parameter to condition; all must hold."""
    identity: Condition | None = None
    """The identity that the client's certificate proved: its URI name, else its first DNS name."""
    sni: Strings = ()
    """Server names of TLS, for `tls-passthrough` and `auto` listeners; any of them."""
