"""How HTTP/2 is spoken, on either side: the bounds of its connections."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field, StrictInt

from meshcore.config.model.base import Part
from meshcore.config.model.units import Duration, Size, refused

# The largest number of streams and bytes that HTTP/2 can say (RFC 9113 §5.1.1 and §6.9.1).
_LARGEST = 2**31 - 1
# Less than one frame of the smallest size that every peer may send (RFC 9113 §4.2) would
# make a round trip of each few bytes.
_SMALLEST_STREAM_WINDOW = 16 * 1024
# What every connection begins with; no frame can take any of it back (RFC 9113 §6.9.2).
_SMALLEST_CONNECTION_WINDOW = 65_535


def _streams(value: int) -> int:
    if not 1 <= value <= _LARGEST:
        message = f"{value} is not a number of streams that HTTP/2 can have"
        raise refused("limit_invalid", message, f"write 1 to {_LARGEST}, for example 100")
    return value


def _window(lowest: int, shown: str, value: int) -> int:
    if not lowest <= value <= _LARGEST:
        message = f"{value} bytes are out of range for this window"
        raise refused("limit_invalid", message, f"write {shown} to {_LARGEST} bytes")
    return value


Streams = Annotated[
    StrictInt,
    AfterValidator(_streams),
    Field(json_schema_extra={"minimum": 1, "maximum": _LARGEST}),
]
"""A number of streams, 1 up."""

StreamWindow = Annotated[Size, AfterValidator(partial(_window, _SMALLEST_STREAM_WINDOW, "16KiB"))]
"""Bytes, 16KiB up."""

ConnectionWindow = Annotated[
    Size, AfterValidator(partial(_window, _SMALLEST_CONNECTION_WINDOW, "65535"))
]
"""Bytes, 65535 up."""


class Http2(Part):
    """Bounds of HTTP/2 connections."""

    max_concurrent_streams: Streams = 100
    """Streams open at once on one connection: what we allow a client, and the most that we open
    to an endpoint before another connection is made."""
    initial_stream_window_size: StreamWindow = 64 * 1024
    """Bytes that the other side may send on one stream before we have passed them on; 16KiB up."""
    initial_connection_window_size: ConnectionWindow = 1024 * 1024
    """The same for all streams of a connection together; 65535 up."""
    keepalive_interval: Duration = timedelta(0)
    """While streams are open a PING asks so often whether the other side is still there; `0s` is
    off. Some gRPC servers end connections that ask more often than every five minutes."""
    keepalive_timeout: Duration = timedelta(seconds=20)
    """A PING that isn't answered within this ends the connection and its streams."""
