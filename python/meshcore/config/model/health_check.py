"""Active health checks: what endpoints are asked, whether they have traffic or not."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, StrictBool, StrictInt, StrictStr

from meshcore.config.model.base import Part
from meshcore.config.model.match import OneOf
from meshcore.config.model.units import Duration, Percent, refused

_STATUSES = re.compile(r"[2-5]\d\d(?:-[2-5]\d\d)?")


def _statuses(value: object) -> object:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _STATUSES.fullmatch(text):
        hint = 'write a status from 200 to 599, or a range: "200-299"'
        raise refused("invalid_status", f"{value!r} is neither a status nor a range", hint)
    return text


Statuses = Annotated[str, BeforeValidator(_statuses, json_schema_input_type=int | str)]
"""A status, or a range of them: `200`, `"200-299"`."""


class HttpCheck(Part):
    """A request, in the cluster's protocol (`same`: HTTP/1.1); its answer's status counts."""

    path: StrictStr = "/"
    """Path and query."""
    host: StrictStr | None = None
    """The authority; left out, the endpoint's host name or address, with the port."""
    method: StrictStr = "GET"
    """The method."""
    expected_statuses: tuple[Statuses, ...] = ("200",)
    """What counts as a success: statuses and ranges, `[200, "300-399"]`."""
    headers: dict[StrictStr, StrictStr] = Field(default_factory=dict)
    """Fields that the request has besides."""


class GrpcCheck(Part):
    """A call of `grpc.health.v1.Health/Check`, over HTTP/2; only SERVING is a success."""

    service: StrictStr = ""
    """The service that is asked about; left out, the server as a whole."""
    authority: StrictStr | None = None
    """The authority; left out, the endpoint's host name or address, with the port."""


class Payload(OneOf):
    """Bytes; a plain string is `text`."""

    text: StrictStr | None = None
    """Its UTF-8 bytes."""
    hex: StrictStr | None = None
    """Two hexadecimal digits a byte."""


def _plain_is_text(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


PayloadItem = Annotated[
    Payload, BeforeValidator(_plain_is_text, json_schema_input_type=str | Payload)
]
"""Text, or `{hex: 0d0a}`."""


class TcpCheck(Part):
    """A connection, and bytes there and back where they are given."""

    send: PayloadItem | None = None
    """What is sent: text, or `{hex: 0d0a}`."""
    receive: PayloadItem | None = None
    """What the answer must begin with; left out, a connection is a success."""


class HealthCheck(OneOf):
    """A question that every endpoint is asked again and again: one of `http`, `grpc`, `tcp`."""

    beside: ClassVar[frozenset[str]] = frozenset(
        {
            "interval",
            "unhealthy_interval",
            "jitter",
            "timeout",
            "unhealthy_threshold",
            "healthy_threshold",
            "port",
            "reuse_connection",
        }
    )

    http: HttpCheck | None = None
    """A request whose answer's status counts."""
    grpc: GrpcCheck | None = None
    """A call of gRPC's health service."""
    tcp: TcpCheck | None = None
    """A connection, perhaps with bytes there and back."""
    interval: Duration = timedelta(seconds=10)
    """From one check to the next."""
    unhealthy_interval: Duration | None = None
    """The same while the endpoint fails; left out, `interval`."""
    jitter: Percent = 10
    """Up to so much of the interval is added, by chance: proxies that began together don't ask
    together."""
    timeout: Duration = timedelta(seconds=1)
    """For connecting and the answer together."""
    unhealthy_threshold: Annotated[StrictInt, Field(ge=1, le=0xFFFF)] = 3
    """Failures in a row that make an endpoint unhealthy; the first check of all decides alone."""
    healthy_threshold: Annotated[StrictInt, Field(ge=1, le=0xFFFF)] = 1
    """Successes in a row that make it healthy again."""
    port: Annotated[StrictInt, Field(ge=1, le=0xFFFF)] | None = None
    """The port that is asked; left out, the endpoint's."""
    reuse_connection: StrictBool = True
    """Whether a connection is kept from one check to the next; `tcp` makes a new one each time."""
