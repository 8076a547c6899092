"""What a route does besides going somewhere."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.model.match import Condition, HeaderName
from meshcore.config.model.units import Duration


class Redirect(Part):
    """Sends the client elsewhere; what is left out is as the request has it."""

    scheme: Literal["http", "https"] | None = None
    """The scheme."""
    host: StrictStr | None = None
    """The host, with a port or without."""
    port: Annotated[StrictInt, Field(ge=1, le=65_535)] | None = None
    """The port; the scheme's own is never written."""
    path: StrictStr | None = None
    """In place of the whole path; the query stays unless this has one."""
    prefix: StrictStr | None = None
    """In place of what `match.path` has as `prefix` (whole segments) or `string_prefix` (text)."""
    code: Literal[301, 302, 303, 307, 308] = 301
    """The status."""


class DirectResponse(Part):
    """Answers without asking anybody."""

    status: Annotated[StrictInt, Field(ge=200, le=599)]
    """The status."""
    body: StrictStr | None = None
    """What follows the head, at most 1 MiB."""
    body_base64: StrictStr | None = None
    """The same, where it is no text."""
    content_type: StrictStr | None = None
    """Its media type; left out, a body has `text/plain`."""


class RegexRewrite(Part):
    """Replaces every match in a path."""

    pattern: StrictStr
    """What is looked for, in linear time."""
    substitution: StrictStr
    r"""What stands there instead; `\1` is the first group, `\0` all of it, `\\` a backslash."""


class Rewrite(Part):
    """What an upstream sees in place of what came; at most one of path, prefix, regex."""

    path: StrictStr | None = None
    """In place of the whole path; the query stays."""
    prefix: StrictStr | None = None
    """In place of what `match.path` has as `prefix` (whole segments) or `string_prefix` (text)."""
    regex: RegexRewrite | None = None
    """In place of what matches within the path."""
    host: StrictStr | None = None
    """In place of the host, with a port or without."""


class HeaderEdits(Part):
    """Changes of headers: `set`, then `add`, then `remove`. Values may hold `%OPERATORS%`."""

    set: dict[HeaderName, StrictStr] = Field(default_factory=dict)
    """Header name to the value that it has then."""
    add: dict[HeaderName, StrictStr] = Field(default_factory=dict)
    """Header name to a value beside those it has."""
    remove: tuple[HeaderName, ...] = ()
    """Header names."""


class Cors(Part):
    """Which pages of other origins may read answers."""

    allow_origins: tuple[Condition, ...] = ()
    """Any of them; `"*"` is every origin."""
    allow_methods: tuple[StrictStr, ...] = ()
    """Told to preflights."""
    allow_headers: tuple[StrictStr, ...] = ()
    """Told to preflights."""
    expose_headers: tuple[StrictStr, ...] = ()
    """Told with each answer."""
    max_age: Duration | None = None
    """How long browsers may keep a preflight's answer; left out, it isn't told."""
    allow_credentials: StrictBool = False
    """Whether requests may carry cookies."""
    unmatched_preflights: Literal["forward", "ignore"] = "forward"
    """Preflights of other origins go where requests go, or are answered without a word of CORS."""
