"""What the key of a request is made of, by which `ring_hash` and `maglev` choose."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictBool, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.model.units import Duration


class HashCookie(Part):
    """A cookie in a key."""

    name: StrictStr
    """Its name."""
    path: StrictStr = "/"
    """The path of a cookie that the proxy gives; empty leaves it out."""
    ttl: Duration | None = None
    """A client without the cookie is given one that lasts so long, `0s` as long as its browser
    runs; left out, it is given none."""
    attributes: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    """Others of a cookie that the proxy gives, `{SameSite: Lax, Secure: "", HttpOnly: ""}`."""


class HashOn(Part):
    """A part of a key: one of `header`, `cookie`, `source_address` and `query`."""

    header: Annotated[StrictStr, Field(min_length=1)] | None = None
    """A header's name, or `:method`, `:scheme`, `:authority`."""
    cookie: HashCookie | None = None
    """A cookie, which the proxy may give."""
    source_address: StrictBool = False
    """`true`: the client's IP address."""
    query: Annotated[StrictStr, Field(min_length=1)] | None = None
    """A query parameter's name."""
    terminal: StrictBool = False
    """`true`: what follows counts only where nothing was found until here."""
