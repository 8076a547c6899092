"""What carries a session's endpoint between requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, StrictBool, StrictStr, model_validator

from meshcore.config.model.base import Part
from meshcore.config.model.units import Duration, refused


class SessionCookie(Part):
    """A cookie that carries an endpoint's name."""

    name: Annotated[StrictStr, Field(min_length=1)]
    """Its name."""
    path: StrictStr = "/"
    """Its path; empty leaves it out."""
    ttl: Duration = timedelta(0)
    """How long it lasts from the answer that gives it; `0s` as long as the browser runs."""
    attributes: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    """Others, `{SameSite: Lax, Secure: "", HttpOnly: ""}`."""


class SessionAffinity(Part):
    """Requests of a session keep to one endpoint; with one of `cookie` and `header`."""

    cookie: SessionCookie | None = None
    """A cookie that the proxy gives, and gives anew when another endpoint has answered."""
    header: Annotated[StrictStr, Field(min_length=1)] | None = None
    """A header of answers that the client sends back as it got it."""
    strict: StrictBool = False
    """`true`: where the session's endpoint is gone or unavailable, the answer is 503; else another
    endpoint takes the session over."""

    @model_validator(mode="after")
    def _one_carrier(self) -> Self:
        if (self.cookie is None) == (self.header is None):
            message = "a session is carried by a cookie or by a header"
            raise refused("one_of", message, "write one of cookie, header")
        return self
